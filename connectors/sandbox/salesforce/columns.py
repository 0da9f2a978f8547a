"""``/query?columns=true``: the columns of a query instead of its records, as command-line tools request it.

The keys are those that the tools read; Salesforce does not document them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.sandbox.salesforce.schema import NUMBER_TYPES, TEXT_TYPES, Field
from connectors.sandbox.salesforce.soql_run import Column, Found


def column_metadata(found: Found) -> dict[str, Any]:
    """The selected columns; a parent is one column with its selected fields."""
    return {
        "columnMetadata": _described([(column.parents, column.field) for column in found.columns]),
        "entityName": found.kind.name,
        "groupBy": False,
        "idSelected": any(not column.parents and column.field.name == "Id" for column in found.columns),
        "keyPrefix": found.kind.prefix,
    }


def column_name(column: Column) -> str:
    """``Owner.Name`` of a parent's field."""
    return ".".join([*(parent.relationship or parent.name for parent in column.parents), column.field.name])


def _described(paths: Sequence[tuple[tuple[Field, ...], Field]]) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    joined: set[str] = set()
    for parents, field in paths:
        if not parents:
            shown.append(_column(field, field.name, []))
        elif parents[0].name not in joined:
            joined.add(parents[0].name)
            below = [(path[1:], end) for path, end in paths if path and path[0] == parents[0]]
            shown.append(_column(parents[0], parents[0].relationship or parents[0].name, _described(below)))
    return shown


def _column(field: Field, name: str, joined: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "aggregate": False,
        "booleanType": field.type == "boolean" and not joined,
        "columnName": name,
        "custom": field.custom,
        "displayName": name,
        "foreignKeyName": None,
        "insertable": field.createable,
        "joinColumns": joined,
        "numberType": field.type in NUMBER_TYPES and not joined,
        "textType": field.type in TEXT_TYPES and not joined,
        "updatable": field.updateable,
    }
