"""The decisions of one playbook in one run, collected as they are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from worker.rules.actions import Action, MakeTask
from worker.rules.context import Decision, PlaybookRun
from worker.rules.enrollment import Enrollment, Event
from worker.rules.placement import Placement

NEW = Enrollment()
"""The enrollment of an account that the playbook has never seen."""

_PREVIEWED = Enrollment(live=False)


class DecisionLog:
    """The decisions on all accounts as of one moment. ``before`` are the enrollments before this run."""

    def __init__(self, playbook_id: str, before: Mapping[str, Enrollment], as_of: datetime, *, live: bool) -> None:
        self._playbook_id, self._before, self._as_of, self._live = playbook_id, before, as_of, live
        self._after: dict[str, Enrollment] = {}
        self._decisions: list[Decision] = []
        self._events: dict[str, list[Event]] = {}
        self._blocked: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._placements: list[Placement] = []

    def record(self, account_id: str, event: Event, because: str, actions: tuple[Action, ...] = ()) -> None:
        """Record an event of an account. A preview takes no actions: it counts the tasks among them."""
        self.count_event(account_id, event)
        if not self._live:
            self._counts["preview"] += sum(1 for action in actions if isinstance(action, MakeTask))
        taken = actions if self._live else ()
        self._decisions.append(Decision(self._playbook_id, account_id, event, because, taken))

    def count_event(self, account_id: str, event: Event) -> None:
        """Count an event that is not a decision of its own."""
        self._events.setdefault(account_id, []).append(event)

    def block(self, names: Collection[str]) -> None:
        """Count an account that cannot be decided on because ``names`` are unknown."""
        self._counts["blocked_missing"] += 1
        self._blocked.update(names)

    def place(self, placement: Placement) -> None:
        """Record where an account goes on after an edit of the playbook."""
        self._placements.append(placement)

    def too_soon(self) -> None:
        """Count an account that matches again before it may enter again."""
        self._counts["repeat"] += 1

    def set_enrollment(self, account_id: str, enrollment: Enrollment) -> None:
        """Set the enrollment of an account after this run."""
        self._after[account_id] = enrollment

    def result(self, accounts: Iterable[str], paused: str | None) -> PlaybookRun:
        """All decisions on these accounts, with the enrollments to store."""
        changed: dict[str, Enrollment] = {}
        for account_id, enrollment in self._after.items():
            before = self._before.get(account_id, NEW)
            events = tuple(self._events.get(account_id, ()))
            if enrollment != before or events:
                kept = before.last_events if before.last_as_of == self._as_of else ()
                now = replace(enrollment, last_events=(*kept, *events), last_as_of=self._as_of)
                changed[account_id] = now if self._live else _without_effects(now)
        self._count(accounts, changed, paused)
        stored = {a: m for a, m in changed.items() if self._live or not self._before.get(a, _PREVIEWED).live}
        return PlaybookRun(
            decisions=tuple(self._decisions),
            enrollments=stored,
            counts=dict(self._counts),
            blocked=dict(self._blocked),
            paused=paused,
            placements=tuple(self._placements),
        )

    def _count(self, accounts: Iterable[str], changed: Mapping[str, Enrollment], paused: str | None) -> None:
        counts = self._counts
        for account_id in changed.keys() | accounts:
            enrollment = changed.get(account_id) or self._before.get(account_id)
            if enrollment is None:
                continue
            if enrollment.last_as_of == self._as_of:
                counts.update(event for event in enrollment.last_events if event != "queued")
            if enrollment.phase != "out":
                counts["inside" if enrollment.phase == "in" else enrollment.phase] += 1
        counts["pending"] -= counts["repeat"]
        counts["live"] = int(self._live)
        counts["paused"] = int(paused is not None)


def _without_effects(enrollment: Enrollment) -> Enrollment:
    """The enrollment that a preview stores: its phase, but nothing that would be sent."""
    return replace(enrollment, live=False, fields_set={})
