"""A sandbox CRM that only counts what it applies, and a client of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import requests
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.sandbox.core.control import ControlError, JsonObject
from connectors.sandbox.core.exchange import exchange_of
from connectors.sandbox.core.server import HttpServer
from connectors.sandbox.core.sim import Sim


class Counter:
    """Counts what was applied."""

    def __init__(self) -> None:
        self.sim = Sim(seed=7, kinds=frozenset({"own_kind"}))
        self.applied: list[str] = []

    def state(self, object: str | None) -> JsonObject:
        return {"objects": {"applied": self.applied} if object in (None, "applied") else {}}

    def mutate(self, action: JsonObject) -> JsonObject:
        if "add" not in action:
            raise ControlError("nothing to add")
        self.applied.append(action["add"])
        return {"count": len(self.applied)}

    def load(self, seed: JsonObject) -> None:
        self.applied = list(seed["applied"])

    def restore(self) -> None:
        self.applied = []

    def configure(self, options: JsonObject) -> JsonObject:
        return options

    async def apply(self, request: Request) -> Response:
        exchange = exchange_of(request)
        exchange.records = 1
        self.applied.append((await request.body()).decode())
        return JSONResponse({"count": len(self.applied), "own": exchange.kind(), "padding": "x" * 2000})


@dataclass
class Served:
    url: str
    crm: Counter
    http: requests.Session
    server: HttpServer
    loop: asyncio.AbstractEventLoop

    def post(self, text: str) -> requests.Response:
        return self.http.post(f"{self.url}/apply", data=text, timeout=10)

    def arm(self, **fault: object) -> None:
        self.http.post(f"{self.url}/__sim/faults", json=fault, timeout=10).raise_for_status()

    def held(self) -> int:
        """How many requests wait until the faults are cleared."""
        armed = requests.get(f"{self.url}/__sim/faults", timeout=10).json()["faults"]
        return sum(fault["waiting"] for fault in armed)

    def disarm(self) -> None:
        requests.post(f"{self.url}/__sim/faults", json={"clear": True}, timeout=10).raise_for_status()

    def log(self, **query: str) -> JsonObject:
        answer: JsonObject = self.http.get(f"{self.url}/__sim/log", params=query, timeout=10).json()
        return answer
