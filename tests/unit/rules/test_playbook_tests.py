"""The tests beside playbooks: the shipped ones pass, and a wrong expectation or file is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rules.playbook_stage import make_playbook
from worker.rules.playbook_tests import run_playbook_tests
from worker.settings.playbook import Playbook
from worker.settings.problems import ConfigError
from worker.settings.validation import validate
from worker.settings.yaml_document import load_document, read_document

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
SHIPPED = sorted(path for path in PLAYBOOKS.glob("*.yaml") if not path.name.endswith(".test.yaml"))


def shipped(path: Path) -> Playbook:
    playbook, problems = validate(Playbook, load_document(path))
    assert problems == ()
    assert playbook is not None
    return playbook


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_playbook_keeps_what_its_tests_promise(path: Path) -> None:
    results = run_playbook_tests(shipped(path), load_document(path.with_suffix(".test.yaml")))
    assert len(results) >= 4
    assert [result for result in results if not result.passed] == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_playbook_is_safe_until_somebody_makes_it_live(path: Path) -> None:
    assert shipped(path).mode == "preview"


def test_there_are_four() -> None:
    assert [path.stem for path in SHIPPED] == ["expansion-signal", "health-drop", "onboarding-stalled", "pql-to-task"]


STORY = """\
usual: {account.owner_email: ann@example.com, a: true, l: false}
tests:
  - name: A call
    starts: 2026-03-02
    accounts:
      acme: {e: false}
    runs:
      - at: 0d
      - at: 1d
        facts:
          acme: {e: true}
        expect:
          acme: EXPECT
"""


def story(expect: str) -> tuple[str, ...]:
    document = read_document("f", STORY.replace("EXPECT", expect).encode())
    results = run_playbook_tests(make_playbook(mode="preview", holdout="50%"), document)
    assert [(result.name, result.line) for result in results] == [("A call", 3)]
    return results[0].failures


@pytest.mark.parametrize(
    "expect",
    [
        "{happens: entered}",
        "{happens: [entered], phase: in, fields: {}, blocked_by: [], closes_tasks: false}",
        "{tasks: [Call unknown]}",
        '{tasks: [{key: call, to: ann@example.com, due: 2026-03-04, priority: medium, body: ""}]}',
    ],
)
def test_what_comes_as_expected_passes_also_while_the_playbook_is_in_preview(expect: str) -> None:
    assert story(expect) == ()


@pytest.mark.parametrize(
    ("expect", "failure"),
    [
        ("{happens: nothing}", "at 1d, acme: expected nothing to happen, but entered did"),
        ("{happens: [entered, goal]}", "expected entered, goal to happen, but entered did"),
        ("{phase: out}", "expected to be out, but is in"),
        ("{tasks: []}", "expected 0 tasks, but the playbook made Call unknown"),
        ("{tasks: [Ring Acme]}", 'expected a task with subject "Ring Acme", but it is "Call unknown"'),
        ("{tasks: [{due: 2026-03-03}]}", 'due "2026-03-03", but it is "2026-03-04"'),
        ("{fields: {x: 1}}", "expected fields x: 1, but they are empty"),
        ("{blocked_by: [a]}", "expected to be blocked by a, but is by nothing"),
        ("{closes_tasks: true}", "expected open tasks to be closed"),
    ],
)
def test_what_comes_otherwise_is_told(expect: str, failure: str) -> None:
    failures = story(expect)
    assert len(failures) == 1
    assert failure in failures[0]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("EXPECT", "{hapens: entered}", 'unknown setting "hapens"'),
        ("EXPECT", "{happens: enterd}", "entered"),
        ("acme: EXPECT", "amce: {happens: entered}", 'no account "amce" in this test. Did you mean "acme"?'),
        ("{e: false}", "{ee: false}", 'the playbook never looks at "ee"'),
        ("{e: true}", "{e + 1: true}", "is worked out"),
        ("{e: true}", "{e is: true}", '"e is" is no field and no function'),
        ("{e: true}", "{e: [1]}", "a fact is"),
        ("at: 1d", "at: 0d", "runs go forward in time"),
        ("at: 1d", "at: 2bd", "at counts days"),
        ("starts: 2026-03-02", "starts: soon", "expected a date"),
        ("- at: 0d", "- at: 0d\n        open_tasks: {acme: [ring]}", 'no task "ring"'),
        ("tests:", "test:", 'unknown setting "test". Did you mean "tests"?'),
    ],
)
def test_a_test_file_is_read_strictly(old: str, new: str, says: str) -> None:
    text = STORY.replace(old, new, 1).replace("EXPECT", "{}")
    with pytest.raises(ConfigError) as caught:
        run_playbook_tests(make_playbook(), read_document("f", text.encode()))
    assert any(says in problem.message for problem in caught.value.problems), caught.value.problems


def test_facts_of_functions_may_be_written_in_any_way() -> None:
    playbook = make_playbook(when={"enters": "count(Signed In, 1w) > 0"})
    text = STORY.replace("e: false", '"count( Signed In , 7d )": 0').replace("e: true", '"COUNT(Signed In, 1w)": 1')
    results = run_playbook_tests(playbook, read_document("f", text.replace("EXPECT", "{happens: entered}").encode()))
    assert results[0].passed


def test_an_open_task_is_respected() -> None:
    text = STORY.replace("- at: 0d", "- at: 0d\n        open_tasks: {acme: [call]}")
    text = text.replace("EXPECT", "{happens: entered, tasks: []}")
    assert run_playbook_tests(make_playbook(), read_document("f", text.encode()))[0].passed


def test_a_task_without_an_owner_goes_to_nobody() -> None:
    text = STORY.replace("account.owner_email: ann@example.com, ", "").replace("EXPECT", "{tasks: [{to: nobody}]}")
    assert run_playbook_tests(make_playbook(), read_document("f", text.encode()))[0].passed


def test_a_test_may_start_at_a_time_of_day_in_any_zone() -> None:
    text = STORY.replace("starts: 2026-03-02", "starts: 2026-03-02T23:30:00-05:00")
    text = text.replace("EXPECT", "{tasks: [{due: 2026-03-05}]}")  # the run is on March 4 in UTC
    assert run_playbook_tests(make_playbook(), read_document("f", text.encode()))[0].failures == ()


def test_a_result_as_json_says_what_passed() -> None:
    text = STORY.replace("EXPECT", "{phase: out}")
    (result,) = run_playbook_tests(make_playbook(), read_document("f", text.encode()))
    assert result.to_json() == {
        "file": "f",
        "playbook_id": "flags",
        "name": "A call",
        "line": 3,
        "failures": ["at 1d, acme: expected to be out, but is in"],
        "passed": False,
    }
