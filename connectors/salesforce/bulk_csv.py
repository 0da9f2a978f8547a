"""Field updates as the CSV of a Bulk API 2.0 job, and a job's result files as outcomes.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_prepare_csv.htm
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.base import Scalar, UpdateFields
from connectors.coerce import text

CLEAR = "#N/A"
MOST_ROWS = 50_000
MOST_BYTES = 90_000_000
"""A job takes 100 MB: https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_bulkapi.htm"""
ROWS_AT_ONCE = 1_000
ID = "Id"

Cells = Mapping[str, str]
"""The cells of one row by column, without the id; a missing column leaves the CRM's value as it is."""


def cells_of(operation: UpdateFields) -> dict[str, str] | None:
    """An operation as cells; None when a CSV cannot carry one of its values.

    Salesforce ignores an empty cell and clears the field for ``#N/A``. Orgs differ in how they read line breaks in
    quoted cells.
    """
    cells = {name: _cell(value) for name, value in operation.values.items()}
    literal = any(value == CLEAR for value in operation.values.values())
    broken = any("\n" in cell or "\r" in cell for cell in cells.values())
    return None if literal or broken else cells


def _cell(value: Scalar) -> str:
    return CLEAR if value is None or value == "" else value if isinstance(value, str) else text(value)


@dataclass(frozen=True, slots=True)
class Upload:
    """The CSV of some rows, generated while it is sent: the same bytes in every iteration."""

    rows: Mapping[str, Cells]

    def __iter__(self) -> Iterator[bytes]:
        columns = sorted({name for cells in self.rows.values() for name in cells})
        page = io.StringIO()
        writer = csv.writer(page, lineterminator="\n")
        writer.writerow([ID, *columns])
        for n, record_id in enumerate(sorted(self.rows), 1):
            cells = self.rows[record_id]
            writer.writerow([record_id, *(cells.get(name, "") for name in columns)])
            if n % ROWS_AT_ONCE == 0:
                yield _taken(page)
        yield _taken(page)


def _taken(page: io.StringIO) -> bytes:
    written = page.getvalue().encode()
    page.seek(0)
    page.truncate()
    return written


def fitting(rows: Mapping[str, Cells]) -> dict[str, Cells]:
    """The first of these rows, as many as fit into one job."""
    taken: dict[str, Cells] = {}
    size = 0
    for record_id, cells in rows.items():
        size += 22 + sum(2 * len(cell.encode()) + 3 for cell in cells.values())
        if size > MOST_BYTES or len(taken) == MOST_ROWS:
            break
        taken[record_id] = cells
    return taken


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a result file: the uploaded cells, and Salesforce's error when it was rejected."""

    cells: Cells
    error: str = ""


def rows_of(content: bytes) -> dict[str, Row]:
    """The rows of a result file by record id. Their order is not defined; ``sf__Id`` is empty in rejected rows."""
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    columns = next(reader, [])
    found: dict[str, Row] = {}
    for values in reader:
        row = dict(zip(columns, values, strict=False))
        error = row.get("sf__Error", "")
        record_id = row.get(ID) or row.get("sf__Id", "")
        cells = {name: cell for name, cell in row.items() if cell and name != ID and not name.startswith("sf__")}
        found[record_id] = Row(cells, error)
    return found


def result_of(error: str) -> dict[str, Any]:
    """The ``CODE:message:fields --`` of a rejected row in the form of a Collections result."""
    code, _, rest = error.partition(":")
    message, colon, ending = rest.rpartition(":")
    if not colon or not ending.endswith("--"):
        message, ending = rest, ""
    fields = [name for name in ending.removesuffix("--").strip().split(",") if name]
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": fields}]}
