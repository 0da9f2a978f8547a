"""Whatever a value holds, a report has the lines that it has for any other value."""

from __future__ import annotations

import io
import pkgutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import RenderableType

from connectors.base import FieldNeed, OurTask, SetupStep
from connectors.base.values import one_line
from tests.unit.planning.test_make_plan import view
from tests.unit.rendering.test_rendering_history import LOST
from tests.unit.rendering.test_rendering_plan import computed
from worker import rendering
from worker.adoption.adopt import Adoption
from worker.adoption.crms import CrmContents
from worker.adoption.whose import TasksInCrm
from worker.delivery.left_over import LeftOver
from worker.delivery.one_sided import OneSided
from worker.delivery.row_state import RowState
from worker.language.condition import Trace
from worker.language.values import Value
from worker.pipeline.run import RunReport
from worker.planning.account_in_crm import AccountInCrm, QueuedEffect, SharedValue
from worker.rendering.adoption import render_adoption
from worker.rendering.console import PlainConsole
from worker.rendering.data_report import render_data_report
from worker.rendering.explain import render_explanation
from worker.rendering.fields import render_fields
from worker.rendering.heading import heading
from worker.rendering.history import render_effects
from worker.rendering.outbox import render_outbox
from worker.rendering.plan import render_plan
from worker.rendering.problems import render_check, render_playbook_tests
from worker.rendering.setup import render_setup
from worker.rendering.status import render_status
from worker.rendering.summary import render_report
from worker.rendering.tasks import TaskCard, render_task_card
from worker.reports.check import Check
from worker.reports.explain import Explanation
from worker.reports.fields import FieldEntry, FieldList
from worker.reports.history import Written
from worker.reports.status import Calls, Ran, Spent, Status, Waiting
from worker.rules.explain import Explanation as PlaybookExplanation
from worker.rules.playbook_tests import TestResult
from worker.scores import Scored, ScoreMemory
from worker.scores.result import Grid, Note
from worker.settings.problems import Problem
from worker.settings.score_specs import score_specs
from worker.signals.data_report import DataReport
from worker.signals.table_findings import TableFindings
from worker.store.sizes import Sizes

NOT_RENDERERS = {"progress", "console", "remarks"}
AS_OF = datetime(2026, 7, 1, tzinfo=UTC)


class AllText:
    """The result of a score that says the same text everywhere."""

    def __init__(self, text: str) -> None:
        self.text = text

    def fields(self) -> dict[str, Value]:
        return {}

    def kept_fields(self) -> dict[str, Value]:
        return {}

    def explained(self) -> list[Note | Grid]:
        return [Note(self.text), Grid((self.text, "b"), ((self.text, self.text),))]


def explanation(text: str) -> RenderableType:
    trace = Trace(text, True, ((text, text),), incomparable=text)
    playbook = PlaybookExplanation(
        playbook_id=text,
        name=text,
        mode="live",
        audience=trace,
        enters=trace,
        leaves=None,
        starts=True,
        phase="in",
        status=text,
        missing=(text,),
    )
    effect = QueuedEffect(
        kind="task_create", state="done", object=text, playbook_id=text, subject=text, no_person=text, words=text
    )
    return render_explanation(
        Explanation(
            account_id=text,
            as_of=AS_OF,
            config_version="c",
            fields={"account.name": text, "account.domain": text},
            scored=Scored({spec.name: AllText(text) for spec in score_specs()}, ScoreMemory()),
            playbooks=(playbook,),
            crms=(
                AccountInCrm(
                    destination="crm",
                    status="matched",
                    object=text,
                    links=(text,),
                    matched_by=text,
                    effects=(effect,),
                    members=(text,),
                    shared=(SharedValue(text, text, "top", (text,)),),
                    rivals=(text,),
                ),
            ),
        )
    )


def history(text: str) -> RenderableType:
    written = Written(field=text, name=text, old=text, old_known=True, new=text, by=text, because=text)
    effect = replace(LOST, account_id=text, run_id=text, because=text, task=text, reason=text, fields=(written,))
    return render_effects(text, [effect])


