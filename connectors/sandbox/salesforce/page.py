"""The page at ``/``: accounts with their custom fields, and tasks, as a user sees them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

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
.done{color:#777;text-decoration:line-through}
"""
_MOST_ROWS = 500


def render_page(org: Org) -> str:
    """The whole page as HTML; every value of a record is escaped."""
    accounts = sorted(org.tables["Account"].living(), key=lambda one: str(one.get("Name", "")).lower())
    tasks = sorted(
        org.tables["Task"].living(), key=lambda one: (bool(one.get("IsClosed")), one.get("ActivityDate") or "9999")
    )
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Salesforce sandbox</title>"
        f"<style>{_STYLE}</style></head><body><header>Salesforce sandbox</header>"
        f"<section><h2>Tasks ({len(tasks)})</h2>{_tasks(org, tasks)}</section>"
        f"<section><h2>Accounts ({len(accounts)})</h2>{_accounts(org, accounts)}</section></body></html>"
    )


def _accounts(org: Org, accounts: Sequence[Record]) -> str:
    fields = [field for field in org.catalogue.types["Account"].fields.values() if _worth_showing(field, accounts)]
    head = ["Account Name", "Website", "Account Owner", *(field.label for field in fields)]
    rows = [
        [
            f"<td><b>{escape(str(account.get('Name') or ''))}</b></td>",
            _text(account.get("Website")),
            _text(_name(org, account.get("OwnerId"))),
            *(_cell(field, account.get(field.name)) for field in fields),
        ]
        for account in accounts[:_MOST_ROWS]
    ]
    return _table(head, rows)


def _worth_showing(field: Field, accounts: Iterable[Record]) -> bool:
    """Whether to show a custom field; the sandbox's own key only if an account has one."""
    return field.custom and (not field.name.startswith("Sync_Ext__") or any(one.get(field.name) for one in accounts))


def _tasks(org: Org, tasks: Sequence[Record]) -> str:
    rows = []
    for task in tasks[:_MOST_ROWS]:
        subject = escape(str(task.get("Subject") or ""))
        rows.append(
            [
                f"<td class='done'>{subject}</td>" if task.get("IsClosed") else f"<td><b>{subject}</b></td>",
                f"<td class='when'>{escape(task.get('ActivityDate') or '')}</td>",
                _text(_name(org, task.get("OwnerId"))),
                _text(_name(org, task.get("WhatId"))),
                _text(_name(org, task.get("WhoId"))),
                _text(task.get("Status")),
                _text(task.get("Priority")),
                f"<td class='long'>{escape(str(task.get('Description') or ''))}</td>",
            ]
        )
    return _table(["Subject", "Due Date", "Assigned To", "Related To", "Name", "Status", "Priority", "Comments"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heads = "".join(f"<th>{escape(one)}</th>" for one in head)
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _cell(field: Field, value: Any) -> str:
    """A value as Salesforce's pages show it."""
    if value is None:
        return "<td></td>"
    if field.type == "boolean":
        return f"<td>{'&#9745;' if value else '&#9744;'}</td>"
    if field.type in NUMBER_TYPES:
        return f"<td class='number'>{value:,.{field.scale}f}{'%' if field.type == 'percent' else ''}</td>"
    if field.type == "datetime":
        return f"<td class='when'>{escape(value[:16].replace('T', ' '))}</td>"
    return f"<td class='long'>{escape(value)}</td>" if field.type == "textarea" else _text(value)


def _text(value: Any) -> str:
    return f"<td>{escape('' if value is None else str(value))}</td>"


def _name(org: Org, record_id: str | None) -> str:
    record = org.record(record_id)
    return str(record.get("Name", "")) if record else ""
