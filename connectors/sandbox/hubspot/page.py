"""The page at ``/``: tasks, companies and contacts as a user sees them in HubSpot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from connectors.sandbox.hubspot.addresses import addresses_in
from connectors.sandbox.hubspot.kinds import COMPANIES, CONTACTS, TASKS, Kind
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.record import Record

_MOST = 500
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
    companies = _section("Companies", *_companies(portal))
    tasks = _section("Tasks", *_tasks(portal))
    contacts = _section("Contacts", *_contacts(portal))
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>HubSpot sandbox</title>'
        f"<style>{_STYLE}</style></head><body><header>HubSpot sandbox · portal {portal.options.portal_id}</header>"
        f"{tasks}{companies}{contacts}</body></html>"
    )


def _companies(portal: Portal) -> tuple[list[str], list[list[str]]]:
    schema = portal.contents.schemas[COMPANIES.name]
    own = [known for known in schema.properties.values() if not known.defined_by_hubspot and not known.archived]
    heads = ["Name", "Domain", "Owner", "Stage", *(known.label for known in own)]
    rows = []
    for record in portal.contents.records[COMPANIES.name].living():
        get = record.values.get
        first = [get("name", ""), get("domain", ""), _owner(portal, record), get("lifecyclestage", "")]
        rows.append(_cells([*first, *(get(known.name, "") for known in own)]))
    return heads, rows


def _tasks(portal: Portal) -> tuple[list[str], list[list[str]]]:
    heads = ["Subject", "Company", "Contact", "Due", "Owner", "Priority", "Status", "Notes"]
    rows = []
    records = sorted(
        portal.contents.records[TASKS.name].living(),
        key=lambda task: (task.values.get("hs_timestamp", ""), int(task.id)),
    )
    for record in records:
        get = record.values.get
        done = get("hs_task_status") == "COMPLETED"
        subject = f'<td class="done">{escape(get("hs_task_subject", ""))}</td>'
        first = subject if done else _cell(get("hs_task_subject", ""))
        linked = [_linked(portal, record, TASKS, COMPANIES), _linked(portal, record, TASKS, CONTACTS)]
        middle = [*linked, get("hs_timestamp", "")[:10], _owner(portal, record)]
        rest = [get("hs_task_priority", ""), get("hs_task_status", "").replace("_", " ").lower()]
        notes = f'<td class="body">{escape(get("hs_task_body", ""))}</td>'
        rows.append([first, *_cells([*middle, *rest]), notes])
    return heads, rows


def _contacts(portal: Portal) -> tuple[list[str], list[list[str]]]:
    schema = portal.contents.schemas[CONTACTS.name]
    own = [known for known in schema.properties.values() if not known.defined_by_hubspot and not known.archived]
    heads = ["Name", "E-mail", "Company", "Stage", "Owner", *(known.label for known in own)]
    rows = []
    for record in portal.contents.records[CONTACTS.name].living():
        get = record.values.get
        company = _linked(portal, record, CONTACTS, COMPANIES)
        first = [_name(record), ", ".join(addresses_in(record.values)), company, get("lifecyclestage", "")]
        rows.append(_cells([*first, _owner(portal, record), *(get(known.name, "") for known in own)]))
    return heads, rows


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


def _cells(texts: Iterable[str]) -> list[str]:
    return [_cell(text) for text in texts]


def _cell(text: str) -> str:
    return f"<td>{escape(text)}</td>"


def _section(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    shown = "".join(f"<tr>{''.join(row)}</tr>" for row in rows[:_MOST])
    more = f"<p>… and {len(rows) - _MOST} more</p>" if len(rows) > _MOST else ""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    return f"<section><h2>{title} ({len(rows)})</h2><table><tr>{head}</tr>{shown}</table>{more}</section>"