def outbox(text: str) -> RenderableType:
    row = {"id": 1, "row_state": "dead", "state": "dead", "destination": text, "kind": "fields", "account_id": text}
    more = {"payload": {"object": text}, "attempts": 1, "due_in": 0, "due_at": 0, "last_code": text}
    return render_outbox([{**row, **more, "last_reason": text}])


def plan(text: str) -> RenderableType:
    made = computed()
    for row in made.accounts.values():
        row["account.name"] = text
    made.plan.problems["crm"] = text
    return render_plan(made, [text])


def report(text: str) -> RenderableType:
    made = computed()
    for row in made.accounts.values():
        row["account.name"] = text
    made.plan.problems["crm"] = text
    left_over = [LeftOver(text, state, 1, text) for state in (RowState.PARKED, RowState.DEAD, RowState.WAITING)]
    sided = [OneSided(text, text, 1)]
    return render_report([RunReport(run_id="r", computed=made, left_over=left_over, one_sided=sided)])


def status(text: str) -> RenderableType:
    at = "2026-07-01T00:00:00Z"
    return render_status(
        Status(
            at=at,
            last_run={"id": text, "as_of": at, "committed_at": at, "config_version": text},
            ran=[Ran(name=text, job="run", at=at, ok_at=None, kind="Error", problem=text)],
            outbox=[Waiting(text, RowState.DEAD, 1, 0.0, None)],
            spent=[Spent(text, text, 1, 1, 1, 1.0)],
            calls=[Calls(destination=text)],
            alerts=[{"since": at, "text": text}],
            needs_person=[text],
            database=Sizes(1, {"t": 1}),
            data_remarks=[(text, text)],
            one_sided=[OneSided(text, text, 1)],
        )
    )


def setup(text: str) -> RenderableType:
    return render_setup(
        text, [SetupStep(FieldNeed(object="account", name=text, label=text, type="string"), "todo", text)]
    )


def adoption(text: str) -> RenderableType:
    key = OurTask(key=text, task_id="1", record_ids=(), status="open", owner_id=None, created_at=AS_OF)
    found = TasksInCrm([], [key], {text: 2})
    return render_adoption(Adoption(crms=[CrmContents(view=view(), tasks=found, unsure={text: 1}, deleted=1)]))


RENDERERS: dict[str, Callable[[str], RenderableType]] = {
    "adoption": adoption,
    "data_report": lambda text: render_data_report(DataReport(as_of=AS_OF, tables=(TableFindings(name=text, rows=1),))),
    "explain": explanation,
    "fields": lambda text: render_fields(
        FieldList((FieldEntry(name=text, label=text, kind="text", samples=(text,)),), text)
    ),
    "heading": heading,
    "history": history,
    "outbox": outbox,
    "plan": plan,
    "problems": lambda text: render_check(Check([Problem("crm.yaml", 1, 1, text, "error", "line")], [text])),
    "problems of tests": lambda text: render_playbook_tests([TestResult(text, text, text, 1, (text,))]),
    "setup": setup,
    "status": status,
    "summary": report,
    "tasks": lambda text: render_task_card(TaskCard(text, text, text, text, text, "body")),
}


def printed(renderable: RenderableType) -> str:
    file = io.StringIO()
    PlainConsole(file=file, width=10_000).print(renderable)
    return file.getvalue()


def test_every_renderer_is_listed_here() -> None:
    modules = {module.name for module in pkgutil.iter_modules(rendering.__path__)}
    assert modules - NOT_RENDERERS == {name.split()[0] for name in RENDERERS}


@pytest.mark.parametrize("name", RENDERERS)
@settings(max_examples=20, deadline=None)
@given(text=st.text(st.sampled_from("a1 \n\r\x0b\x0c\x1c\x85\u2028\u2029\t[]:"), max_size=12))
def test_a_value_never_makes_another_line(name: str, text: str) -> None:
    assert printed(RENDERERS[name](text)) == printed(RENDERERS[name](one_line(text)))
