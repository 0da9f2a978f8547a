"""Simulated durations of calls, and the row locks of a write during that time.

The base durations are assumed, not measured; all are multiplied by the option ``time_scale`` (0: no waiting
and no locks).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterable

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.api import Call
from connectors.sandbox.salesforce.org import Org

_READ_MS, _QUERY_MS, _DESCRIBE_MS = 30.0, 40.0, 90.0
_WRITE_MS, _RECORD_MS = 60.0, 4.0
_SIGMA = 0.4
_MENTIONED = re.compile(rb'"(?:[Ii]d|WhatId|WhoId|AccountId)"\s*:\s*"([A-Za-z0-9]{15}(?:[A-Z0-5]{3})?)"')


@contextlib.asynccontextmanager
async def simulated_duration(org: Org, call: Call) -> AsyncIterator[frozenset[str]]:
    """Wait for the duration of a call with its records locked; yields the ids that another call still locks."""
    scale = org.options.time_scale
    if scale <= 0:
        yield frozenset()
        return
    seconds = _duration_ms(org, call) * scale / 1000
    if call.method == "GET":
        await asyncio.sleep(seconds)
        yield frozenset()
        return
    wanted = frozenset(_mentioned(call))
    busy = await _wait_for(org, wanted, org.options.lock_wait * scale)
    mine = wanted - busy
    org.locked |= mine
    try:
        await asyncio.sleep(seconds)
        yield busy
    finally:
        org.locked -= mine
        async with org.unlocked:
            org.unlocked.notify_all()


async def _wait_for(org: Org, wanted: frozenset[str], seconds: float) -> frozenset[str]:
    async with org.unlocked:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await org.unlocked.wait_for(lambda: not (org.locked & wanted))
    return frozenset(org.locked & wanted)


def _mentioned(call: Call) -> Iterable[str]:
    given = [found.decode() for found in _MENTIONED.findall(call.raw)]
    given += call.path.split("/")[-1:] + call.query.get("ids", "").split(",")
    known = [one for one in map(ids.canonical, given) if one]
    people = [record for one in known if one.startswith("003") and (record := call.org.record(one))]
    return [*known, *(person["AccountId"] for person in people if person.get("AccountId"))]


def _duration_ms(org: Org, call: Call) -> float:
    if call.method == "GET":
        base = _DESCRIBE_MS if call.path.endswith("/describe") else _QUERY_MS if "/query" in call.path else _READ_MS
    else:
        base = _WRITE_MS + _RECORD_MS * max(1, call.raw.count(b'"attributes"')) + org.options.trigger_ms
    return base * org.sim.random.lognormvariate(0, _SIGMA) if org.options.jitter else base
