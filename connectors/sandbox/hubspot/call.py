"""One API call as a handler gets it: path variables, query and body."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from connectors.sandbox.core.exchange import Exchange
from connectors.sandbox.hubspot.errors import JsonObject, RequestRejected, invalid, invalid_json
from connectors.sandbox.hubspot.kinds import Kind
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.record import Record
from connectors.sandbox.hubspot.record_store import RecordStore, echo
from connectors.sandbox.hubspot.request_body import integer
from connectors.sandbox.hubspot.schema import Schema
from connectors.sandbox.hubspot.timestamps import iso
from connectors.wire import parse_json

_FRACTION = re.compile(rb'":\s*-?(?:\d{18}|\d+[.eE])')

Query = Mapping[str, list[str]]
"""Values of every parameter, in the order sent."""
HttpResponse = tuple[int, JsonObject | None]
Handler = Callable[["Call"], HttpResponse]
Listed = TypeVar("Listed")


@dataclass(slots=True, kw_only=True)
class Call:
    """One authenticated call. ``params`` are the path's variables, ``version`` is v3, v4 or a date."""

    portal: Portal
    exchange: Exchange
    version: str
    params: Mapping[str, str]
    query: Query
    at_ms: int
    _body: JsonObject | None = field(default=None)

    # ---------------------------------------------------------------- the request

    def kind(self, param: str = "type") -> Kind:
        """The kind of object the path names. Raises `RequestRejected`."""
        name = self.params[param]
        found = self.portal.contents.kind(name)
        if found is None:
            raise RequestRejected(400, {"status": "error", "message": f"Unable to infer object type from: {name}"})
        return found

    def body(self) -> JsonObject:
        """The body; `request_body.text` reads its values. Raises `RequestRejected` unless it is an object."""
        if self._body is None:
            self._body = _parse(self.exchange.body)
        return self._body

    def list_body(self) -> list[JsonObject]:
        """The body where a list is expected. Raises `RequestRejected`."""
        parsed = _loaded(self.exchange.body)
        if not isinstance(parsed, list) or any(not isinstance(item, dict) for item in parsed):
            raise invalid_json(1, "Cannot deserialize value of type `java.util.ArrayList`")
        return parsed

    def names(self, param: str) -> list[str]:
        """A comma-separated query parameter, which may be repeated."""
        return [name for value in self.query.get(param, ()) for name in value.split(",") if name]

    def asked(self, param: str) -> str | None:
        """A query parameter; of a repeated one the last."""
        return self.query[param][-1] if param in self.query else None

    def number(self, param: str, usual: int) -> int:
        """A query parameter that is a whole number. Raises `RequestRejected`."""
        return integer(self.asked(param), param, usual)

    def flag(self, param: str) -> bool:
        """A query parameter that is ``true`` or ``false``."""
        return (self.asked(param) or "").lower() == "true"

    def page(
        self, listed: Iterable[Listed], id_of: Callable[[Listed], str], *, usual: int, most: int
    ) -> tuple[list[Listed], JsonObject]:
        """The requested page by id, and the ``paging`` of the answer; ``after`` is the first id of the page.

        Raises `RequestRejected`.
        """
        limit, after = self.number("limit", usual), self.number("after", 0)
        if not 0 < limit <= most:
            raise invalid(f"limit must be between 1 and {most}")
        found = sorted((one for one in listed if int(id_of(one)) >= after), key=lambda one: int(id_of(one)))
        if len(found) <= limit:
            return found, {}
        next_id = id_of(found[limit])
        return found[:limit], {"paging": {"next": {"after": next_id, "link": f"?after={next_id}"}}}

    # ---------------------------------------------------------------- the portal

    def store(self, kind: Kind) -> RecordStore:
        """The records of a kind."""
        return self.portal.contents.records[kind.name]

    def schema(self, kind: Kind) -> Schema:
        """The properties of a kind."""
        return self.portal.contents.schemas[kind.name]

    def known_names(self, kind: Kind, wanted: list[str]) -> tuple[str, ...]:
        """The existing ones of the wanted properties; the default ones of the kind when ``wanted`` is empty."""
        properties = self.schema(kind).properties
        return tuple(name for name in wanted or kind.shown if name in properties and not properties[name].archived)

    def read_echo(self, kind: Kind, record: Record, known: tuple[str, ...]) -> JsonObject:
        """The JSON of a record in a read; ``known`` comes from `known_names`."""
        return self.portal.shown(kind, record, echo(record, kind, known))

    def batch_answer(self, ok: int, results: list[JsonObject], errors: list[JsonObject]) -> tuple[int, JsonObject]:
        """The answer to a batch call: status ``ok``, or 207 with the errors."""
        body: JsonObject = {
            "completedAt": iso(self.portal.now_ms()),
            "status": "COMPLETE",
            "startedAt": iso(self.at_ms),
            "results": results,
        }
        return (207, {**body, "numErrors": len(errors), "errors": errors}) if errors else (ok, body)


def _loaded(raw: bytes) -> Any:
    """The parsed document. If a number is long or has a fraction or an exponent, all numbers are the text sent."""
    try:
        return json.loads(raw, parse_int=str, parse_float=str) if _FRACTION.search(raw) else parse_json(raw)
    except ValueError as broken:
        column = getattr(broken, "colno", 1)
        raise invalid_json(column, f"Unexpected input: {str(broken).partition(':')[0]}") from None


def _parse(raw: bytes) -> JsonObject:
    body = _loaded(raw)
    if not isinstance(body, dict):
        kind = "Array value (token `JsonToken.START_ARRAY`)" if isinstance(body, list) else "a scalar"
        raise invalid_json(1, f"Cannot deserialize an object from {kind}")
    return body
