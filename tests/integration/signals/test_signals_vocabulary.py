"""``plgsync check`` looks up in the data every text that settings and playbooks compare with a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from connectors.clock import now
from tests.integration.signals.signals_kit import Database, Row, sources_of
from worker.reports.check import check_project
from worker.settings.problems import Problem
from worker.settings.product_schema import STATES
from worker.settings.shipped import write_project

PLAYBOOK = """\
version: 1
id: ID
name: ID
owner: ops@example.com
mode: preview
audience: {all: [WHEN]}
when: {enters: mrr > 0}
leaves: mrr = 0
do: [{create_task: {key: one, to: csm, subject: Call, due: 2bd}}]
"""
PLANS = ["free"] * 9 + ["Team"] * 2 + ["team"] + ["business"] * 4


def _check(database: Database, folder: Path, whens: Mapping[str, str], wheres: Sequence[str] = ()) -> list[Problem]:
    """The problems of a project with a playbook for each condition, by id, and a signal for each source of rows."""
    write_project(folder)
    since, later = now() - timedelta(days=90), now() + timedelta(days=90)
    accounts: list[Row] = []
    subscriptions: list[Row] = []
    for index, plan in enumerate(PLANS):
        known = {"name": f"Firm {index}", "domain": f"firm{index}.com", "created_at": since, "channel": f"c{index}"}
        accounts.append({"account_id": f"a{index}", **known})
        subscriptions.append(
            {"account_id": f"a{index}", "plan": plan, "mrr": 9, "status": "active", "term_start": since}
            | {"term_end": later, "product": "core"}
        )
    events: list[Row] = [
        {"account_id": "a1", "user_id": "u", "name": "Report Created", "occurred_at": now() - timedelta(hours=hour)}
        | {"props": {"size": "large" if hour % 2 else "small"}}
        for hour in range(1, 40)
    ]
    tickets: list[Row] = [{"account_id": "a1", "severity": "urgent", "opened_at": since}]
    tables: dict[str, list[Row]] = {
        "accounts": accounts,
        "events": events,
        "subscriptions": subscriptions,
        "tickets": tickets,
    }
    database.fill(tables)
    mapped = {name: {"table": name} for name in tables} | {
        "accounts": {"table": "accounts", "extra": {"channel": "channel"}}
    }
    product = {"version": 1, "exclude": {"accounts": []}, **sources_of(database.source, mapped)}
    (folder / "config" / "product.yaml").write_text(yaml.safe_dump(product), encoding="utf-8")
    (folder / "config" / "crm.yaml").write_text("version: 1\nqueues: {}\n", encoding="utf-8")
    for playbook in (folder / "playbooks").iterdir():
        playbook.unlink()
    for name, when in whens.items():
        text = PLAYBOOK.replace("WHEN", f"'{when}'").replace("ID", name)
        (folder / "playbooks" / f"{name}.yaml").write_text(text, encoding="utf-8")
    with (folder / "config" / "signals.yaml").open("a", encoding="utf-8") as file:
        for place, where in enumerate(wheres):
            file.write(f"  asked_{place}: {{label: asked {place}, {where}, measure: count}}\n")
    check = check_project(folder, offline=False)
    assert not [problem.format() for problem in check.problems if problem.severity == "error"]
    return check.problems


def _of(problems: list[Problem], file: str) -> list[tuple[int, int, str]]:
    return [(one.line, one.column, one.message) for one in problems if one.file == file and " is never " in one.message]


NEVER_UNDER_WHERE = {
    "from: tickets, where: {severity: [urgent, urgnt]}": (
        'severity of tickets is never "urgnt"; in your data: urgent (1). Did you mean "urgent"?'
    ),
    "from: events, where: {props.size: {is_not: huge}}": (
        'props.size of events is never "huge"; in your data: large (20), small (19)'
    ),
}


def test_a_text_that_never_occurs_is_named_at_its_place_with_the_values_there_are(
    database: Database, tmp_path: Path
) -> None:
    """Spellings that compare as equal are one value."""
    problems = _check(database, tmp_path, {"try": "plan in [pro, TEAM]"}, list(NEVER_UNDER_WHERE))
    expected = 'plan is never "pro"; in your data: business (4), free (9), Team (3)'
    assert _of(problems, "playbooks/try.yaml") == [(6, 28, expected)]
    assert {one[2] for one in _of(problems, "config/signals.yaml")} >= {*NEVER_UNDER_WHERE.values()}


FIELDS = {
    "subscription.status is unpaid": f'subscription.status is never "unpaid"; it is one of {", ".join(STATES)}',
    "account.name is Nobody": 'account.name is never "Nobody" in your data',
    "plan is unsubscribed": None,
    'plan is " FREE "': None,
    "subscription.status is past_due": None,
}


def test_fields_are_looked_up_where_their_values_come_from(tmp_path: Path) -> None:
    """A personal column is looked up, and its values are not named."""
    whens = {f"try{place}": when for place, when in enumerate(FIELDS)}
    problems = _check(Database("duckdb", tmp_path), tmp_path, whens)
    found = {when: [one[2] for one in _of(problems, f"playbooks/{name}.yaml")] for name, when in whens.items()}
    assert found == {when: [message] if message else [] for when, message in FIELDS.items()}


def test_a_word_is_looked_up_among_all_values_of_a_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a column with many values only the most frequent are read."""
    monkeypatch.setattr("worker.signals.vocabulary._MOST_VALUES", 2)
    never = 'account.channel is never "nowhere"; in your data: c0 (1), c1 (1) and more'
    problems = _check(Database("duckdb", tmp_path), tmp_path, {"try": "account.channel in [C15, nowhere]"})
    assert [one[2] for one in _of(problems, "playbooks/try.yaml")] == [never]


def test_spellings_among_the_most_frequent_values_hide_none_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.PLANS", [*PLANS, "zu Groß"])
    monkeypatch.setattr("worker.signals.vocabulary._MOST_VALUES", 4)
    never = 'plan is never "nowhere"; in your data: business (4), free (9), Team (3) and more'
    problems = _check(Database("duckdb", tmp_path), tmp_path, {"try": 'plan in ["ZU groß", nowhere]'})
    assert [one[2] for one in _of(problems, "playbooks/try.yaml")] == [never]
