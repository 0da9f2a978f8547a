"""The fields that playbooks and scores may use, as the author of a playbook reads them."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table

from worker.rendering.console import OneLine
from worker.reports.fields import FieldEntry, FieldList


def render_fields(found: FieldList) -> RenderableType:
    """One line per field: name, kind, label, and its values or samples of them."""
    table = Table(header_style="bold")
    for title in ("field", "kind", "unit", "meaning", "values"):
        table.add_column(title, overflow="fold")
    for field in found.fields:
        unit = "" if field.unit == field.kind else field.unit
        table.add_row(OneLine(field.name), field.kind, unit, OneLine(field.label), OneLine(_values(field)))
    if not found.no_samples:
        return table
    return Group(table, OneLine(f"no samples: {found.no_samples}", style="yellow"))


def _values(field: FieldEntry) -> str:
    if field.values:
        return f"one of {', '.join(field.values)}"
    return f"such as {', '.join(field.samples)}" if field.samples else ""
