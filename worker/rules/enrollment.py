"""The state of one account in one playbook, stored from run to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from worker.language.values import Value, as_utc, value_from_json, value_to_json

Phase = Literal["out", "pending", "queued", "in"]
"""``pending`` waits for the end of ``for`` or of ``repeat.wait``, ``queued`` for room under the limits."""

Variant = Literal["", "treated", "holdout", "baseline"]
"""``baseline``: matched before the playbook went live; it counts as inside and gets no action."""

Event = Literal[
    "already_matching",  # matched before the playbook went live
    "matched",  # meets the conditions to enter
    "entered",
    "holdout",  # entered without actions, for comparison
    "queued",  # no room under the limits
    "expired",  # queued for too long
    "dropped",  # stopped matching while queued
    "stepped",  # a later step was taken
    "stopped",  # the steps were edited so that this account cannot go on
    "already_open",  # a task was not created because the last one is still open
    "goal",
    "left",
]
"""The events of an account in a run."""

Json: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrollment:
    """One account in one playbook. ``entry`` counts the entries so far; times are aware UTC.

    ``can_retrigger``: ``enters`` was false since the last entry, so the account may enter when it becomes true.
    ``matched_s``: seconds for which ``enters`` was true without a break; times of unknown do not count.
    ``runs_true``: days with such a run, the newest at ``counted_at``. ``awaits_baseline``: its condition was unknown
    when the playbook went live; if it is true once it is known, the account is of the baseline.
    ``matched``: why it entered, for the texts of later steps. ``task_day`` (``YYYY-MM-DD``): the UTC day of the entry,
    part of the keys of its tasks; empty for an entry that began before keys had a day.
    ``step``: the next instruction, due at ``next_step_at``; -1 when all steps are done. ``step_key`` names the step
    at which it waits, or stopped because the step is gone; ``step_after`` the step before (`StepName`); ``taken`` are
    the keys of the steps of this entry that it has been through.
    """

    phase: Phase = "out"
    live: bool = True
    can_retrigger: bool = True
    last_as_of: datetime | None = None
    last_truth: bool | None = None
    pending_since: datetime | None = None
    matched_s: int = 0
    runs_true: int = 0
    counted_at: datetime | None = None
    awaits_baseline: bool = False
    queued_since: datetime | None = None
    entry: int = 0
    entries: tuple[datetime, ...] = ()
    entered_at: datetime | None = None
    left_at: datetime | None = None
    variant: Variant = ""
    step: int = -1
    step_key: str = ""
    step_after: str = ""
    taken: tuple[str, ...] = ()
    next_step_at: datetime | None = None
    goal_at: datetime | None = None
    fields_set: Mapping[str, Value] = field(default_factory=dict)
    config_hash: str = ""
    matched: str = ""
    task_day: str = ""
    last_events: tuple[Event, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The state as JSON: only what differs from a new enrollment, under the names that 0.1.0 reads."""
        shown: dict[str, Any] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value != getattr(_NEW, entry.name) or type(value) is not type(getattr(_NEW, entry.name)):
                shown[_STORED_NAMES.get(entry.name, entry.name)] = _to_json(entry.name, value)
        return shown

    @classmethod
    def from_json(cls, shown: Json) -> Enrollment:
        """The enrollment that `to_json` wrote; names of a later version are left out."""
        stored = {_STORED_NAMES.get(entry.name, entry.name): entry.name for entry in fields(cls)}
        return cls(**{stored[name]: _from_json(stored[name], value) for name, value in shown.items() if name in stored})


Enrollments = Mapping[str, Mapping[str, Enrollment]]
"""By playbook and account."""
_NEW = Enrollment()
# The stored words are those of 0.1.0, because workers of that version go on beside this one and read the same rows.
_STORED_NAMES = {"variant": "arm", "can_retrigger": "armed", "matched_s": "held_s"}
_STORED_WORDS = {"holdout": "held_out", "baseline": "noted"}
_WORDS = {stored: word for word, stored in _STORED_WORDS.items()}
_TIMES = frozenset(
    {"last_as_of", "pending_since", "counted_at", "queued_since", "entered_at", "left_at", "next_step_at", "goal_at"}
)


def _to_json(name: str, value: Any) -> Any:
    if name == "variant":
        return _STORED_WORDS.get(value, value)
    if name == "last_events":
        return [_STORED_WORDS.get(event, event) for event in value]
    if isinstance(value, Mapping):
        return {field_name: value_to_json(one) for field_name, one in value.items()}
    if isinstance(value, tuple):
        return [_time_to_json(one) if isinstance(one, datetime) else one for one in value]
    return _time_to_json(value) if isinstance(value, datetime) else value


def _from_json(name: str, value: Any) -> Any:
    if name == "fields_set":
        return {field_name: value_from_json(one) for field_name, one in value.items()}
    if name == "entries":
        return tuple(_time_from_json(one) for one in value)
    if name == "taken":
        return tuple(value)
    if name == "last_events":
        return tuple(_WORDS.get(event, event) for event in value)
    if name == "variant":
        return _WORDS.get(value, value)
    return _time_from_json(value) if name in _TIMES and value is not None else value


def _time_to_json(moment: datetime) -> str:
    return as_utc(moment).isoformat()


def _time_from_json(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
