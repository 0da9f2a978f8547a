"""Playbook files: what is accepted, and what is refused where and with which words."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from worker.language.units import Duration
from worker.settings.known import Known
from worker.settings.playbook import Playbook
from worker.settings.playbook_check import check_playbook
from worker.settings.playbook_steps import BranchStep, FieldsStep, TaskStep, WaitStep, walk_steps
from worker.settings.validation import place_findings, validate
from worker.settings.yaml_document import read_document

GOOD = """\
version: 1
id: sample
name: Sample
owner: ops@example.com
mode: live
audience:
  all:
    - plan in [free, trial]
when:
  enters: health.band is red
  for: 2 runs
leaves: health.band is green
repeat: {wait: 30d}
do:
  - set_fields: {signal: "{{playbook.matched}}"}
  - create_task:
      key: call
      to: account_owner
      if_no_owner: round_robin(sales)
      subject: "Call {{account.name}}"
      due: 1bd
  - wait: 5bd
  - if: health.band is red
    then:
      - create_task: {key: lead, to: user(lead@example.com), subject: Still red, due: 2d}
goal: {when: health.band is green, within: 30d}
holdout: 10%
"""
KNOWN = Known(
    fields=frozenset(
        {
            "crm.task_status",
            "plan",
            "seat_share",
            "health.coverage",
            "health.band",
            "health.score",
            "account.name",
            "crm.signal",
            "signal",
            "asked_14d",
        }
    ),
    crm_fields=frozenset({"signal", "score"}),
    computed_fields=frozenset({"score"}),
    queues=frozenset({"sales"}),
    values={"health.band": ("red", "yellow", "green")},
    not_text=frozenset({"health.score"}),
    windowed_counts=frozenset({"asked_14d"}),
    percentages=frozenset({"seat_share"}),
)


def problems(text: str) -> list[str]:
    """Every problem of a playbook file, as ``line:column message``."""
    document = read_document("p.yaml", text.encode())
    playbook, found = validate(Playbook, document)
    placed = place_findings(document, check_playbook(playbook, KNOWN)) if playbook else []
    return [f"{one.line}:{one.column} {one.message}" for one in sorted([*found, *placed])]


def changed(**lines: str) -> str:
    """The good playbook with top-level keys replaced."""
    data = yaml.safe_load(GOOD)
    for key, text in lines.items():
        data[key] = yaml.safe_load(text)
    return yaml.safe_dump(data, sort_keys=False)


def test_a_good_playbook_is_read_as_written() -> None:
    document = read_document("p.yaml", GOOD.encode())
    playbook, found = validate(Playbook, document)
    assert found == ()
    assert playbook is not None
    assert list(check_playbook(playbook, KNOWN)) == []
    assert [type(step) for _, step in walk_steps(playbook.do)] == [FieldsStep, TaskStep, WaitStep, BranchStep, TaskStep]
    assert [loc for loc, _ in walk_steps(playbook.do)][-1] == ("do", 3, "then", 0)
    assert playbook.when.for_ == Duration("runs", 2)
    assert [str(task.to) for _, task in playbook.tasks()] == ["account_owner", "user(lead@example.com)"]
    assert {need.key for need in playbook.needs()} == {"plan", "health.band", "account.name"}
    assert (playbook.holdout, playbook.repeat.once, playbook.limits.per_run) == (0.1, False, None)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("mode: live", "mode: on", '5:7 on is read as true; write true or false, or "on" in quotes'),
        ("mode: live", "mode: lvie", 'Did you mean "live"?'),
        ("mode: live", "level: user", "5:8 level: user is not available yet"),
        ("mode: live", "group: a", "5:8 group is not available yet"),
        ("mode: live", "mod: live", 'unknown setting "mod". Did you mean "mode"?'),
        ("id: sample", "id: My Playbook", '2:5 "My Playbook" must be small letters'),
        ("owner: ops@example.com", "owner: ops", '4:8 "ops" is not an e-mail address'),
        ("plan in [free, trial]", "plan == free", '8:12 write "is" or "="'),
        ("  for: 2 runs", "  four: 2 runs", 'unknown setting "four" in when. Did you mean "for"?'),
        ("  for: 2 runs", "  for: 2bd", "for counts hours"),
        ("{wait: 30d}", "{wait: 5bd}", "wait counts hours (24h) or days (3d)"),
        ("{wait: 30d}", "{wait: 30 days}", "write 30d instead"),
        ("{wait: 30d}", "{at_most: 2 a year}", "is not a rate"),
        ("{wait: 30d}", "{at_most: 101 per 365d}", "at_most is between 1 and 100 entries"),
        ("holdout: 10%", "holdout: 60%", "must be at most 0.5"),
        ("holdout: 10%", "limits: {per_owner: 5 per week}", "per_owner counts tasks per day"),
        ("holdout: 10%", "limits: {per_run: 0}", "must be at least 1"),
        ("within: 30d", "within: 5bd", "within counts hours"),
        ("to: account_owner", "to: owner", '18:11 "owner" is not an assignee of a task. Did you mean "account_owner"?'),
        ("to: account_owner", "to: ann@example.com", "write user(ann@example.com)"),
        ("to: account_owner", "to: user(ann)", "takes an e-mail address"),
        ("to: account_owner", "to: [csm]", "expected one of"),
        ('subject: "Call {{account.name}}"', 'subject: " "', "the subject is empty"),
        ('{signal: "{{playbook.matched}}"}', "{signal: [1]}", "a number, true or false"),
        ("key: call", "key: Call Me", "must be small letters"),
        ("- wait: 5bd", "- wait: 5bd\n    key: My Pause", '23:10 "My Pause" must be small letters'),
        ("due: 1bd", "due: 3h", "due counts days"),
        ("due: 1bd", "due: 1bd\n      priority: urgent", '"urgent" is not one of: low, medium, high'),
        ("mode: live", "mode: live\nonce_decided: keep", '"keep" is not one of: withdraw, deliver'),
        ("due: 1bd", "", '"due" is missing in create_task'),
        ("{{account.name}}", "{{account.name", '20:22 this "{{" has no "}}"'),
        ("- wait: 5bd", "- wait: 2 runs", "wait counts hours"),
        ("- wait: 5bd", "- wiat: 5bd", 'unknown step "wiat". Did you mean "wait"?'),
        ("- wait: 5bd", "- wait: 5bd\n    set_fields: {signal: 1}", "one step after each dash"),
        ("- wait: 5bd", "- later", '"later" is no step'),
        ("- wait: 5bd", "- set_fields: {}", "must have at least 1 entry"),
    ],
)
def test_what_the_model_refuses(old: str, new: str, says: str) -> None:
    found = problems(GOOD.replace(old, new, 1))
    assert any(says in problem for problem in found), found
    assert len(found) <= 2


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("plan in", "plna in", '8:7 unknown field "plna". Did you mean "plan"?'),
        ("plan in [free, trial]", "plan = 1\n    - plan / healht.score > 3", '9:14 unknown field "healht.score"'),
        (
            "enters: health.band is red",
            "enters: health.band is rde",
            '10:26 health.band is never "rde". Did you mean "red"?',
        ),
        ("health.band is green\n", "health.score is account.name\n", '"account.name" is a field'),
        ("when: health.band is green", "when: 'change(scroe, 28d) > 0'", 'unknown field "scroe"'),
        ("health.band is green\n", "playbook.matched is x\n", "exists only in the texts"),
        (
            "- if: health.band is red",
            "- if: healthband is red",
            '23:9 unknown field "healthband". Did you mean "health.band"?',
        ),
        ("{{account.name}}", "{{acount.name}}", '20:24 unknown field "acount.name". Did you mean "account.name"?'),
        ("{signal: ", "{sginal: ", '15:18 unknown CRM field "sginal". Did you mean "signal"?'),
        (
            "due: 1bd",
            "due: 1bd\n      contact: acount.name",
            '22:16 unknown field "acount.name". Did you mean "account',
        ),
        ("due: 1bd", "due: 1bd\n      contact: health.score", '22:16 "health.score" is no text: contact takes a field'),
        ("round_robin(sales)", "round_robin(sale)", '19:32 unknown queue "sale". Did you mean "sales"?'),
        ("key: lead", "key: call", '25:28 the key "call" is used twice'),
        ("- wait: 5bd", "- wait: 5bd\n    key: call", '23:10 the key "call" is used twice'),
        (
            "- wait: 5bd\n  - if: health.band is red",
            "- {wait: 5bd, key: x}\n  - if: health.band is red\n    key: x",
            '24:10 the key "x" is used twice; every step',
        ),
        ("health.band is green\n", "crm.signal is known\n", '12:9 this playbook writes "crm.signal" itself'),
        ("enters: health.band is red", "enters: signal is missing", 'this playbook writes "signal" itself'),
        (
            'do:\n  - set_fields: {signal: "{{playbook.matched}}"}\n  - create_task:\n',
            "once_decided: deliver\ndo:\n  - create_task:\n      close_when_leaves: true\n",
            "17:26 once_decided: deliver creates this task although its account has left",
        ),
        ("- wait: 5bd", "- wait: 5bd\n  - wait: 1d", "two waits in a row"),
        ("      - create_task: {key: lead", "      - wait: 3d\n      # {key: lead", "nothing comes after this wait"),
    ],
)
def test_what_only_shows_beside_the_rest_of_the_project(old: str, new: str, says: str) -> None:
    found = problems(GOOD.replace(old, new, 1))
    assert any(says in problem for problem in found), found
    assert len(found) == 1


def test_every_problem_of_a_file_is_told_at_once() -> None:
    text = (
        GOOD.replace("plan in [free, trial]", "plan like x")
        .replace("within: 30d", "within: soon")
        .replace("5bd", "soon")
    )
    assert len(problems(text)) == 3


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ("health.coverage >= 60", "10:30 health.coverage is a share, from 0 to 1: write 60%"),
        ("health.coverage between 0.5 and 60", "10:43 health.coverage is a share, from 0 to 1: write 60%"),
        ("seat_share > 80", "10:24 seat_share is a share, and 80 is 8,000%: write 80% if that is meant"),
        ("health.coverage >= 60%", ""),
        ("health.coverage < 1", ""),
        ("seat_share > 120%", ""),
        ("seat_share * 100 > 80", ""),
    ],
)
def test_a_share_is_compared_with_a_share(test: str, says: str) -> None:
    found = problems(GOOD.replace("enters: health.band is red", f"enters: {test}"))
    assert found == ([says] if says else [])


@pytest.mark.parametrize("value", ["[]", "[1]", "{a: 1}", "null", "5"])
@pytest.mark.parametrize("key", list(yaml.safe_load(GOOD)))
def test_nonsense_in_any_place_is_a_problem_and_no_crash(key: str, value: str) -> None:
    found = problems(changed(**{key: value}))
    assert found or (key, value) in {
        ("audience", "null"),
        ("leaves", "null"),
        ("goal", "null"),
        ("name", "5"),
        ("holdout", "null"),
    }


def test_the_schema_can_be_shown() -> None:
    schema: dict[str, Any] = Playbook.model_json_schema(by_alias=True)
    assert {"when", "do", "repeat"} <= schema["properties"].keys()


def test_what_is_reserved_may_stand_empty_and_plain_values_need_no_template() -> None:
    text = GOOD.replace("mode: live", "mode: live\ngroup:").replace('"{{playbook.matched}}"', "7")
    playbook, found = validate(Playbook, read_document("p.yaml", text.encode()))
    assert found == ()
    assert playbook is not None
    assert [loc[-1] for loc, _ in playbook.templates()] == ["subject", "body"] * 2


def test_the_task_of_the_entry_is_known_only_inside_and_that_of_other_playbooks_is_named() -> None:
    inside = GOOD.replace("if: health.band is red", "if: task.touched is false")
    assert problems(inside) == []
    outside = GOOD.replace("enters: health.band is red", "enters: task.status is open")
    assert any("unknown until the account is inside" in one for one in problems(outside))
    other = GOOD.replace("if: health.band is red", "if: crm.task_status is open")
    assert any("the task of this playbook is task.status" in one for one in problems(other))


@pytest.mark.parametrize(
    ("test", "instead"),
    [
        ("count(Contact Sales Clicked, 7d) >= 1", "write days_since(Contact Sales Clicked) <= 7"),
        ("users(Limit Reached, 14d) > 0", "write days_since(Limit Reached) <= 14"),
        ("count(Asked, 7d) is not 0", "write days_since(Asked) <= 7"),
        ("asked_14d >= 1", "use a signal with measure: last and as: days_since"),
        ("count(Limit Reached, 14d) >= 2", ""),
        ("count(Asked, 7d) is 0", ""),
        ("days_since(Asked) <= 1", ""),
        ("health.score >= 1", ""),
    ],
)
def test_a_test_for_one_event_in_whole_days_is_named_as_a_day_late(test: str, instead: str) -> None:
    found = problems(GOOD.replace("enters: health.band is red", f"enters: {test}"))
    assert ["true up to a day late" in one and instead in one for one in found] == [True] * bool(instead)
