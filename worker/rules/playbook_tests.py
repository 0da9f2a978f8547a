"""Run a playbook's own tests: its real conditions and steps on made-up accounts and a controlled clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from worker.language.plural import counted
from worker.language.values import Fields, Value, tidy
from worker.rules.actions import CloseTasks, MakeTask
from worker.rules.context import Decision, PlaybookRun, RunContext
from worker.rules.decide import decide
from worker.rules.enrollment import Enrollment
from worker.rules.explain import explain
from worker.rules.playbook_test_file import (
    Expected,
    ExpectedTask,
    PlaybookTest,
    PlaybookTests,
    TestedRun,
    check_playbook_tests,
)
from worker.settings.playbook import Assignee, Playbook
from worker.settings.problems import ConfigError
from worker.settings.schedule import Calendar
from worker.settings.validation import place_findings, validate
from worker.settings.yaml_document import Document


@dataclass(frozen=True, slots=True)
class TestResult:
    """The result of one test of one playbook; it passed when there are no ``failures``. ``line`` counts from 1."""

    __test__ = False  # not a test case

    playbook_id: str
    name: str
    file: str
    line: int
    failures: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every result is as expected."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """The result as JSON."""
        return {**asdict(self), "failures": list(self.failures), "passed": self.passed}


def run_playbook_tests(playbook: Playbook, document: Document) -> list[TestResult]:
    """Run every test of a ``.test.yaml``, as if the playbook were live and without a holdout.

    Raises ConfigError with every problem of the file when it cannot be run.
    """
    tests, problems = validate(PlaybookTests, document)
    if tests is not None:
        problems = (*problems, *place_findings(document, check_playbook_tests(tests, playbook)))
    if tests is None or any(problem.severity == "error" for problem in problems):
        raise ConfigError(problems)
    tested = playbook.model_copy(update={"mode": "live", "holdout": 0.0})
    return [
        TestResult(
            playbook.id,
            test.name,
            document.file,
            document.position(("tests", index))[0],
            tuple(_TestRunner(tested, tests, test).failures()),
        )
        for index, test in enumerate(tests.tests)
    ]


class _TestRunner:
    """Runs one test, run by run."""

    def __init__(self, playbook: Playbook, tests: PlaybookTests, test: PlaybookTest) -> None:
        self._playbook, self._test = playbook, test
        self._accounts: dict[str, dict[str, Value]] = {
            name: {**tests.usual, **facts} for name, facts in test.accounts.items()
        }
        self._enrollments: dict[str, Enrollment] = {}
        self._open: dict[str, set[str]] = {}
        self._history: list[Mapping[str, int]] = []
        self._made: dict[date, Counter[str]] = {}

    def failures(self) -> Iterator[str]:
        """Every difference from what is expected."""
        for run in self._test.runs:
            as_of = self._test.starts + run.after
            self._change(run)
            result = self._decide(as_of)
            for account_id, expected in run.expect.items():
                for failure in self._compare(account_id, expected, result, as_of):
                    yield f"at {run.at}, {account_id}: {failure}"

    def _change(self, run: TestedRun) -> None:
        for account_id, facts in run.facts.items():
            self._accounts[account_id].update(facts)
        for account_id, keys in run.open_tasks.items():
            self._open[account_id] = {f"{self._playbook.id}/{key}" for key in keys}

    def _decide(self, as_of: datetime) -> PlaybookRun:
        context = RunContext(
            as_of=as_of,
            calendar=Calendar(holidays=self._test.holidays),
            owner_of=self._owner_of,
            open_tasks=self._open,
            tasks_today=self._made.get(as_of.date(), {}),
            history=self._history,
        )
        result = decide(self._playbook, self._accounts, self._enrollments, context)
        self._enrollments.update(result.enrollments)
        self._history.append(result.counts)
        today = self._made.setdefault(as_of.date(), Counter())
        for task in (action for one in result.decisions for action in one.actions if isinstance(action, MakeTask)):
            today[self._assignee_of(task)] += 1
        return result

    def _owner_of(self, account_id: str, assignee: Assignee) -> str | None:
        facts = self._accounts[account_id]
        match assignee.kind:
            case "account_owner":
                return _text(facts.get("account.owner_email"))
            case "csm":
                return _text(facts.get("account.csm_email"))
            case "user":
                return assignee.name
        return None

    def _assignee_of(self, task: MakeTask) -> str:
        """The assignee of a task: an e-mail address, or a queue as the playbook writes it."""
        for assignee in (task.to, task.if_no_owner):
            if assignee is not None and assignee.kind in {"queue", "round_robin"}:
                return str(assignee)
            owner = self._owner_of(task.account_id, assignee) if assignee is not None else None
            if owner is not None:
                return owner
        return "nobody"

    def _compare(self, account_id: str, expected: Expected, result: PlaybookRun, as_of: datetime) -> Iterator[str]:
        decisions = [one for one in result.decisions if one.account_id == account_id]
        member = self._enrollments.get(account_id, Enrollment())
        events: list[str] = [one.event for one in decisions]
        if expected.events is not None and events != expected.events:
            yield f"expected {_listed(expected.events)} to happen, but {_listed(events)} did"
        if expected.phase is not None and member.phase != expected.phase:
            yield f"expected to be {expected.phase}, but is {member.phase}"
        if expected.fields is not None and dict(member.fields_set) != expected.fields:
            yield f"expected fields {_shown(expected.fields)}, but they are {_shown(member.fields_set)}"
        yield from self._compare_tasks(expected, decisions)
        if expected.closes_tasks is not None:
            closes = any(isinstance(action, CloseTasks) for one in decisions for action in one.actions)
            if closes is not expected.closes_tasks:
                yield (
                    "expected open tasks to be closed" if expected.closes_tasks else "did not expect tasks to be closed"
                )
        if expected.blocked_by is not None:
            missing = explain(self._playbook, self._accounts[account_id], member, as_of).missing
            if sorted(missing) != sorted(expected.blocked_by):
                yield f"expected to be blocked by {_listed(expected.blocked_by)}, but is by {_listed(missing)}"

    def _compare_tasks(self, expected: Expected, decisions: list[Decision]) -> Iterator[str]:
        if expected.tasks is None:
            return
        made = [action for one in decisions for action in one.actions if isinstance(action, MakeTask)]
        if len(made) != len(expected.tasks):
            subjects = _listed([task.subject for task in made])
            yield f"expected {counted(len(expected.tasks), 'task')}, but the playbook made {subjects}"
            return
        for wanted, task in zip(expected.tasks, made, strict=True):
            form = ExpectedTask(subject=wanted) if isinstance(wanted, str) else wanted
            shown = {"key": task.task_key, "subject": task.subject, "body": task.body, "to": self._assignee_of(task)}
            shown |= {"priority": task.priority, "due": task.due.isoformat()}
            for name, value in form.model_dump(exclude_none=True, mode="json").items():
                if shown[name] != (value.strip() if name == "body" else value):
                    yield f'expected a task with {name} "{value}", but it is "{shown[name]}"'


def _text(value: Value) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _listed(names: Any) -> str:
    return ", ".join(map(str, names)) or "nothing"


def _shown(fields: Fields) -> str:
    return "; ".join(f"{name}: {tidy(value)}" for name, value in sorted(fields.items())) or "empty"
