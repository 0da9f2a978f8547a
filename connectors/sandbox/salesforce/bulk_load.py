"""Reads the CSV of a Bulk 2.0 job and applies its rows.

A blank cell is ignored, ``#N/A`` clears the field. Results are shuffled, because the API does not guarantee an order.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.salesforce.access import Access
from connectors.sandbox.salesforce.checks import checked_id
from connectors.sandbox.salesforce.errors import RequestRejected
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import ObjectType
from connectors.sandbox.salesforce.values import RANK_TYPE
from connectors.sandbox.salesforce.write import Writer

_XSD = {"int": "xsd:int", "boolean": "xsd:boolean", "date": "xsd:date", "datetime": "xsd:dateTime"}
Cells = tuple[str, ...]


@dataclass(slots=True)
class Load:
    """The rows by result: applied (id, created, cells), rejected (id, error, cells) and not processed."""

    columns: Cells
    applied: list[tuple[str, bool, Cells]] = field(default_factory=list)
    rejected: list[tuple[str, str, Cells]] = field(default_factory=list)
    untouched: list[Cells] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.applied) + len(self.rejected)


def load(
    writer: Writer, kind: ObjectType, operation: str, key: str | None, upload: bytes, shape: tuple[str, str]
) -> tuple[Load, str | None]:
    """Apply an upload; returns its rows and, when the job failed, the error. ``shape`` is line end and delimiter."""
    org = writer.org
    ending, delimiter = shape
    text = upload.decode("utf-8-sig", "replace")
    if ("\r\n" in text) != (ending == "\r\n") and "\n" in text:
        name = "LF" if ending == "\n" else "CRLF"
        problem = f"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {name}"
        return Load(columns=()), problem
    rows = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    if not rows:
        return Load(columns=()), "InvalidBatch : The 'text/csv' content is empty"
    columns, *data = rows
    result = Load(columns)
    access = org.access(kind)
    if unknown := _unknown_column(access, kind, columns):
        result.untouched = data
        return result, f"InvalidBatch : Field name not found : {unknown}"
    limit = org.options.fail_after_rows
    for number, cells in enumerate(data):
        if limit is not None and number >= limit:
            result.untouched = data[number:]
            break
        _apply_row(result, writer, kind, operation, key, cells)
    org.sim.random.shuffle(result.applied)
    org.sim.random.shuffle(result.rejected)
    failed = "InternalServerError : The job was stopped before all of its rows were processed"
    return result, failed if result.untouched else None


def csv_text(own: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A result file: Salesforce's headers quoted, the uploaded headers unchanged, every cell quoted."""
    head = ",".join([*(f'"{name}"' for name in own), *columns])
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    return "\n".join([head, *lines]) + "\n"


def _apply_row(result: Load, writer: Writer, kind: ObjectType, operation: str, key: str | None, cells: Cells) -> None:
    given: dict[str, Any] = {
        name: None if cell == "#N/A" else cell for name, cell in zip(result.columns, cells, strict=False) if cell != ""
    }
    record_id = str(next((value for name, value in given.items() if name.lower() == "id"), "") or "")
    try:
        if writer.record_faults:
            writer.record_faults.next_record()
        applied, created = _write(writer, kind, operation, key, given, record_id)
        result.applied.append((applied, created, cells))
    except RequestRejected as rejection:
        result.rejected.append((record_id, _error(writer.org, kind, result.columns, given, rejection), cells))


def _write(
    writer: Writer, kind: ObjectType, operation: str, key: str | None, given: Mapping[str, Any], record_id: str
) -> tuple[str, bool]:
    values = {name: value for name, value in _nested(given).items() if name.lower() != "id"}
    if operation == "insert":
        return writer.insert(kind, values), True
    if operation == "upsert" and key and key.lower() != "id":
        field = writer.org.access(kind).find(key)
        if field is None or not field.indexed:
            raise RequestRejected(
                "INVALID_FIELD", f"Provided external ID field does not exist or is not accessible: {key}"
            )
        return writer.upsert(kind, field, values, may_create=True)
    if not record_id:
        raise RequestRejected("MISSING_ARGUMENT", f"Id not specified in an {operation} call")
    target = checked_id(kind.fields["Id"].label, record_id)
    if operation == "delete":
        writer.delete(target)
    else:
        writer.update(kind, target, values)
    return target, False


def _nested(given: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a column ``Account.Sync_Ext__c`` into a reference to the parent by its external id."""
    values: dict[str, Any] = {}
    for name, value in given.items():
        parent, dot, rest = name.partition(".")
        values[parent if dot else name] = {rest: value} if dot else value
    return values


def _unknown_column(access: Access, kind: ObjectType, columns: Cells) -> str | None:
    for name in columns:
        parent, dot, _ = name.partition(".")
        known = kind.parent(parent) if dot else access.find(name)
        if known is None or access.find(known.name) is None:
            return name
    return None


def _error(org: Org, kind: ObjectType, columns: Cells, given: Mapping[str, Any], rejection: RequestRejected) -> str:
    if rejection.rank == RANK_TYPE and rejection.fields:
        name = rejection.fields[0]
        column = next(place for place, one in enumerate(columns) if one.lower() == name.lower())
        found = org.access(kind).find(name)
        xsd = _XSD.get(found.type if found else "", "xsd:double")
        value = given[columns[column]]
        return (
            f"INVALID_FIELD:Failed to deserialize field at col {column}. Due to, '{value}' is not a valid value for "
            f"the type {xsd}:{name} --"
        )
    fields = ",".join(rejection.fields or ())
    return f"{rejection.code}:{rejection.message}:{fields} --" if fields else f"{rejection.code}:{rejection.message}:--"
