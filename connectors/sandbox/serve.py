"""Runs the sandbox CRMs: both in one process, on two ports of 127.0.0.1, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from starlette.types import ASGIApp

from connectors.sandbox.core.control import ControlError
from connectors.sandbox.core.server import HttpServer
from connectors.sandbox.core.sim import Sim

Addresses = dict[str, dict[str, str]]
"""``{"salesforce": {"url", "client_id", "client_secret", ...}, "hubspot": {"url", "token"}}``"""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the sandboxes accept. ``salesforce_public_key`` (PEM) turns the JWT bearer flow on."""

    salesforce_client_id: str
    salesforce_client_secret: str
    hubspot_token: str
    salesforce_username: str = "integration@sandbox.example.com"
    salesforce_public_key: str | None = None

    @classmethod
    def generate(cls) -> Credentials:
        """Fresh random credentials."""
        return cls(
            salesforce_client_id=f"3MVG9sandbox.{secrets.token_hex(16)}",
            salesforce_client_secret=secrets.token_hex(24),
            hubspot_token=f"pat-eu1-{secrets.token_hex(16)}",
        )


def _ignore(_: Addresses) -> None:
    """Nobody waits to hear that the sandboxes are up."""


def serve(
    salesforce_port: int | None = 0,
    hubspot_port: int | None = 0,
    seed: Mapping[str, Any] | None = None,
    on_ready: Callable[[Addresses], None] = _ignore,
    *,
    credentials: Credentials | None = None,
    random_seed: int = 1,
) -> None:
    """Run until SIGTERM or SIGINT; returns within a second of either.

    Port 0 picks a free port, None leaves that CRM out. ``seed`` is the seed file's content: ``{"salesforce":
    {...}, "hubspot": {...}}``; it is loaded whole or refused with `ControlError`. ``on_ready`` is called
    once both accept connections. Raises OSError when a port is taken.
    """
    crms = _open(salesforce_port, hubspot_port, seed or {}, credentials or Credentials.generate(), random_seed)
    asyncio.run(_run(crms, on_ready, asyncio.Event()))


@contextlib.contextmanager
def running(
    seed: Mapping[str, Any] | None = None,
    *,
    salesforce_port: int | None = 0,
    hubspot_port: int | None = 0,
    credentials: Credentials | None = None,
    random_seed: int = 1,
) -> Iterator[Addresses]:
    """The sandboxes in a thread of this process for the length of a ``with``; arguments as for `serve`."""
    crms = _open(salesforce_port, hubspot_port, seed or {}, credentials or Credentials.generate(), random_seed)
    stopping, known = asyncio.Event(), SimpleQueue[tuple[asyncio.AbstractEventLoop, Addresses] | BaseException]()

    def run() -> None:
        try:
            asyncio.run(_run(crms, lambda addresses: known.put((asyncio.get_running_loop(), addresses)), stopping))
        except OSError as taken:
            known.put(taken)

    thread = threading.Thread(target=run, name="sandbox", daemon=True)
    thread.start()
    answer = known.get()
    if isinstance(answer, BaseException):
        raise answer
    loop, addresses = answer
    try:
        yield addresses
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()


@dataclass(frozen=True, slots=True)
class _Crm:
    name: str
    port: int
    sim: Sim
    app: ASGIApp
    accepts: dict[str, str]


def _open(
    salesforce_port: int | None,
    hubspot_port: int | None,
    seed: Mapping[str, Any],
    chosen: Credentials,
    random_seed: int,
) -> list[_Crm]:
    if unknown := set(seed) - {"salesforce", "hubspot"}:
        raise ControlError(f"a seed has salesforce and hubspot, not {', '.join(sorted(unknown))}")
    crms: list[_Crm] = []
    if salesforce_port is not None:
        from connectors.sandbox.salesforce.app import open_org, salesforce_app

        accepts = {
            "client_id": chosen.salesforce_client_id,
            "client_secret": chosen.salesforce_client_secret,
            "username": chosen.salesforce_username,
        }
        org = open_org(
            seed.get("salesforce", {}), random_seed=random_seed, public_key=chosen.salesforce_public_key, **accepts
        )
        crms.append(_Crm("salesforce", salesforce_port, org.sim, salesforce_app(org), accepts))
    if hubspot_port is not None:
        from connectors.sandbox.hubspot.app import hubspot_app, open_portal

        portal = open_portal(seed.get("hubspot", {}), random_seed=random_seed, token=chosen.hubspot_token)
        crms.append(_Crm("hubspot", hubspot_port, portal.sim, hubspot_app(portal), {"token": chosen.hubspot_token}))
    return crms


async def _run(crms: list[_Crm], on_ready: Callable[[Addresses], None], stopping: asyncio.Event) -> None:
    servers: list[HttpServer] = []
    try:
        with _signals(stopping):
            for crm in crms:
                servers.append(HttpServer(crm.app, crm.port))
                await servers[-1].start()
            on_ready({crm.name: {"url": server.url, **crm.accepts} for crm, server in zip(crms, servers, strict=True)})
            await stopping.wait()
    finally:
        for crm in crms:
            crm.sim.stopping.set()
        await asyncio.gather(*(server.stop() for server in servers))


@contextlib.contextmanager
def _signals(stopping: asyncio.Event) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
