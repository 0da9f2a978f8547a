"""Named lists of config/product.yaml stand for their values in every condition."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from worker.language.condition import parse_condition
from worker.language.errors import LanguageError
from worker.language.stand_ins import with_lists
from worker.rules.breaker import version_of
from worker.settings.problems import ConfigError
from worker.settings.project import load_project
from worker.settings.shipped import shipped_files
from worker.settings.signals import Comparison

PLAYBOOK = """\
version: 1
id: demo
name: Demo
owner: revops@example.com
audience: plan in paying_plans
when:
  enters: {not: plan not in paying_plans}
do:
  - set_fields: {expansion_signal: "{{account.name}}"}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The shipped configuration and one playbook that names a list."""
    shutil.copytree(shipped_files() / "config", tmp_path / "config")
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "demo.yaml").write_text(PLAYBOOK)
    return tmp_path


def name_lists(root: Path, text: str) -> None:
    shipped = (shipped_files() / "config" / "product.yaml").read_text()
    (root / "config" / "product.yaml").write_text(f"{shipped}\nlists: {text}\n")


def problems(root: Path) -> list[str]:
    try:
        loaded = load_project(root)
    except ConfigError as error:
        return [f"{one.file}:{one.line}:{one.column}: {one.message}" for one in error.problems]
    return [f"{one.file}:{one.line}:{one.column}: {one.message}" for one in loaded.invalid]


def test_a_list_is_used_by_its_name_in_playbooks_and_scores(root: Path) -> None:
    name_lists(root, "{paying_plans: [team, business]}")
    scores = (root / "config" / "scores.yaml").read_text()
    (root / "config" / "scores.yaml").write_text(
        scores.replace("  converted_when: paying is true", "  converted_when: plan in paying_plans")
    )
    project = load_project(root)
    playbook = project.playbooks[0]
    assert playbook.audience is not None
    assert [playbook.audience.truth({"plan": plan}) for plan in ("Team", "business", "free", None)] == [
        True,
        True,
        False,
        None,
    ]
    assert [playbook.when.enters.truth({"plan": plan}) for plan in ("team", "free")] == [True, False]
    assert [project.scores.pql.converted_when.truth({"plan": plan}) for plan in ("team", "free")] == [True, False]


SIGNALS = """\
version: 1
signals:
  on_paid_plans:
    {label: x, from: subscriptions, measure: share, where: {plan: {not_in: paying_plans}}, that: {product: {in: own}}}
"""


def test_a_list_is_used_by_its_name_in_signals(root: Path) -> None:
    name_lists(root, "{paying_plans: [team, business], own: [core]}")
    signals = root / "config" / "signals.yaml"
    signals.write_text(signals.read_text() + SIGNALS.partition("signals:\n")[2])
    signal = load_project(root).signals.signals["on_paid_plans"]
    assert (signal.where["plan"], signal.that["product"]) == (
        Comparison(not_in=["team", "business"]),
        Comparison.model_validate({"in": ["core"]}),
    )


def test_a_list_that_signals_name_and_nobody_has_is_an_error_at_its_place(root: Path) -> None:
    name_lists(root, "{paying_plan: [team]}")
    signals = root / "config" / "signals.yaml"
    text = signals.read_text() + SIGNALS.partition("signals:\n")[2]
    signals.write_text(text)
    line = next(number for number, one in enumerate(text.splitlines(), 1) if "paying_plans" in one)
    message = 'there is no list "paying_plans" under lists: in config/product.yaml. Did you mean "paying_plan"?'
    column = text.splitlines()[line - 1].index("paying_plans") + 1
    assert f"config/signals.yaml:{line}:{column}: {message}" in problems(root)


@pytest.mark.parametrize("test", ["{in: []}", "{not_in: []}", "{is_not: []}", "{in: }", "{above: }", "{}"])
def test_a_comparison_with_nothing_is_an_error_not_every_row(root: Path, test: str) -> None:
    signals = root / "config" / "signals.yaml"
    line = f"  paid: {{label: x, from: subscriptions, measure: count, where: {{plan: {test}}}}}"
    signals.write_text(f"{signals.read_text()}\n{line}\n")
    (found,) = [problem for problem in problems(root) if problem.startswith("config/signals.yaml")]
    assert "compare" in found


def test_an_edit_of_a_list_is_an_edit_of_the_conditions(root: Path) -> None:
    name_lists(root, "{paying_plans: [team]}")
    before = load_project(root)
    name_lists(root, "{paying_plans: [team, free]}")
    after = load_project(root)
    assert version_of(before.playbooks[0]) != version_of(after.playbooks[0])
    assert before.config_version != after.config_version


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        ("{paying_plan: [team]}", 'playbooks/demo.yaml:5:19: there is no list "paying_plans" under lists:'),
        ("{paying_plan: [team]}", 'Did you mean "paying_plan"?'),
        ("{}", "values go into square brackets: plan in [pro, enterprise]"),
        ("{paying_plans: []}", "config/product.yaml"),
        ("{paying_plans: [team, 7]}", "config/product.yaml:87:9: all values of a list are of one kind"),
        ("{paying_plans: [true, 7]}", "config/product.yaml:87:9: all values of a list are of one kind"),
        ("{paying_plans: [[team]]}", "config/product.yaml"),
        ("{paying_plans: [team], Paying Plans: [x]}", '"Paying Plans" must be a small name'),
        ("[team]", "config/product.yaml"),
    ],
)
def test_a_list_that_cannot_be_used_is_named_where_it_stands(root: Path, lists: str, says: str) -> None:
    name_lists(root, lists)
    assert any(says in problem for problem in problems(root)), problems(root)


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("plan is paying_plans", "plan in paying_plans"),
        ("plan is not paying_plans", "plan not in paying_plans"),
        ("plan in [free, paying_plans]", "plan in paying_plans"),
    ],
)
def test_a_list_is_no_text_to_compare_with(line: str, instead: str) -> None:
    with pytest.raises(LanguageError) as caught:
        with_lists(parse_condition({"any": ["seats > 3", line]}), {"paying_plans": ["team"]})
    assert f'write "{instead}", or put quotes around the text' in caught.value.message
    assert (caught.value.loc, caught.value.column) == (("any", 1), line.index("paying"))


def test_a_text_in_quotes_may_be_called_like_a_list() -> None:
    condition = parse_condition('plan is "paying_plans"')
    assert with_lists(condition, {"paying_plans": ["team"]}) == condition


@pytest.mark.parametrize("values", ["[team, 7]", "[null]", "[]", "[2026-01-01]", "team", "[[team]]", "[.nan]"])
def test_a_list_that_cannot_be_used_is_named_once_and_not_where_it_is_used(root: Path, values: str) -> None:
    name_lists(root, f"{{paying_plans: {values}}}")
    assert [problem.partition(":")[0] for problem in problems(root)] == ["config/product.yaml"]


def test_an_error_elsewhere_in_product_yaml_hides_no_list(root: Path) -> None:
    name_lists(root, "{paying_plans: [team]}\nnonsense: 1")
    assert [problem for problem in problems(root) if "demo.yaml" in problem] == []


def test_a_list_without_its_values_is_unknown_and_reads_as_written() -> None:
    condition = parse_condition("plan not in paying_plans")
    assert condition.truth({"plan": "team"}) is None
    assert str(condition) == "plan not in paying_plans"
