"""A CRM of one counter, served for real, to see what the core does to requests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandbox.core.control import ControlError, JsonObject, control_routes
from connectors.sandbox.core.exchange import exchange_of
from connectors.sandbox.core.middleware import Middleware
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

    def post(self, text: str) -> requests.Response:
        return self.http.post(f"{self.url}/apply", data=text, timeout=10)

    def arm(self, **fault: object) -> None:
        self.http.post(f"{self.url}/__sim/faults", json=fault, timeout=10).raise_for_status()

    def held(self) -> int:
        """How many requests wait until the faults are cleared."""
        armed = requests.get(f"{self.url}/__sim/faults", timeout=10).json()["faults"]
        return sum(fault["held"] for fault in armed)

    def disarm(self) -> None:
        requests.post(f"{self.url}/__sim/faults", json={"clear": True}, timeout=10).raise_for_status()

    def log(self, **query: str) -> JsonObject:
        answer: JsonObject = self.http.get(f"{self.url}/__sim/log", params=query, timeout=10).json()
        return answer


@pytest.fixture
def served() -> Iterator[Served]:
    crm = Counter()
    app = Starlette(routes=[*control_routes(crm), Route("/apply", crm.apply, methods=["POST"])])
    loop, up, stopping = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    server = HttpServer(Middleware(app, crm.sim, faults_first=True), 0)

    async def run() -> None:
        await server.start()
        up.set()
        await stopping.wait()
        crm.sim.stopping.set()
        await server.stop()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    up.wait()
    with requests.Session() as http:
        yield Served(server.url, crm, http, server)
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
    loop.close()
