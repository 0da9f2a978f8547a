"""Runs the sandbox CRMs: both in one process, on two ports of 127.0.0.1, until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import secrets
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from starlette.types import ASGIApp

from connectors.sandbox.core.control import ControlError
from connectors.sandbox.core.persistence import Changes, ChangeTracker, Row, StateFile
from connectors.sandbox.core.server import HttpServer
from connectors.sandbox.core.sim import Sim

_RANDOM_SEED = 1
"""The same seed file and requests give the same answers."""

Addresses = dict[str, dict[str, str]]
"""``{"salesforce": {"url", "client_id", "client_secret", ...}, "hubspot": {"url", "token"}}``"""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials that the sandboxes accept. ``salesforce_public_key`` (PEM) turns the JWT bearer flow on."""

    salesforce_client_id: str
    salesforce_client_secret: str
    hubspot_token: str
    salesforce_username: str = "integration@sandbox.example.com"
    salesforce_public_key: str | None = None

    @classmethod
    def of_seed(cls, given: Mapping[str, Any]) -> Credentials:
        """The credentials of a seed, and new ones for those it leaves out. Raises `ControlError`."""
        known = cls.generate()
        for name, value in given.items():
            if name not in asdict(known):
                raise ControlError(f"credentials have {', '.join(asdict(known))}, not {name}")
            if not isinstance(value, str) and (name, value) != ("salesforce_public_key", None):
                raise ControlError(f"{name} of the credentials is not text")
        return replace(known, **given)

    @classmethod
    def generate(cls) -> Credentials:
        """New random credentials."""
        return cls(
            salesforce_client_id=f"3MVG9sandbox.{secrets.token_hex(16)}",
            salesforce_client_secret=secrets.token_hex(24),
            hubspot_token=f"pat-eu1-{secrets.token_hex(16)}",
        )


def _no_callback(_: Addresses) -> None:
    """The default ``on_ready``."""


def serve(
    salesforce_port: int | None = 0,
    hubspot_port: int | None = 0,
    seed: Mapping[str, Any] | None = None,
    on_ready: Callable[[Addresses], None] = _no_callback,
    *,
    credentials: Credentials | None = None,
    keep: Path | None = None,
    state: Path | None = None,
) -> None:
    """Run until SIGTERM or SIGINT; returns within a second of either.

    Port 0 picks a free port, None leaves that CRM out. ``seed`` is the seed file's content: ``{"salesforce":
    {...}, "hubspot": {...}, "credentials": {...}}``; it is loaded whole, or `ControlError` is raised. Its
    credentials (the names of `Credentials`) are accepted unless ``credentials`` are given. ``on_ready`` is
    called once both accept connections. Raises OSError when a port is taken.

    ``keep``: on the signal, write a seed with the current state of both CRMs and the credentials to that file,
    readable by its owner only; the next start continues from it. A CRM that does not run keeps its part of
    ``seed``. Not written: sessions, faults, log, counters, quotas and credentials changed while running.

    ``state``: an SQLite file that stores every change of both CRMs (`core.persistence`), so that a kill loses nothing.
    Its content takes precedence over ``seed`` and its credentials; a reset restores the state of the last start.
    """
    seed = seed or {}
    file = StateFile(state) if state else None
    chosen = _credentials(file, credentials, seed)
    crms = _open(salesforce_port, hubspot_port, seed, chosen, file)
    gc.collect()
    gc.freeze()  # the seeded records stay for the whole run; garbage collection would scan them again and again
    asyncio.run(_run(crms, on_ready, asyncio.Event()))
    if file:
        file.close()
    if keep is not None:
        now = {crm.name: crm.as_seed() for crm in crms}
        _replace(keep, json.dumps({**seed, **now, "credentials": asdict(chosen)}))


