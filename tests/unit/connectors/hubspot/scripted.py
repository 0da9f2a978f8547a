"""A HubSpot with scripted answers, and a clock that moves only by sleeping."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.base import Destination, TaskSettings
from connectors.hubspot.client import Client
from connectors.hubspot.transport import HttpResponse
from tests.conftest import SHARED

RECORDED = SHARED / "crm" / "recorded" / "hubspot"


@dataclass(frozen=True)
class Sent:
    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    token: str


Reply = HttpResponse | Exception | Callable[[Sent], HttpResponse]


@dataclass
class Wire:
    """Replies in order; the last one stays. Every request is kept in ``sent``."""

    replies: list[Reply]
    sent: list[Sent] = field(default_factory=list)

    def send(self, method: str, path: str, query: Mapping[str, str], body: Any, token: str) -> HttpResponse:
        self.sent.append(Sent(method, path, dict(query), body, token))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, HttpResponse) else reply(self.sent[-1])

    def login(self, path: str, form: Mapping[str, str]) -> HttpResponse:
        return self.send("POST", path, {}, dict(form), "")

    def close(self) -> None: ...


@dataclass
class Clock:
    """Seconds that pass only during `sleep`."""

    now: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def destination(**changes: Any) -> Destination:
    settings: dict[str, Any] = {
        "name": "hubspot",
        "kind": "hubspot",
        "base_url": "http://127.0.0.1:9",
        "api_version": "2026-03",
        "auth": {"method": "token", "token": lambda: "pat-one"},
        "object": "companies",
        "match_field": "plgsync_account_id",
        "tasks": TaskSettings("plgsync_key"),
        "time_zone": "Europe/Berlin",
    }
    return Destination(**settings | changes)


def client(*replies: Reply, clock: Clock | None = None, **changes: Any) -> tuple[Client, Wire]:
    wire, clock = Wire(list(replies)), clock or Clock()
    return Client(destination(**changes), wire, clock, clock.sleep), wire


def answer(status: int = 200, body: Any = None, **headers: str) -> HttpResponse:
    return HttpResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def done(*results: Mapping[str, Any], errors: list[Any] | None = None) -> HttpResponse:
    body: dict[str, Any] = {"status": "COMPLETE", "results": list(results)}
    return answer(207, body | {"numErrors": len(errors), "errors": errors}) if errors else answer(200, body)


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_text())
