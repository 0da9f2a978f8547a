"""The page at ``/``: accounts with their custom fields, and tasks, as a user sees them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from connectors.sandbox.core.page import MOST_ROWS, cell, html_page, section
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import NUMBER_TYPES, Field
from connectors.sandbox.salesforce.table import Record

_STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:0;color:#181818;background:#f3f3f3}
header{background:#0b5cab;color:#fff;padding:14px 24px;font-size:18px}
section{background:#fff;margin:16px 24px;border:1px solid #ddd;border-radius:6px;overflow-x:auto}
h2{font-size:15px;margin:0;padding:12px 16px;border-bottom:1px solid #ddd}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:7px 16px;border-bottom:1px solid #eee}
th{font-weight:600;color:#555;white-space:nowrap}
td.number{text-align:right;font-variant-numeric:tabular-nums}
.long{white-space:pre-wrap;min-width:24em;max-width:70ch}
.when{white-space:nowrap}
.name{font-weight:700}
.done{color:#777;text-decoration:line-through}
"""


def render_page(org: Org) -> str:
    """The whole page as HTML; every value of a record is escaped."""
    accounts = sorted(org.tables["Account"].living(), key=lambda one: str(one.get("Name", "")).lower())
    tasks = sorted(
        org.tables["Task"].living(), key=lambda one: (bool(one.get("IsClosed")), one.get("ActivityDate") or "9999")
    )
    return html_page("Salesforce sandbox", "Salesforce sandbox", _STYLE, _tasks(org, tasks), _accounts(org, accounts))


def _accounts(org: Org, accounts: Sequence[Record]) -> str:
    fields = [field for field in org.catalogue.types["Account"].fields.values() if _worth_showing(field, accounts)]
    heads = ["Account Name", "Website", "Account Owner", *(field.label for field in fields)]
    rows = [
        [
            cell(account.get("Name"), "name"),
            cell(account.get("Website")),
            cell(_name(org, account.get("OwnerId"))),
            *(_field_cell(field, account.get(field.name)) for field in fields),
        ]
        for account in accounts[:MOST_ROWS]
    ]
    return section("Accounts", len(accounts), heads, rows)


def _worth_showing(field: Field, accounts: Iterable[Record]) -> bool:
    """Whether to show a custom field; the sandbox's own key only if an account has one."""
    return field.custom and (not field.name.startswith("Sync_Ext__") or any(one.get(field.name) for one in accounts))


def _tasks(org: Org, tasks: Sequence[Record]) -> str:
    heads = ["Subject", "Due Date", "Assigned To", "Related To", "Name", "Status", "Priority", "Comments"]
    rows = [
        [
            cell(task.get("Subject"), "done" if task.get("IsClosed") else "name"),
            cell(task.get("ActivityDate"), "when"),
            *(cell(_name(org, task.get(name))) for name in ("OwnerId", "WhatId", "WhoId")),
            cell(task.get("Status")),
            cell(task.get("Priority")),
            cell(task.get("Description"), "long"),
        ]
        for task in tasks[:MOST_ROWS]
    ]
    return section("Tasks", len(tasks), heads, rows)


def _field_cell(field: Field, value: Any) -> str:
    """A value as Salesforce's pages show it."""
    if value is None:
        return cell(None)
    if field.type == "boolean":
        return cell("☑" if value else "☐")
    if field.type in NUMBER_TYPES:
        return cell(f"{value:,.{field.scale}f}{'%' if field.type == 'percent' else ''}", "number")
    if field.type == "datetime":
        return cell(value[:16].replace("T", " "), "when")
    return cell(value, "long" if field.type == "textarea" else "")


def _name(org: Org, record_id: str | None) -> str:
    record = org.record(record_id)
    return str(record.get("Name", "")) if record else ""
