"""The model of a ``<name>.test.yaml``: accounts, runs on a controlled clock, and the expected result of each run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator

from worker.language.errors import LanguageError
from worker.language.expression import parse_expression
from worker.language.suggest import suggestion
from worker.language.values import Value, as_utc
from worker.rules.enrollment import Phase
from worker.settings.base import DurationText, Finding, Loc, Strict
from worker.settings.playbook import Playbook
from worker.settings.score_specs import score_specs

_HOUR_OF_A_RUN = time(5, tzinfo=UTC)
_ALWAYS_ALLOWED = frozenset(
    {"account.owner_email", "account.csm_email", "account.tz", "mrr", *(spec.rank_field for spec in score_specs())}
)

ExpectedEvent = Literal[
    "nothing",
    "already_matching",
    "entered",
    "queued",
    "expired",
    "dropped",
    "stepped",
    "stopped",
    "goal",
    "left",
]


def _fact(value: Any) -> Value:
    if value is None or isinstance(value, bool | int | float | str | date | datetime):
        return value
    raise ValueError("a fact is a number, a text, a date, true, false, or null for unknown")


def _canonical(facts: dict[str, Value]) -> dict[str, Value]:
    """The facts under the names that conditions look them up by."""
    named: dict[str, Value] = {}
    for name, value in facts.items():
        try:
            expression = parse_expression(name)
        except LanguageError as problem:
            raise ValueError(f'"{name}" is no field and no function: {problem.message}') from None
        if expression.operator:
            raise ValueError(f'"{name}" is worked out; give the facts it is made of')
        named[expression.left.key] = value
    return named


_FACT_SCHEMA = WithJsonSchema({"type": ["string", "number", "boolean", "null"]})
FactValue = Annotated[Any, PlainValidator(_fact), _FACT_SCHEMA]
Facts = Annotated[dict[str, FactValue], AfterValidator(_canonical)]


def _start(value: Any) -> datetime:
    if isinstance(value, datetime):
        return as_utc(value)
    if isinstance(value, date):
        return datetime.combine(value, _HOUR_OF_A_RUN)
    raise ValueError("expected a date such as 2026-03-02 (runs are at 05:00 UTC) or a point in time")


class ExpectedTask(Strict):
    """An expected task; only the given fields are compared. ``to`` is an e-mail address, or a queue as written."""

    key: str | None = None
    """The task's key."""
    subject: str | None = None
    """Its subject, filled in."""
    body: str | None = None
    """Its body, filled in."""
    to: str | None = None
    """Who gets it."""
    priority: str | None = None
    """Its priority."""
    due: date | None = None
    """The day it is due."""


class Expected(Strict):
    """The expected result of a run for one account; fields that are not given are not compared."""

    happens: ExpectedEvent | tuple[ExpectedEvent, ...] | None = None
    """Everything that happens in this run, in order, or: nothing."""
    phase: Phase | None = None
    """Where the account stands afterwards: out, pending, queued or in."""
    tasks: tuple[str | ExpectedTask, ...] | None = None
    """The tasks created in this run: their subjects, or any of their fields."""
    fields: dict[str, FactValue] | None = None
    """The values that the playbook keeps in CRM fields afterwards."""
    blocked_by: tuple[str, ...] | None = None
    """What is unknown, and keeps the account from entering."""
    closes_tasks: bool | None = None
    """Whether tasks of the account are closed in this run."""

    @property
    def events(self) -> list[str] | None:
        """The expected events, or None when they are not compared."""
        if self.happens is None:
            return None
        events = self.happens if isinstance(self.happens, tuple) else (self.happens,)
        return [event for event in events if event != "nothing"]


class TestedRun(Strict):
    """One run: how long after the start, what has changed by then, and what is expected."""

    __test__ = False  # not a test case

    at: DurationText
    facts: dict[str, Facts] = Field(default_factory=dict)
    """What is different from now on, per account."""
    open_tasks: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """The keys of the tasks of this playbook that are open in the CRM from now on, per account."""
    expect: dict[str, Expected] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_a_moment(self) -> TestedRun:
        if self.at.kind not in {"hours", "days"}:
            raise ValueError(f"at counts days (3d) or hours (12h) from the start, not {self.at}")
        return self

    @property
    def after(self) -> timedelta:
        """The time from the start to this run."""
        return self.at.span


class PlaybookTest(Strict):
    """One test: accounts, runs, and what is expected of each run."""

    name: Annotated[str, Field(min_length=1)]
    """What the playbook promises."""
    starts: Annotated[datetime, PlainValidator(_start), WithJsonSchema({"type": "string", "format": "date"})]
    """The day of the first run, at 05:00 UTC, or a moment."""
    holidays: tuple[date, ...] = ()
    """Days that are no business days in this test."""
    accounts: Annotated[dict[str, Facts], Field(min_length=1)]
    """What is known of each account at the start, besides what is usual. The first run is the first of the playbook."""
    runs: Annotated[tuple[TestedRun, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _goes_forward(self) -> PlaybookTest:
        times = [run.after for run in self.runs]
        if times != sorted(set(times)):
            raise ValueError("runs go forward in time: each at: must be later than the one before")
        return self


class PlaybookTests(Strict):
    """The whole of one file."""

    usual: Facts = Field(default_factory=dict)
    """What is known of every account at the start, unless a test sets another value."""
    tests: Annotated[tuple[PlaybookTest, ...], Field(min_length=1)]


def check_playbook_tests(tests: PlaybookTests, playbook: Playbook) -> Iterator[Finding]:
    """Facts that the playbook never reads, accounts that the test does not declare, tasks that the playbook lacks."""
    facts = {need.key for need in playbook.needs()} | _ALWAYS_ALLOWED
    keys = {task.key for _, task in playbook.tasks()}
    yield from _unused(("usual",), tests.usual, facts)
    for index, test in enumerate(tests.tests):
        loc: Loc = ("tests", index)
        for account, known in test.accounts.items():
            yield from _unused((*loc, "accounts", account), known, facts)
        for number, run in enumerate(test.runs):
            here: Loc = (*loc, "runs", number)
            for part in ("facts", "open_tasks", "expect"):
                for account in getattr(run, part).keys() - test.accounts.keys():
                    message = f'no account "{account}" in this test{suggestion(account, test.accounts)}'
                    yield Finding((*here, part, account), message, of_key=True)
            for account, known in run.facts.items():
                yield from _unused((*here, "facts", account), known, facts)
            for account, open_keys in run.open_tasks.items():
                for key in set(open_keys) - keys:
                    message = f'no task "{key}" in the playbook{suggestion(key, keys)}'
                    yield Finding((*here, "open_tasks", account), message)


def _unused(loc: Loc, known: Mapping[str, Value], facts: set[str]) -> Iterator[Finding]:
    for name in known.keys() - facts:
        yield Finding((*loc, name), f'the playbook never looks at "{name}"{suggestion(name, facts)}', of_key=True)
