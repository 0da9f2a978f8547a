"""The control API below ``/__sim``: tests arm faults, act as users, move the clock, read state and log.

| request | body or query | answer |
|---|---|---|
| ``GET /__sim/state`` | ``?object=Task`` | all current records, or one kind; counters |
| ``GET /__sim/log`` | ``?method=&path=REGEX&since=NUMBER&limit=&bodies=1`` | ``{"total", "matched", "entries"}`` |
| ``GET /__sim/faults`` | | every armed fault with how often it fired |
| ``POST /__sim/faults`` | one fault, a list, or ``{"clear": true}`` | the armed faults (`core.faults`) |
| ``POST /__sim/mutate`` | one UI action or a list, applied in order | one answer each |
| ``POST /__sim/clock`` | ``{"advance_s": 60}``, ``{"freeze": true | TIME}``, ``{"run": true}`` | now, manual |
| ``POST /__sim/reset`` | ``{}`` or ``{"only": ["log", "faults"]}`` | restores the start; or clears log, faults |
| ``POST /__sim/seed`` | a seed, as in the seed file | loads it, all or nothing |
| ``POST /__sim/config`` | options of this CRM | the options as they stand now |

An invalid request is answered 400 ``{"error": "..."}``. No request to this API counts as a call.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandbox.core.faults import InvalidFault
from connectors.sandbox.core.sim import Sim

JsonObject = dict[str, Any]


class ControlError(ValueError):
    """An invalid control request, seed or option; the message says why."""


class Controlled(Protocol):
    """What the control API needs of one sandbox CRM."""

    sim: Sim

    def state(self, object: str | None) -> JsonObject:
        """``{"objects": {kind: [records]}, ...}``, all kinds or only one. Raises `ControlError`."""

    def mutate(self, action: JsonObject) -> JsonObject:
        """Carry out one action of a user in the CRM's own pages. Raises `ControlError`."""

    def load(self, seed: JsonObject) -> None:
        """Add the records of a seed, all or none. Raises `ControlError`."""

    def restore(self) -> None:
        """Restore records and settings to the state at the start."""

    def configure(self, options: JsonObject) -> JsonObject:
        """Change options; returns all of them. Raises `ControlError`."""


def control_routes(crm: Controlled) -> list[Route]:
    """The routes of the control API for one sandbox CRM."""
    control = _Control(crm)
    return [
        Route("/__sim/state", _answering(control.state), methods=["GET"]),
        Route("/__sim/log", _answering(control.log), methods=["GET"]),
        Route("/__sim/faults", _answering(control.faults), methods=["GET", "POST"]),
        Route("/__sim/mutate", _answering(control.mutate), methods=["POST"]),
        Route("/__sim/clock", _answering(control.clock), methods=["GET", "POST"]),
        Route("/__sim/reset", _answering(control.reset), methods=["POST"]),
        Route("/__sim/seed", _answering(control.seed), methods=["POST"]),
        Route("/__sim/config", _answering(control.config), methods=["GET", "POST"]),
    ]


class _Control:
    def __init__(self, crm: Controlled) -> None:
        self._crm = crm
        self._sim = crm.sim

    def state(self, query: QueryParams, _body: Any) -> Any:
        shown = self._crm.state(query.get("object"))
        return {**shown, "counters": dict(self._sim.counters), "now": self._sim.clock.now().isoformat()}

    def log(self, query: QueryParams, _body: Any) -> Any:
        found = list(self._sim.log.find(query.get("method"), query.get("path"), int(query.get("since", 0))))
        shown = found[-int(query["limit"]) :] if "limit" in query else found
        entries = [entry.to_json(with_body=query.get("bodies") == "1") for entry in shown]
        return {"total": self._sim.log.total, "matched": len(found), "entries": entries}

    def faults(self, _query: QueryParams, body: Any) -> Any:
        if isinstance(body, dict) and body.get("clear"):
            self._sim.faults.disarm()
        elif body:
            for described in body if isinstance(body, list) else [body]:
                self._sim.faults.add(described)
        return {"faults": self._sim.faults.to_json()}

    def mutate(self, _query: QueryParams, body: Any) -> Any:
        if isinstance(body, list):
            return [self._crm.mutate(action) for action in body]
        return self._crm.mutate(body)

    def clock(self, _query: QueryParams, body: Any) -> Any:
        clock = self._sim.clock
        if body.get("run"):
            clock.run()
        if freeze := body.get("freeze"):
            clock.freeze(None if freeze is True else _moment(freeze))
        clock.advance(float(body.get("advance_s", 0)))
        return {"now": clock.now().isoformat(), "manual": clock.manual}

    def reset(self, _query: QueryParams, body: Any) -> Any:
        only = set(body.get("only", ["all"]))
        if unknown := only - {"all", "log", "faults"}:
            raise ControlError(f"reset knows log and faults, not {', '.join(sorted(unknown))}")
        if "log" in only:
            self._sim.log.clear()
        if "faults" in only:
            self._sim.faults.disarm()
        if "all" in only:
            self._sim.rewind()
            self._crm.restore()
        return {"reset": sorted(only)}

    def seed(self, _query: QueryParams, body: Any) -> Any:
        self._crm.load(body)
        return {"loaded": True}

    def config(self, _query: QueryParams, body: Any) -> Any:
        return self._crm.configure(body)


def _answering(handle: Callable[[QueryParams, Any], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        try:
            body = json.loads(raw) if raw else {}
            return JSONResponse(handle(request.query_params, body))
        except (InvalidFault, ControlError, ValueError, TypeError, KeyError, AttributeError) as problem:
            return JSONResponse({"error": f"{type(problem).__name__}: {problem}"}, 400)

    return endpoint


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ControlError("a time needs a zone, e.g. 2026-01-02T03:04:05Z")
    return moment
