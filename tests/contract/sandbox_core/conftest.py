"""A CRM of one counter, served for real, to see what the core does to requests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
import requests
from starlette.applications import Starlette
from starlette.routing import Route

from connectors.sandbox.core.control import control_routes
from connectors.sandbox.core.middleware import Middleware
from connectors.sandbox.core.server import HttpServer
from tests.contract.sandbox_core.counter_crm import Counter, Served


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
        yield Served(server.url, crm, http, server, loop)
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
    loop.close()
