"""What is configured of one CRM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.base.fields import Scalar

Secret = Callable[[], str]
"""Reads a credential from its source; called again after a 401, so rotation needs no restart."""


@dataclass(frozen=True, slots=True)
class MatchField:
    """One way to find the record of an account: CRM field ``field`` equals the account's ``account_field``."""

    field: str
    account_field: str
    kind: Literal["exact", "domain", "email"] = "exact"


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """How CRM tasks are made. ``key_field`` is the CRM's unique field that holds our idempotency key."""

    key_field: str
    due_hour: int = 9  # local hour of the due date where the CRM wants a time of day
    at_least_once: bool = False
    """The operator accepts in so many words that a task may be made twice where the CRM cannot hold a unique key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One configured CRM.

    ``auth`` holds plain settings and secrets by name, ``options`` what only this kind of CRM knows (how calls are
    packed, say); both as the connector documents them.
    """

    name: str
    kind: str
    base_url: str
    api_version: str
    auth: Mapping[str, str | Secret]
    object: str
    match_field: str
    fallbacks: tuple[MatchField, ...] = ()
    tasks: TaskSettings | None = None
    time_zone: str = "UTC"
    timeout_s: float = 30.0
    options: Mapping[str, Scalar] = field(default_factory=dict)