@contextlib.contextmanager
def running(
    seed: Mapping[str, Any] | None = None,
    *,
    salesforce_port: int | None = 0,
    hubspot_port: int | None = 0,
    credentials: Credentials | None = None,
    state: Path | None = None,
) -> Iterator[Addresses]:
    """Run the sandboxes in a thread of this process inside a ``with`` block; arguments as for `serve`."""
    seed = seed or {}
    file = StateFile(state) if state else None
    chosen = _credentials(file, credentials, seed)
    crms = _open(salesforce_port, hubspot_port, seed, chosen, file)
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
        if file:
            file.close()


@dataclass(frozen=True, slots=True)
class _Crm:
    name: str
    port: int
    sim: Sim
    app: ASGIApp
    accepts: dict[str, str]
    as_seed: Callable[[], dict[str, Any]]


def _credentials(file: StateFile | None, given: Credentials | None, seed: Mapping[str, Any]) -> Credentials:
    """The credentials of the state file, else ``given``, else those of the seed; then stored in the state file."""
    held = file.rows("credentials") if file else []
    if held:
        return Credentials(**held[0].value)
    chosen = given or Credentials.of_seed(seed.get("credentials", {}))
    if file:
        file.write("credentials", Changes([Row("all", "", asdict(chosen))]))
    return chosen


def _open(
    salesforce_port: int | None,
    hubspot_port: int | None,
    seed: Mapping[str, Any],
    chosen: Credentials,
    file: StateFile | None,
) -> list[_Crm]:
    if unknown := set(seed) - {"salesforce", "hubspot", "credentials"}:
        raise ControlError(f"a seed has salesforce, hubspot and credentials, not {', '.join(sorted(unknown))}")
    crms: list[_Crm] = []
    if salesforce_port is not None:
        crms.append(_salesforce(salesforce_port, seed.get("salesforce", {}), chosen, file))
    if hubspot_port is not None:
        crms.append(_hubspot(hubspot_port, seed.get("hubspot", {}), chosen, file))
    return crms


def _salesforce(port: int, seed: Mapping[str, Any], chosen: Credentials, file: StateFile | None) -> _Crm:
    from connectors.sandbox.salesforce import persistence
    from connectors.sandbox.salesforce.app import open_org, salesforce_app
    from connectors.sandbox.salesforce.seed import as_seed

    accepts = {
        "client_id": chosen.salesforce_client_id,
        "client_secret": chosen.salesforce_client_secret,
        "username": chosen.salesforce_username,
    }
    held = file.rows("salesforce") if file else []
    start = persistence.seed_of(held) or seed
    org = open_org(start, random_seed=_RANDOM_SEED, public_key=chosen.salesforce_public_key, **accepts)
    persistence.resume(org, held)
    _persist_changes(file, "salesforce", org.sim, persistence.OrgChangeTracker(org))
    return _Crm("salesforce", port, org.sim, salesforce_app(org), accepts, partial(as_seed, org))


def _hubspot(port: int, seed: Mapping[str, Any], chosen: Credentials, file: StateFile | None) -> _Crm:
    from connectors.sandbox.hubspot import persistence
    from connectors.sandbox.hubspot.app import hubspot_app, open_portal
    from connectors.sandbox.hubspot.seed import as_seed

    held = file.rows("hubspot") if file else []
    start = persistence.seed_of(held) or dict(seed)
    portal = open_portal(start, random_seed=_RANDOM_SEED, token=chosen.hubspot_token)
    persistence.resume(portal, held)
    _persist_changes(file, "hubspot", portal.sim, persistence.PortalChangeTracker(portal))
    accepts = {"token": chosen.hubspot_token}
    return _Crm("hubspot", port, portal.sim, hubspot_app(portal), accepts, partial(as_seed, portal))


def _persist_changes(file: StateFile | None, crm: str, sim: Sim, tracker: ChangeTracker) -> None:
    if file:
        sim.persist = lambda: file.write(crm, tracker.changes())
        sim.persist()


def _replace(file: Path, text: str) -> None:
    """Write a file whole or not at all; mkstemp makes it readable by its owner only."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    made = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        made.replace(file)
    except BaseException:
        made.unlink()
        raise


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
