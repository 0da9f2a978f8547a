"""Which conditions raise an alert. Pure: facts from the state database in, conditions out.

The text of a condition holds counts and names from the settings (destinations, schedules, playbooks). Of the data it
has one account id as an example at the most, never an address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from worker.language.plural import counted
from worker.settings.alerts import Thresholds

STALE = "stale_data"
GUARD = "guard_tripped"
FAILED = "run_failed"
DENIED = "access_denied"
REJECTED = "rejected"
DEAD = "dead_letters"
QUOTA = "quota_short"
UNREADABLE = "unreadable_data"
PAUSED = "playbook_paused"
KINDS: Mapping[str, str] = {
    FAILED: "a run failed",
    STALE: "stale data",
    GUARD: "the guard stopped a run",
    REJECTED: "many records rejected",
    DEAD: "dead letters",
    QUOTA: "quota short",
    UNREADABLE: "much of a column cannot be read",
    DENIED: "access denied",
    PAUSED: "a playbook paused itself",
}
"""Each kind of condition and its name in messages."""

_OF_ERROR = {"StaleData": STALE, "DistrustedData": STALE, "UnsafePlan": GUARD, "AccessDenied": DENIED}
_NOTABLE = 0.01
"""A smaller share of unreadable cells raises no alert."""
_NO_MESSAGE = {"SourceError": "the product data cannot be read; plgsync check says why"}
"""What is said of an error whose own message may hold values of the data."""
_RETRIED_LATER = frozenset({"Busy", "QuotaExhausted", "Unavailable"})
"""Errors after which the next job tries again; they need no person."""


@dataclass(frozen=True, slots=True)
class LastResult:
    """How one job ended last: ``kind`` is the name of the error, empty after success.

    ``recovered`` says that a run has been committed since.
    """

    name: str
    job: str
    kind: str = ""
    problem: str = ""
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class Answers:
    """How many operations one CRM applied and rejected within the last day."""

    applied: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Quota:
    """The API calls of the day as one CRM reported them last."""

    left: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The inputs of all conditions.

    ``waiting`` counts outbox rows by (destination, state). ``answers`` and ``quotas`` are by destination. ``paused``
    holds playbook ids.
    """

    job_results: tuple[LastResult, ...] = ()
    waiting: Mapping[tuple[str, str], int] = field(default_factory=dict)
    answers: Mapping[str, Answers] = field(default_factory=dict)
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    paused: frozenset[str] = frozenset()
    unreadable: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Table and column → the share of cells that the run before the last and the last run could not read."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now. ``subject`` names the schedule, destination or playbook it is about."""

    kind: str
    subject: str
    text: str

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.subject}"


def find_conditions(facts: Facts, thresholds: Thresholds) -> list[Condition]:
    """All conditions that hold now, one per kind and subject."""
    found = [*_of_job_results(facts), *_of_rows(facts, thresholds), *_of_answers(facts, thresholds)]
    found += [*_of_quotas(facts, thresholds), *_of_playbooks(facts), *_of_columns(facts)]
    return list({one.key: one for one in reversed(found)}.values())[::-1]


def _of_job_results(facts: Facts) -> Iterator[Condition]:
    for last in facts.job_results:
        if not last.kind or last.kind in _RETRIED_LATER or last.recovered:
            continue
        kind = _OF_ERROR.get(last.kind, DENIED if last.job == "crm" else FAILED)
        what = f"{last.name} could not be read" if last.job == "crm" else f"{last.name} ended early"
        why = last.problem or _NO_MESSAGE.get(last.kind) or f"{last.kind}; the log of the worker says where"
        yield Condition(kind, last.name, f"{what}: {why}")


def _of_rows(facts: Facts, thresholds: Thresholds) -> Iterator[Condition]:
    for (destination, state), count in sorted(facts.waiting.items()):
        if state == "dead" and count >= thresholds.dead_letters:
            text = f"{destination}: {count} dead in the outbox; look at them with plgsync outbox list --state dead"
            yield Condition(DEAD, destination, text)
        elif state == "denied":
            text = f"{destination} denies access; {_waiting(count)} until an admin allows what plgsync check names"
            yield Condition(DENIED, destination, text)
        elif state == "quota":
            text = f"{destination}: our share of the day's calls is spent; {_waiting(count)}"
            yield Condition(QUOTA, destination, text)


def _waiting(count: int) -> str:
    return counted(count, "row waits", "rows wait")


def _of_answers(facts: Facts, thresholds: Thresholds) -> Iterator[Condition]:
    for destination, answers in sorted(facts.answers.items()):
        total = answers.applied + answers.rejected
        if total >= thresholds.rejected_of_at_least and answers.rejected > thresholds.rejected_share * total:
            rejected = f"{destination} rejected {answers.rejected} of {counted(total, 'write')} within a day"
            text = f"{rejected}; plgsync outbox list --state parked shows why"
            yield Condition(REJECTED, destination, text)


def _of_quotas(facts: Facts, thresholds: Thresholds) -> Iterator[Condition]:
    for destination, quota in sorted(facts.quotas.items()):
        if quota.left < thresholds.quota_left * quota.limit:
            text = f"{destination}: {quota.left:,} of {counted(quota.limit, 'API call')} left for today"
            yield Condition(QUOTA, destination, text)


def _of_columns(facts: Facts) -> Iterator[Condition]:
    for column, (before, now) in sorted(facts.unreadable.items()):
        if now > _NOTABLE and now >= 2 * before:
            text = f"{column}: {now:.0%} of the cells cannot be read, {before:.0%} in the run before; plgsync check"
            yield Condition(UNREADABLE, column, text)


def _of_playbooks(facts: Facts) -> Iterable[Condition]:
    for playbook_id in sorted(facts.paused):
        text = (
            f"playbook {playbook_id}: more than three times as many accounts match as usual; no account entered. "
            "Look at plgsync plan, then plgsync plan --resume --out plan.json and plgsync run --apply plan.json"
        )
        yield Condition(PAUSED, playbook_id, text)
