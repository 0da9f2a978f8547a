"""The options of a portal, set by a seed or over ``POST /__sim/config``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The behaviour of this portal.

    ``plan_max`` calls per ten seconds, ``search_max`` searches per second, ``daily`` calls per day of ``time_zone``;
    ``search_lag`` seconds until search finds a write; ``echo_trace``: answers repeat ``objectWriteTraceId``;
    ``task_unique``: tasks accept unique properties; ``unique_ignored``: kinds of object that ignore the flag;
    ``retry_after``: 429 carries Retry-After in ``s`` or ``ms``;
    ``competing_rps``: calls per second that another app uses of the window; ``headers``: rate headers are sent;
    enforced on the 2026-09 paths only: ``required_on_create``: ``{"companies": ["industry"]}``, ``association_denied``:
    ``[["tasks", "companies"]]`` (in that direction or the other) and
    ``conditional_required``: ``{"deals": [{"when": {"dealstage": "closedlost"}, "require": ["closed_lost_reason"]}]}``;
    ``property_lag`` seconds until a new property can be read.
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

    def changed(self, wanted: dict[str, Any]) -> Options:
        """These options with some replaced. Raises ValueError for an unknown name or a value of another type."""
        known = {option.name: getattr(self, option.name) for option in fields(self)}
        for name, value in wanted.items():
            if name not in known:
                raise ValueError(f"unknown option {name!r}; known: {', '.join(sorted(known))}")
            expected = (int, float) if isinstance(known[name], float) else type(known[name])
            if not isinstance(value, expected) or (isinstance(value, bool) and not isinstance(known[name], bool)):
                raise ValueError(f"{name} is like {known[name]!r}, not {value!r}")
        if "time_zone" in wanted:
            ZoneInfo(wanted["time_zone"])
        return replace(self, **wanted)

    def may_associate(self, one: str, other: str) -> bool:
        """Whether the app's user may associate two kinds of object."""
        return not {(one, other), (other, one)} & {tuple(pair) for pair in self.association_denied}

    def to_json(self) -> dict[str, Any]:
        """All options by name."""
        return asdict(self)
