"""Faults that only HubSpot has; armed like every fault, over ``POST /__sim/faults``.

The common ``status`` and ``status_after`` without a body answer with HubSpot's body: JSON of its API (423, 429,
477 with Retry-After, 500, 503, …) or a page of the network in front of it (502, 504, 521 to 526).

| kind | args | effect on the request it fires on |
|---|---|---|
| ``limit`` | which: burst, search or daily; retry_after | 429 in that form; nothing is applied |
| ``token_revoked`` | | 401 INVALID_AUTHENTICATION |
| ``token_expired`` | | 401 EXPIRED_AUTHENTICATION |
| ``lock`` | seconds (2) | 423 for this and every later write to the same kind of object until then |
| ``partial_apply`` | n (half), status (504) or drop | the first n records are written, then the call fails |
| ``poison`` | ids, error (INVALID_OPTION) | records with these ids, trace ids or values are rejected |
| ``drop_result``, ``dup_result`` | n (1) | everything is written; n results are missing or appear twice |
| ``unfinished`` | status (PENDING) | everything is written; the answer has this status and no results |
| ``own_key_race`` | property, n (1) | another client writes the same records a moment earlier |
| ``search_lag`` | seconds | this search finds the state of so many seconds ago |
| ``competing_app`` | rps (1), seconds (10) | from now on another app takes that many calls per second from the window |
| ``headers_missing`` | | the answer has no rate headers |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from connectors.sandbox.core.exchange import Exchange
from connectors.sandbox.core.faults import Fault
from connectors.sandbox.hubspot.auth import expired
from connectors.sandbox.hubspot.call import Call
from connectors.sandbox.hubspot.errors import (
    TOO_FEW_CREDENTIALS,
    JsonObject,
    RequestRejected,
    Violation,
    burst_limit,
    daily_limit,
    locked,
    missing_scopes,
    not_found,
    rejected,
    secondly_limit,
)
from connectors.sandbox.hubspot.kinds import Kind
from connectors.sandbox.hubspot.limits import WINDOW_S, Competitor
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.record import Source
from connectors.sandbox.hubspot.writes import RecordRejected, apply, check_unique, check_write

FAULT_KINDS = frozenset(
    {
        "limit",
        "token_revoked",
        "token_expired",
        "lock",
        "partial_apply",
        "poison",
        "drop_result",
        "dup_result",
        "unfinished",
        "own_key_race",
        "search_lag",
        "competing_app",
        "headers_missing",
    }
)
_EDGE = (
    "<html>\r\n<head><title>{status} {words}</title></head>\r\n<body>\r\n<center><h1>{status} {words}</h1></center>\r\n"
    "<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
)
_AT_THE_EDGE = {
    414: "Request-URI Too Large",
    502: "Bad Gateway",
    504: "Gateway Time-out",
    521: "Web server is down",
    522: "Connection timed out",
    523: "Origin is unreachable",
    524: "A timeout occurred",
    525: "SSL handshake failed",
    526: "Invalid SSL certificate",
}
"""Statuses of the network in front of HubSpot, which answers HTML."""
_MIGRATION_S = 86_400
_OTHER_CLIENT = Source("INTEGRATION", "another-app")


def raise_fault(portal: Portal, exchange: Exchange) -> None:
    """Raise `RequestRejected` for a fault that answers in place of the API."""
    fault = exchange.fault
    match fault.kind if fault else None:
        case "limit":
            raise _limited(portal, fault.args if fault else {})
        case "token_revoked":
            raise rejected(401, "INVALID_AUTHENTICATION", TOO_FEW_CREDENTIALS)
        case "token_expired":
            raise expired(75, portal.now_ms() / 1000 - 75)
        case "competing_app":
            args = fault.args if fault else {}
            until = portal.now_ms() + int(float(args.get("seconds", WINDOW_S)) * 1000)
            portal.competitor = Competitor(int(args.get("rps", 1)), until)


def complete_status_fault(portal: Portal, fault: Fault | None) -> None:
    """Add HubSpot's body to a ``status`` or ``status_after`` fault that has none."""
    if fault is None or fault.kind not in ("status", "status_after") or {"body", "text"} & fault.args.keys():
        return
    status = int(fault.args.get("status", 503))
    if status in _AT_THE_EDGE:
        fault.args = {**fault.args, "text": _EDGE.format(status=status, words=_AT_THE_EDGE[status])}
        return
    rejection = _usual(portal, status)
    correlation_id = str(UUID(int=portal.sim.random.getrandbits(128), version=4))
    headers = {"X-HubSpot-Correlation-Id": correlation_id, **rejection.headers, **fault.args.get("headers", {})}
    fault.args = {**fault.args, "body": {**rejection.body, "correlationId": correlation_id}, "headers": headers}


