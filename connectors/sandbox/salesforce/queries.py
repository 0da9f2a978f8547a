"""``/query``, ``/queryAll`` and their further pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.salesforce import soql_run
from connectors.sandbox.salesforce.api import Call, HttpResponse
from connectors.sandbox.salesforce.columns import column_metadata
from connectors.sandbox.salesforce.errors import RequestRejected
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.soql import parse
from connectors.sandbox.salesforce.soql_run import Column, Found
from connectors.sandbox.salesforce.table import Record

_LOCATOR_LIVES_S = 2 * 24 * 3600
_BATCH = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)
_FEWEST_PER_PAGE = 200


@dataclass(frozen=True, slots=True)
class _Cursor:
    found: Found
    page: int
    made: float


def query(call: Call) -> HttpResponse:
    """``GET /query?q=``: living records."""
    return _first_page(call, everything=False)


def query_all(call: Call) -> HttpResponse:
    """``GET /queryAll?q=``: deleted and archived records too."""
    return _first_page(call, everything=True)


def query_tooling(call: Call) -> HttpResponse:
    """``GET /tooling/query?q=``: objects of the Tooling API."""
    return _first_page(call, everything=False, tooling=True)


def search(_call: Call) -> HttpResponse:
    """``GET /search?q=``: SOSL, which the sandbox does not support."""
    raise RequestRejected("MALFORMED_SEARCH", "this sandbox does not support SOSL; use SOQL", None)


def more(call: Call, locator: str, offset: str) -> HttpResponse:
    """``GET /query/{locator}-{offset}``: the next page."""
    cursor = call.org.pages.get(locator)
    if cursor is None or call.org.sim.clock.timestamp() - cursor.made > _LOCATOR_LIVES_S:
        raise RequestRejected("INVALID_QUERY_LOCATOR", "invalid query locator", None)
    return _page(call, cursor, locator, int(offset))


def _first_page(call: Call, everything: bool, tooling: bool = False) -> HttpResponse:
    text = call.query.get("q", "")
    if not text.strip():
        raise RequestRejected("MALFORMED_QUERY", "A query string has to be specified", None)
    parsed = parse(text)
    found = soql_run.run(call.org, parsed, everything, tooling)
    if call.query.get("columns") == "true":
        return HttpResponse(column_metadata(found))
    if not parsed.paths:
        return HttpResponse({"totalSize": len(found.records), "done": True, "records": []})
    cursor = _Cursor(found, _page_size(call), call.org.sim.clock.timestamp())
    locator = ""
    if len(found.records) > cursor.page:
        locator = call.org.new_id("0r8")
        call.org.pages[locator] = cursor
    return _page(call, cursor, locator, 0)


def _page(call: Call, cursor: _Cursor, locator: str, offset: int) -> HttpResponse:
    records = cursor.found.records
    end = offset + cursor.page
    body: dict[str, Any] = {"totalSize": len(records), "done": end >= len(records)}
    if not body["done"]:
        body["nextRecordsUrl"] = f"{call.base}/query/{locator}-{end}"
    as_json = _renderer(call.org, call.base, cursor.found)
    body["records"] = [as_json(record) for record in records[offset:end]]
    call.exchange.add_notes(rows=len(body["records"]))
    return HttpResponse(body)


def _page_size(call: Call) -> int:
    wanted = _BATCH.search(call.headers.get("sforce-query-options", ""))
    most = call.org.options.page_size
    return min(max(int(wanted.group(1)), _FEWEST_PER_PAGE), most) if wanted else most


def _renderer(org: Org, base: str, found: Found) -> Callable[[Record], dict[str, Any]]:
    plain = [column.field.name for column in found.columns if not column.parents]
    name = found.kind.name
    if len(plain) == len(found.columns):

        def as_json(record: Record) -> dict[str, Any]:
            url = f"{base}/sobjects/{name}/{record['Id']}"
            return {"attributes": {"type": name, "url": url}, **{field: record.get(field) for field in plain}}

        return as_json
    return lambda record: _nested(org, base, record, [(column, 0) for column in found.columns])


def _nested(org: Org, base: str, record: Record, columns: Sequence[tuple[Column, int]]) -> dict[str, Any]:
    """The JSON of one record; each column with the number of parents already resolved."""
    kind = org.catalogue.of_id(record["Id"])
    name = kind.name if kind else ""
    shown: dict[str, Any] = {"attributes": {"type": name, "url": f"{base}/sobjects/{name}/{record['Id']}"}}
    for column, depth in columns:
        if depth == len(column.parents):
            shown[column.field.name] = record.get(column.field.name)
            continue
        parent = column.parents[depth]
        relationship = parent.relationship or parent.name
        if relationship in shown:
            continue
        below = [(one, depth + 1) for one, at in columns if len(one.parents) > at and one.parents[at] == parent]
        target = org.record(record.get(parent.name))
        shown[relationship] = _nested(org, base, target, below) if target else None
    return shown
