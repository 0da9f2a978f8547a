"""The options of a portal, set by a seed or over ``POST /__sim/config``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from connectors.sandbox.core.options import BaseOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(BaseOptions):
    """The behaviour of this portal.

    ``plan_max`` calls per ten seconds, ``search_max`` searches per second, ``daily`` calls per day of ``time_zone``;
    ``search_lag`` seconds until search finds a write; ``echo_trace``: answers repeat ``objectWriteTraceId``;
    ``task_unique``: tasks accept unique properties; ``unique_ignored``: kinds of object that ignore the flag;
    ``retry_after``: 429 carries Retry-After in ``s`` or ``ms``;
    ``competing_rps``: calls per second that another app uses of the window; ``headers``: rate headers are sent;
    enforced on the 2026-09 paths only: ``required_on_create``: ``{"companies": ["industry"]}``, ``association_denied``:
    ``[["tasks", "companies"]]`` (in that direction or the other) and
    ``conditional_required``: ``{"deals": [{"when": {"dealstage": "closedlost"}, "require": ["closed_lost_reason"]}]}``;
    ``property_lag`` seconds until a new property can be read. Raises `ZoneInfoNotFoundError` for an unknown zone.
    """

    portal_id: int = 44237313
    app_id: str = "19083857"
    time_zone: str = "US/Eastern"
    plan_max: int = 100
    search_max: int = 5
    daily: int = 250_000
    search_lag: float = 3.0
    echo_trace: bool = False
    task_unique: bool = True
    unique_ignored: list[str] = field(default_factory=list)
    retry_after: str = ""
    competing_rps: int = 0
    headers: bool = True
    property_lag: float = 0.0
    required_on_create: dict[str, list[str]] = field(default_factory=dict)
    association_denied: list[list[str]] = field(default_factory=list)
    conditional_required: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ZoneInfo(self.time_zone)

    def may_associate(self, one: str, other: str) -> bool:
        """Whether the app's user may associate two kinds of object."""
        return not {(one, other), (other, one)} & {tuple(pair) for pair in self.association_denied}
