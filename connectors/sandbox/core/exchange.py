"""One request on its way through a sandbox CRM, and the fault that acts on it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.types import Scope

from connectors.clock import stopwatch
from connectors.sandbox.core.faults import Fault
from connectors.sandbox.core.log import Entry, loggable
from connectors.sandbox.core.server import CONNECTION, Connection
from connectors.sandbox.core.sim import Sim


class ConnectionDropped(Exception):
    """A fault closed the connection, or the client did; no answer is sent."""


class Exchange:
    """One request on its way through a sandbox CRM.

    Handlers may set ``records`` and ``secret`` (the body holds credentials and is not logged) and add notes.
    """

    def __init__(self, sim: Sim, scope: Scope, body: bytes) -> None:
        self.sim = sim
        self.body = body
        self.records: int | None = None
        self.secret = False
        self.notes: dict[str, Any] = {}
        self.method: str = scope["method"]
        query = scope["query_string"].decode("latin-1")
        self.path: str = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        self.at = sim.clock.now()
        self._started = stopwatch()
        self._raw_headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._headers: dict[str, str] | None = None
        self._raw_query: bytes = scope["query_string"]
        self.connection: Connection = scope["extensions"][CONNECTION]
        self._met = False
        self._fault: Fault | None = None
        sim.request_count += 1
        self.number = sim.request_count

    @property
    def headers(self) -> dict[str, str]:
        """The request's headers by lower-case name; of a repeated one the first."""
        if self._headers is None:
            pairs = reversed(self._raw_headers)
            self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
        return self._headers

    @property
    def head_length(self) -> int:
        """Bytes in the path with its query and in all header names and values."""
        return len(self.path) + sum(len(name) + len(value) for name, value in self._raw_headers)

    def query(self) -> dict[str, str]:
        """The parameters of the query string; of a repeated one the last."""
        return dict(parse_qsl(self._raw_query.decode("latin-1"), keep_blank_values=True)) if self._raw_query else {}

    @property
    def fault(self) -> Fault | None:
        """The armed fault that fires on this request. The first access matches, and uses up, the armed faults."""
        if not self._met:
            self._met = True
            self._fault = self.sim.faults.next_for(self.method, self.path)
        return self._fault

    def kind(self) -> str | None:
        """The kind of the fault that has fired, without matching the armed faults."""
        return self._fault.kind if self._fault else None

    def add_notes(self, **notes: Any) -> None:
        """Add notes about this request to the log."""
        self.notes.update(notes)

    def drop(self) -> ConnectionDropped:
        """Close the TCP connection now; the caller raises the result."""
        rst = bool(self._fault and self._fault.args.get("rst"))
        self.connection.cut(rst)
        return ConnectionDropped()

    def entry(self, status: int | None) -> Entry:
        """The log entry of the finished exchange."""
        return Entry(
            number=self.number,
            at=self.at,
            method=self.method,
            path=self.path,
            headers=loggable(self.headers),
            body=self.body,
            records=self.records,
            status=status,
            duration_ms=(stopwatch() - self._started) * 1000,
            fault=self.kind(),
            notes=self.notes,
        )


def exchange_of(request: Request) -> Exchange:
    """The exchange `Middleware` opened for this request."""
    exchange: Exchange = request.scope["exchange"]
    return exchange
