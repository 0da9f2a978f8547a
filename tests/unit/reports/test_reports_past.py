"""`plgsync explain --as-of` before the last run: what was published and where the account was, over a real store."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import Engine, delete, update

from tests.unit.pipeline.pipeline_kit import START, Project, TaskCrm
from worker.rendering.explain import render_explanation
from worker.reports import explain as report
from worker.reports.explain import Explanation
from worker.settings.problems import CommandError
from worker.settings.project import load_project
from worker.settings.schedule import Retention
from worker.store.engine import database_time
from worker.store.retention import prune
from worker.store.tables import runs, score_values

PLAYBOOK = """\
when: {enters: seats_used >= 90}
repeat: {wait: 1d, already_matching: include}
do:
  - create_task: {key: call, to: account_owner, subject: Call, due: 1d, if_open_task: create}
  - wait: 1d
  - create_task: {key: again, to: account_owner, subject: Again, due: 1d, if_open_task: create}
goal: {when: seats_used >= 95, within: 9d}
"""


@pytest.fixture
def project(tmp_path: Path, sqlite_store: Engine, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = Project(tmp_path / "project", sqlite_store, monkeypatch)
    monkeypatch.setattr(report, "measure", lambda *_: made._measured())
    made.playbook(PLAYBOOK)
    return made


SEATS = {0: 10, 1: 92, 2: 96, 3: 20, 4: 30, 5: 91, 6: 91, 7: 40}
"""By day. The account enters on day 1, reaches its goal on day 2, leaves on day 3, enters on 5 and leaves on 7."""


def acme(seats: int) -> dict[str, Any]:
    return {"seats_used": seats, "account.name": "Acme", "account.created_at": START - timedelta(days=1)}


_lived: list[tuple[bytes, TaskCrm]] = []


def live_through(project: Project) -> None:
    """Run every day of `SEATS`, once in this process: the next projects get a copy of the state and of the CRM."""
    state = Path(str(project.store.url.database))
    if not _lived:
        run_every_day(project)
        project.store.dispose()
        _lived.append((state.read_bytes(), deepcopy(project.crm)))
        return
    project.store.dispose()
    content, crm = _lived[0]
    state.write_bytes(content)
    project.crm = deepcopy(crm)


def run_every_day(project: Project) -> None:
    for day, seats in SEATS.items():
        project.facts = {"a": acme(seats)}
        project.run(day)


def explained(project: Project, day: float, seats: int = 40) -> Explanation:
    project.facts = {"a": acme(seats)}
    settings = load_project(project.root)
    return report.explain(settings, project.store, {"crm": project.crm}, "a", START + timedelta(days=day))


def text(explanation: Explanation) -> str:
    console = Console(width=300)
    with console.capture() as capture:
        console.print(render_explanation(explanation))
    return capture.get()


def past(explanation: Explanation) -> dict[str, Any]:
    found = explanation.to_json()["past"]
    assert isinstance(found, dict)
    return found


def state(explanation: Explanation) -> tuple[str, str]:
    [playbook] = explanation.playbooks
    [stored] = past(explanation)["playbooks"]
    assert (playbook.phase, playbook.status) == (stored["phase"], stored["status"])
    return playbook.phase, playbook.status


def test_what_was_published_stands_beside_what_todays_settings_say(project: Project) -> None:
    live_through(project)
    then = explained(project, 2.5, seats=77)
    assert (past(then)["run"], past(then)["published_on"]) == ("2026-03-04T05:00:00Z", "2026-03-04")
    assert past(then)["published"]["health.score"] != then.fields["health.score"] == 77
    shown = text(then)
    assert f"published on 2026-03-04 with settings {past(then)['config_version']}; the run as of 2026-03-04" in shown
    assert f"by today's settings ({then.config_version}): from the product data of then" in shown
    [line] = [line for line in shown.splitlines() if "health.score " in line and "│" in line]
    assert [cell.strip() for cell in line.split("│")[1:4]][2] == "77"


def test_the_settings_of_then_are_named_after_an_edit(project: Project) -> None:
    live_through(project)
    version = load_project(project.root).config_version
    project.playbook(PLAYBOOK.replace("95", "99"))
    then = explained(project, 2)
    assert (past(then)["config_version"], then.config_version == version) == (version, False)


def test_a_later_run_of_the_same_day_is_named(project: Project) -> None:
    project.facts = {"a": {"seats_used": 10}}
    for day in (0, 0.25, 1):
        project.run(day)
    assert past(explained(project, 0.1))["remark"] == "of the last run of that day, as of 2026-03-02T11:00:00Z"
    assert past(explained(project, 0.5))["remark"] == ""


@pytest.mark.parametrize(
    ("day", "phase", "says", "tasks"),
    [
        (0.5, "out", "outside", []),
        (1, "in", "inside since 2026-03-03 05:00 UTC (entry 1): seats_used >= 90 (92)", ["call"]),
        (2.5, "in", "last step taken 2026-03-04 05:00 UTC; goal reached 2026-03-04 05:00 UTC", ["again", "call"]),
        (3.5, "out", "outside since 2026-03-05 05:00 UTC: seats_used >= 90 (20)", []),
        (6.5, "in", "inside since 2026-03-07 05:00 UTC (entry 2): seats_used >= 90 (91)", ["again", "call"]),
    ],
)
def test_an_account_that_left_and_entered_again_is_where_it_was(
    project: Project, day: float, phase: str, says: str, tasks: list[str]
) -> None:
    live_through(project)
    then = explained(project, day)
    assert state(then)[0] == phase
    assert says in state(then)[1]
    assert past(then)["playbooks"][0]["tasks"] == tasks
    for key in tasks:
        assert f"task made by then: {key}" in text(then)


def test_before_the_first_run_nothing_had_been_published(project: Project) -> None:
    live_through(project)
    then = explained(project, -3)
    assert past(then)["published"] == {}
    assert past(then)["remark"] == "nothing had been published: the first run was as of 2026-03-02T05:00:00Z"
    assert state(then) == ("out", "outside")
    assert "nothing had been published" in text(then)


def test_an_account_that_no_run_had_seen_had_nothing_published(project: Project) -> None:
    project.facts = {"b": {"seats_used": 1}}
    project.run(0)
    live_through_from_day_1 = {day: seats for day, seats in SEATS.items() if day}
    for day, seats in live_through_from_day_1.items():
        project.facts = {"a": {"seats_used": seats}, "b": {"seats_used": 1}}
        project.run(day)
    assert past(explained(project, 0.5))["remark"] == "nothing had been published of this account"


def test_the_future_is_refused_with_words_and_the_present_is_no_past(project: Project) -> None:
    with pytest.raises(CommandError, match="2990-01-01 00:00 UTC is yet to come: explain shows what is known, up to"):
        explained(project, (datetime(2990, 1, 1, tzinfo=UTC) - START) / timedelta(days=1))
    live_through(project)
    assert explained(project, 7).past is None
    assert "published then" not in text(explained(project, 7))
    with pytest.raises(CommandError, match="is yet to come"):
        explained(project, (datetime(2990, 1, 1, tzinfo=UTC) - START) / timedelta(days=1))


def test_what_retention_removed_is_said_to_be_unknown(project: Project) -> None:
    live_through(project)
    with project.store.begin() as connection:
        old = database_time(connection) - 30 * 86_400
        connection.execute(update(runs).where(runs.c.as_of < "2026-03-07").values(committed_at=old))
        connection.execute(delete(score_values).where(score_values.c.day < "2026-03-07"))
    removed = prune(project.store, Retention.model_validate({"decisions": "7d", "runs": "7d"}))
    assert removed["decisions"] >= 3
    project.write("config/schedule.yaml", "version: 1\nretention: {decisions: 7d, runs: 7d}\n")
    then = explained(project, 2.5)
    assert past(then)["remark"] == "not known any more: scores before 2026-03-07 are not kept"
    says = "it entered 2026-03-03 05:00 UTC; when it left is not known any more: decisions before 2026-03-07 05:00 UTC"
    assert state(then) == ("unknown", f"{says} are not kept")
    assert says in text(then)
    kept = explained(project, 6)
    assert state(kept)[1].startswith("inside since 2026-03-07 05:00 UTC (entry 2): seats_used >= 90 (91)")
    assert past(kept)["published_on"] == "2026-03-08"


def test_old_decisions_that_are_still_there_are_known(project: Project) -> None:
    live_through(project)
    with project.store.begin() as connection:
        old = database_time(connection) - 30 * 86_400
        connection.execute(update(runs).where(runs.c.as_of < "2026-03-07").values(committed_at=old))
    project.write("config/schedule.yaml", "version: 1\nretention: {decisions: 7d, runs: 7d}\n")
    assert state(explained(project, 2.5))[0] == "in"
    assert state(explained(project, 3.5))[0] == "out"


def test_a_playbook_whose_file_is_gone_is_shown_as_it_was(project: Project) -> None:
    live_through(project)
    (project.root / "playbooks" / "demo.yaml").unlink()
    then = explained(project, 2.5)
    assert then.playbooks == ()
    assert "demo (not in playbooks/ now) · inside since 2026-03-03 05:00 UTC (entry 1)" in text(then)


SCORES = """\
version: 1
health:
  profiles:
    - name: all
      parts: [{name: Seats, weight: 1, metric: seats_used, bad: 0, good: 100}]
onboarding:
  milestones:
    - {name: Nearly full, weight: 1, due_days: 9, done_when: seats_used >= 92}
"""


def test_milestones_are_those_of_then(project: Project) -> None:
    project.write("config/scores.yaml", SCORES)
    run_every_day(project)
    done = {day: explained(project, day, seats=SEATS[int(day)]).fields["onboarding.done"] for day in (0.5, 1.5, 3.5)}
    assert done == {0.5: "0 of 1", 1.5: "1 of 1: Nearly full", 3.5: "1 of 1: Nearly full"}
    [milestone] = explained(project, 3.5, seats=20).to_json()["onboarding"]["milestones"]
    assert milestone["done_at"] == START + timedelta(days=1)
