"""A playbook of flags (a, e, l) and a stage to run it on, so that a test can say what is true when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from worker.language.values import Value
from worker.rules.context import Decision, PlaybookRun, RunContext
from worker.rules.decide import decide
from worker.rules.enrollment import Enrollment
from worker.settings.playbook import Assignee, Playbook
from worker.settings.schedule import Calendar

START = datetime(2026, 3, 2, 5, tzinfo=UTC)  # a Monday

TASK: dict[str, Any] = {"key": "call", "to": "account_owner", "subject": "Call {{account.name}}", "due": "1bd"}


def make_playbook(**changes: Any) -> Playbook:
    """A live playbook: audience is flag ``a``, enters flag ``e``, leaves flag ``l``; dotted names reach inside."""
    data: dict[str, Any] = {
        "version": 1,
        "id": "flags",
        "name": "Flags",
        "owner": "ops@example.com",
        "mode": "live",
        "audience": "a is true",
        "when": {"enters": "e is true"},
        "leaves": "l is true",
        "repeat": {"wait": "1d"},
        "do": [{"create_task": TASK}],
    }
    return Playbook.model_validate({**data, **changes})


class Stage:
    """Runs a playbook over days and keeps its enrollments as JSON in between, as the store does."""

    def __init__(self, *, before: bool = True, **changes: Any) -> None:
        self.playbook = make_playbook(**changes)
        self.stored: dict[str, dict[str, Any]] = {}
        self.history: list[Mapping[str, int]] = [{"live": 1}] if before else []
        self.last = PlaybookRun()

    def enrollments(self) -> dict[str, Enrollment]:
        return {account: Enrollment.from_json(shown) for account, shown in self.stored.items()}

    def run(self, days: float, accounts: Mapping[str, Mapping[str, Value]], **context: Any) -> PlaybookRun:
        """One run so many days after the start; what it decides is stored."""
        run = self.try_run(days, accounts, **context)
        self.stored.update({account: member.to_json() for account, member in run.enrollments.items()})
        self.history.append(run.counts)
        self.last = run
        return run

    def try_run(self, days: float, accounts: Mapping[str, Mapping[str, Value]], **context: Any) -> PlaybookRun:
        as_of = START + timedelta(days=days)
        context = {"calendar": Calendar(), "owner_of": by_fields(accounts), "history": self.history, **context}
        return decide(self.playbook, accounts, self.enrollments(), RunContext(as_of=as_of, **context))

    def phase(self, account: str = "acme") -> str:
        return self.enrollments().get(account, Enrollment()).phase


def by_fields(accounts: Mapping[str, Mapping[str, Value]]) -> Callable[[str, Assignee], str | None]:
    def owner_of(account_id: str, wish: Assignee) -> str | None:
        if wish.kind == "user":
            return wish.name
        owner = accounts[account_id].get("owner") if wish.kind == "account_owner" else None
        return str(owner) if owner else None

    return owner_of


def flags(a: Value = True, e: Value = True, l: Value = False, **more: Value) -> dict[str, Value]:  # noqa: E741
    return {"a": a, "e": e, "l": l, **more}


def events(decisions: Sequence[Decision]) -> list[tuple[str, str]]:
    return [(decision.account_id, decision.event) for decision in decisions]