def _usual(portal: Portal, status: int) -> RequestRejected:
    match status:
        case 401:
            return rejected(401, "INVALID_AUTHENTICATION", TOO_FEW_CREDENTIALS)
        case 403:
            return missing_scopes([])
        case 404:
            return not_found()
        case 423:
            return locked()
        case 429:
            return burst_limit(portal.options.app_id)
        case 477:
            message = "This account is being migrated to another data center."
            return RequestRejected(477, {"status": "error", "message": message}, {"Retry-After": str(_MIGRATION_S)})
    words = "Service Unavailable" if status == 503 else "internal error"
    return RequestRejected(status, {"status": "error", "message": words})


def _limited(portal: Portal, args: Mapping[str, Any]) -> RequestRejected:
    app_id = portal.options.app_id
    shapes = {"burst": burst_limit(app_id), "search": secondly_limit(), "daily": daily_limit(f"{app_id}-limit")}
    rejection = shapes[args.get("which", "burst")]
    if "retry_after" in args:
        rejection.headers["Retry-After"] = str(args["retry_after"])
    return rejection


@dataclass(slots=True)
class WriteFault:
    """The effect of the fault that fired on a writing call, if any."""

    call: Call
    kind: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    fails_after: int | None = None
    """The number of records that are written before the call fails."""

    @classmethod
    def of(cls, call: Call) -> WriteFault:
        """The fault of this call; most calls have none."""
        fault = call.exchange.fault
        return cls(call, fault.kind, fault.args) if fault else cls(call)

    @property
    def races(self) -> bool:
        """Whether another client writes some of the records first."""
        return self.kind == "own_key_race"

    def before_write(self, call: Call, kind: Kind, items: Sequence[JsonObject]) -> None:
        """Apply the fault before any check. Raises `RequestRejected` 423 while the kind of object is locked."""
        if self.kind == "lock":
            call.portal.locks[kind.name] = call.at_ms + int(float(self.args.get("seconds", 2)) * 1000)
        if call.portal.locks.get(kind.name, 0) > call.at_ms:
            raise locked()
        if self.kind == "partial_apply":
            self.fails_after = int(self.args.get("n", len(items) // 2))
        if self.races:
            self._race(kind, items)

    def poison(self, names: tuple[str, ...], properties: Mapping[str, str]) -> None:
        """Raise `RecordRejected` for a record that the fault names."""
        if self.kind != "poison" or not {*names, *properties.values()} & {str(i) for i in self.args.get("ids", [])}:
            return
        field_name, value = next(iter(properties.items()))
        message = f"{value} was not one of the allowed options: []"
        violation = Violation(field_name, self.args.get("error", "INVALID_OPTION"), message)
        raise RecordRejected("VALIDATION_ERROR", violations=(violation,))

    def before_record(self, number: int) -> None:
        """Fail when record ``number`` is the first that must not be written."""
        if self.fails_after is not None and number >= self.fails_after:
            self._fail()

    def after_records(self, count: int) -> None:
        """Fail a call of no more records than the fault lets through."""
        if self.fails_after is not None and count <= self.fails_after:
            self._fail()

    def lose_results(self, results: list[JsonObject]) -> list[JsonObject]:
        """The results that the answer shows."""
        n = int(self.args.get("n", 1))
        if self.kind == "drop_result":
            return results[n:]
        return results + results[:n] if self.kind == "dup_result" else results

    def unfinish(self, body: JsonObject) -> JsonObject:
        """The body of an answer; without results for the fault ``unfinished``."""
        if self.kind != "unfinished":
            return body
        return {**body, "status": str(self.args.get("status", "PENDING")), "results": []}

    def _fail(self) -> None:
        if self.args.get("drop"):
            raise self.call.exchange.drop()
        raise RequestRejected(
            int(self.args.get("status", 504)), {"status": "error", "message": "The request timed out."}
        )

    def _race(self, kind: Kind, items: Sequence[JsonObject]) -> None:
        portal, name = self.call.portal, self.args.get("property", "")
        raced = [item for item in items if name in item.get("properties", {}) or item.get("idProperty") == name]
        for item in raced[: int(self.args.get("n", 1))]:
            properties = {name: str(item.get("id", "")), **item.get("properties", {})}
            write = check_write(portal, kind, None, properties, self.call.version)
            check_unique(portal, write)
            apply(portal, write, self.call.at_ms, _OTHER_CLIENT)
