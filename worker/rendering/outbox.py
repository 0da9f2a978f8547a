"""The outbox as text for an operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from worker.delivery.row_state import RowState
from worker.rendering.console import OneLine

_STYLES = {"parked": "yellow", "denied": "yellow", "dead": "red"}


def render_outbox(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One line per row that waits, is being sent, parked or dead, with the answer of the CRM."""
    if not rows:
        return OneLine("nothing waits: everything is delivered")
    table = Table(header_style="bold")
    for title in ("row", "state", "destination", "what", "account", "tries", "next", "the CRM's words"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(
            str(row["id"]),
            OneLine(RowState(row["row_state"]).label, style=_STYLES.get(row["row_state"], "")),
            row["destination"],
            _what(row),
            row["account_id"],
            str(row["attempts"]),
            _when(row),
            " ".join(part for part in (row["last_code"], row["last_reason"]) if part),
        )
    return table


def _what(row: Mapping[str, Any]) -> str:
    words = {"record_create": "new", "fields": "fields of"}.get(row["kind"], row["kind"].replace("_", " "))
    return f"{words} {row['payload'].get('object', '')}".strip()


def _when(row: Mapping[str, Any]) -> str:
    if row["row_state"] == "unmatched":
        return "when its account is matched"
    if row["row_state"] == "no_owner":
        return "when it has an owner, or you retry it"
    if row["state"] in {"parked", "dead"}:
        return "when its values change" if row["kind"] in {"fields", "record_create"} else "when you retry it"
    seconds = max(0.0, float(row["due_in"]))
    if row["row_state"] == "quota":
        return f"at {datetime.fromtimestamp(row['due_at'], UTC):%Y-%m-%d %H:%M} UTC"
    return "now" if seconds < 1 else f"in {seconds:.0f} s" if seconds < 120 else f"in {seconds / 60:.0f} min"
