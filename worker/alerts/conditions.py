"""What is worth a message, as of what the state database holds. Pure: facts in, conditions out.

A condition's text holds counts and names of ours (destinations, schedules, playbooks), never a value of the data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from worker.settings.alerts import Thresholds

STALE = "stale_data"
GUARD = "guard_tripped"
FAILED = "run_failed"
DENIED = "access_denied"
REJECTED = "rejected"
DEAD = "dead_letters"
QUOTA = "quota_short"
PAUSED = "playbook_paused"
KINDS: Mapping[str, str] = {
    FAILED: "a run failed",
    STALE: "stale data",
    GUARD: "the guard stopped a run",
    REJECTED: "many records refused",
    DEAD: "dead letters",
    QUOTA: "quota short",
    DENIED: "access denied",
    PAUSED: "a playbook paused itself",
}
"""Each kind of condition and what a message calls it."""

_OF_ERROR = {"StaleData": STALE, "UnsafePlan": GUARD, "AccessDenied": DENIED}
_WAITED_FOR = frozenset({"Busy", "QuotaExhausted", "Unavailable"})
"""Endings after which the machine goes on by itself."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one job ended last: ``kind`` names the error and is empty when all went well."""

    name: str
    job: str
    at: float
    kind: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """What one CRM answered to the operations of the last day."""

    applied: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Quota:
    """What one CRM said last of its day's calls."""

    left: int
    limit: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the conditions look at, by destination where not said otherwise.

    ``waiting`` counts rows by (destination, standing); ``paused`` are playbooks; ``committed_at`` is when the newest
    run was committed, by whatever schedule or command.
    """

    endings: tuple[Ended, ...] = ()
    committed_at: float = 0.0
    waiting: Mapping[tuple[str, str], int] = field(default_factory=dict)
    answers: Mapping[str, Answers] = field(default_factory=dict)
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    paused: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now. ``subject`` is whose: a schedule, a destination, a playbook."""

    kind: str
    subject: str
    text: str

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.subject}"


def find_conditions(facts: Facts, thresholds: Thresholds) -> list[Condition]:
    """Everything that is wrong now, each once."""
    found = [*_of_endings(facts), *_of_rows(facts, thresholds), *_of_answers(facts, thresholds)]
    found += [*_of_quotas(facts, thresholds), *_of_playbooks(facts)]
    return list({one.key: one for one in reversed(found)}.values())[::-1]


def _of_endings(facts: Facts) -> Iterator[Condition]:
    for ended in facts.endings:
        mended = ended.job == "run" and facts.committed_at > ended.at
        if not ended.kind or ended.kind in _WAITED_FOR or mended:
            continue
        kind = _OF_ERROR.get(ended.kind, DENIED if ended.job == "crm" else FAILED)
        what = f"{ended.name} could not be read" if ended.job == "crm" else f"{ended.name} ended early"
        yield Condition(kind, ended.name, f"{what}: {ended.problem or ended.kind}")


def _of_rows(facts: Facts, thresholds: Thresholds) -> Iterator[Condition]:
    for (destination, standing), count in sorted(facts.waiting.items()):
        if standing == "dead" and count >= thresholds.dead_letters:
            text = f"{destination}: {count} dead in the outbox; look at them with plgsync outbox list --state dead"
            yield Condition(DEAD, destination, text)
        elif standing == "denied":
            yield Condition(DENIED, destination, f"{destination} denies access; {count} rows wait for an admin")
        elif standing == "quota":
            yield Condition(
                QUOTA, destination, f"{destination}: our share of the day's calls is spent; {count} rows wait"
            )


def _of_answers(facts: Facts, thresholds: Thresholds) -> Iterator[Condition]:
    for destination, answers in sorted(facts.answers.items()):
        asked = answers.applied + answers.rejected
        if asked >= thresholds.rejected_of_at_least and answers.rejected > thresholds.rejected_share * asked:
            text = f"{destination} refused {answers.rejected} of {asked} writes within a day"
            yield Condition(REJECTED, destination, text)


def _of_quotas(facts: Facts, thresholds: Thresholds) -> Iterator[Condition]:
    for destination, quota in sorted(facts.quotas.items()):
        if quota.left < thresholds.quota_left * quota.limit:
            text = f"{destination}: {quota.left:,} of {quota.limit:,} API calls are left for today"
            yield Condition(QUOTA, destination, text)


def _of_playbooks(facts: Facts) -> Iterable[Condition]:
    for playbook_id in sorted(facts.paused):
        text = (
            f"playbook {playbook_id}: more than three times as many accounts match as usual; nobody was let in. "
            "Look at plgsync plan, then plgsync plan --resume --out plan.json and plgsync run --apply plan.json"
        )
        yield Condition(PAUSED, playbook_id, text)
