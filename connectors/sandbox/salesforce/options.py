"""The options of an org, set by a seed or over ``POST /__sim/config``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.core.options import BaseOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(BaseOptions):
    """Durations in seconds unless the name says ms; every simulated delay is multiplied by ``time_scale``.

    ``fls_granted``: whether a field created through the Tooling API is visible at once; in a real org it is
    not, until a permission set grants it. ``duplicate_rules``: ``{"object", "fields", "name"}``;
    ``validation_rules``: ``{"object", "when": SOQL condition, "message", "field"}``; ``flows``: ``{"object",
    "field", "value"}``: the org sets it on every save. ``page_size`` caps query pages.
    ``password`` opens the username-password flow, which is blocked without one. ``person_accounts`` turns
    them on permanently (`salesforce.person_accounts`). ``tracked_fields``: those with a history, by object
    (`salesforce.field_history`). ``hidden_objects``: those that no query of the integration user finds.
    """

    daily_api_requests: int = 115_000
    limit_jitter: bool = False
    session_ttl: float = 7200
    login_rate: int = 3600
    password: str = ""
    fls_granted: bool = False
    page_size: int = 2000
    time_scale: float = 0.0
    jitter: bool = False
    lock_wait: float = 10.0
    trigger_ms: float = 0.0
    bulk_queue_ms: float = 0.0
    bulk_ms_per_chunk: float = 0.0
    fail_after_rows: int | None = None
    person_accounts: bool = False
    duplicate_rules: list[dict[str, Any]] = field(default_factory=list)
    validation_rules: list[dict[str, Any]] = field(default_factory=list)
    flows: list[dict[str, Any]] = field(default_factory=list)
    tracked_fields: dict[str, list[str]] = field(default_factory=dict)
    hidden_objects: list[str] = field(default_factory=list)
