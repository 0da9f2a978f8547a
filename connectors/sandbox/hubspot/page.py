"""The page at ``/``: tasks, companies and contacts as a user sees them in HubSpot."""

from __future__ import annotations

from connectors.sandbox.core.page import MOST_ROWS, cell, html_page, section
from connectors.sandbox.hubspot.addresses import addresses_in
from connectors.sandbox.hubspot.kinds import COMPANIES, CONTACTS, TASKS, Kind
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.record import Record
from connectors.sandbox.hubspot.schema import Property

_STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:0;color:#213343;background:#f5f8fa}
header{background:#ff5c35;color:#fff;padding:12px 24px;font-size:18px}
section{background:#fff;margin:20px 24px;padding:4px 20px 16px;border:1px solid #dfe3eb}
section{border-radius:6px;overflow-x:auto}
table{border-collapse:collapse;width:100%}th{text-align:left;color:#516f90;font-weight:600}
td,th{padding:6px 10px;border-bottom:1px solid #eaf0f6;vertical-align:top;white-space:nowrap}
td.body{white-space:pre-wrap;min-width:28em}.done{color:#7c98b6;text-decoration:line-through}
"""


def page(portal: Portal) -> str:
    """The whole page; every value is escaped."""
    header = f"HubSpot sandbox · portal {portal.options.portal_id}"
    return html_page("HubSpot sandbox", header, _STYLE, _tasks(portal), _companies(portal), _contacts(portal))


def _companies(portal: Portal) -> str:
    own = _own_properties(portal, COMPANIES)
    records = list(portal.contents.records[COMPANIES.name].living())
    rows = []
    for record in records[:MOST_ROWS]:
        get = record.values.get
        first = [get("name"), get("domain"), _owner(portal, record), get("lifecyclestage")]
        rows.append([cell(value) for value in (*first, *(get(known.name) for known in own))])
    heads = ["Name", "Domain", "Owner", "Stage", *(known.label for known in own)]
    return section("Companies", len(records), heads, rows)


def _tasks(portal: Portal) -> str:
    records = sorted(
        portal.contents.records[TASKS.name].living(),
        key=lambda task: (task.values.get("hs_timestamp", ""), int(task.id)),
    )
    rows = []
    for record in records[:MOST_ROWS]:
        get = record.values.get
        middle = [
            _linked(portal, record, TASKS, COMPANIES),
            _linked(portal, record, TASKS, CONTACTS),
            get("hs_timestamp", "")[:10],
            _owner(portal, record),
            get("hs_task_priority"),
            get("hs_task_status", "").replace("_", " ").lower(),
        ]
        subject = cell(get("hs_task_subject"), "done" if get("hs_task_status") == "COMPLETED" else "")
        rows.append([subject, *(cell(value) for value in middle), cell(get("hs_task_body"), "body")])
    heads = ["Subject", "Company", "Contact", "Due", "Owner", "Priority", "Status", "Notes"]
    return section("Tasks", len(records), heads, rows)


def _contacts(portal: Portal) -> str:
    own = _own_properties(portal, CONTACTS)
    records = list(portal.contents.records[CONTACTS.name].living())
    rows = []
    for record in records[:MOST_ROWS]:
        get = record.values.get
        company = _linked(portal, record, CONTACTS, COMPANIES)
        first = [_name(record), ", ".join(addresses_in(record.values)), company, get("lifecyclestage")]
        rows.append([cell(one) for one in (*first, _owner(portal, record), *(get(known.name) for known in own))])
    heads = ["Name", "E-mail", "Company", "Stage", "Owner", *(known.label for known in own)]
    return section("Contacts", len(records), heads, rows)


def _own_properties(portal: Portal, kind: Kind) -> list[Property]:
    """The properties that HubSpot does not define."""
    listed = portal.contents.schemas[kind.name].listed(archived=False)
    return [known for known in listed if not known.defined_by_hubspot]


def _linked(portal: Portal, record: Record, kind: Kind, other: Kind) -> str:
    linked = portal.contents.associations.of((kind.name, record.id), other.name)
    store = portal.contents.records[other.name]
    return ", ".join(_name(found) for number, _ in linked if (found := store.find(number)))


def _name(record: Record) -> str:
    get = record.values.get
    person = " ".join(part for part in (get("firstname"), get("lastname")) if part)
    return get("name") or person or get("domain") or get("email", "")


def _owner(portal: Portal, record: Record) -> str:
    owner = portal.contents.owners.get(record.values.get("hubspot_owner_id", ""))
    return f"{owner.first_name} {owner.last_name}".strip() or owner.email if owner else ""
