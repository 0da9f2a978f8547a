"""The pages are complete and current: generated parts, names, commands, paths, links, samples."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

from worker.delivery.row_state import RowState
from worker.language.comparison import parse_comparison
from worker.language.hints import FUNCTIONS
from worker.language.operators import Op
from worker.language.units import DurationKind, parse_duration
from worker.settings.alerts import AlertKind
from worker.settings.known import CRM_FIELDS, TASK_FIELDS, TEMPLATE_FIELDS
from worker.settings.playbook_steps import AssigneeKind
from worker.settings.project import Project, load_project
from worker.settings.score_specs import score_fields
from worker.settings.scores import needs
from worker.settings.signals import Measure

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "connectors").rglob("*.md")])
TODAY = [page for page in PAGES if page.name != "CHANGELOG.md"]
TOP = "worker|connectors|config|playbooks|tests|docs|demo|\\.ci|\\.github"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = _generator()


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def rows(page: str, *head: str) -> list[list[str]]:
    """The cells of the table with this head; a page has one of each."""
    lines = read(page).splitlines()
    (start,) = (at for at, line in enumerate(lines) if cells(line)[: len(head)] == list(head))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append(cells(line))
    return found


def cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def first_codes(page: str, *head: str) -> set[str]:
    return {code for row in rows(page, *head) for code in codes(row[0])}


# --------------------------------------------------------------------------------------------------- generated parts


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_generated_parts_are_current(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert generate.generated(text) == text, 'run "make docs"'


def test_every_setting_has_a_text_in_its_model() -> None:
    assert generate.undocumented() == []


def test_every_file_every_command_and_every_metric_has_its_page() -> None:
    everything = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    files = {path.stem for path in (ROOT / "config").glob("*.yaml")} | {"playbook", "playbook-test"}
    assert set(re.findall(r"<!-- generated: settings (\S+) -->", everything)) == files
    for part in ("commands", "metrics", "columns", "fields", "signals"):
        assert everything.count(f"<!-- generated: {part} -->") == 1


# ---------------------------------------------------------------------------------------------- what is documented


def test_every_environment_variable_is_documented() -> None:
    source = read("worker/settings/environment.py")
    ours = {one if not one.endswith("_") else f"{one}<DESTINATION>" for one in re.findall(r'"(PLGSYNC_\w+)"', source)}
    theirs = {f"OTEL_{one}" for one in re.findall(r'"((?:SDK|TRACES|EXPORTER)_\w+)"', source)}
    assert ours
    assert theirs
    assert first_codes("docs/operations.md", "variable") == ours | theirs


def test_every_exit_code_is_documented() -> None:
    documented = {int(row[0]) for row in rows("docs/commands.md", "code")}
    assert documented == {0, 2} | set(_exit_codes())


def _exit_codes() -> Iterator[int]:
    for file in (ROOT / "worker/cli").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id == "SystemExit" and isinstance(node.args[0], ast.Constant):
                    yield int(str(node.args[0].value))
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("_INTERRUPTED"):
                yield ast.literal_eval(node.value)


def test_every_metric_in_the_source_is_found() -> None:
    named = set(re.findall(r'"(plgsync_\w+)"', read("worker/reports/prometheus.py")))
    assert {name for name, _, _ in generate.every_metric()} == named
    assert named <= first_codes("docs/operations.md", "metric")


def test_every_alert_and_every_state_is_documented() -> None:
    assert first_codes("docs/operations.md", "kind", "when") == set(get_args(AlertKind))
    assert first_codes("docs/operations.md", "state") == set(RowState)


def test_every_field_that_is_no_signal_is_documented() -> None:
    assert {row[0].strip("`") for row in rows("docs/scores.md", "name")} == CRM_FIELDS | TASK_FIELDS | TEMPLATE_FIELDS
    assert set(score_fields()) == first_codes("docs/scores.md", "field")


def test_every_measure_is_documented_and_used_in_the_example() -> None:
    assert first_codes("docs/signals.md", "measure") == set(get_args(Measure))
    assert set(re.findall(r"measure: (\w+)", read("docs/signals.md"))) == set(get_args(Measure))


def test_every_operator_has_an_example_that_uses_it() -> None:
    operators = rows("docs/playbooks.md", "operator")
    assert {codes(row[0])[0] for row in operators} == set(get_args(Op))
    for row in operators:
        assert parse_comparison(codes(row[1])[0]).op == codes(row[0])[0]


def test_every_function_has_an_example_that_uses_it() -> None:
    functions = rows("docs/playbooks.md", "function")
    assert {codes(row[0])[0] for row in functions} == set(FUNCTIONS)
    for row in functions:
        assert parse_comparison(codes(row[1])[0]).expression.left.kind == codes(row[0])[0]


def test_every_arithmetic_operator_has_an_example_that_uses_it() -> None:
    arithmetic = rows("docs/playbooks.md", "arithmetic")
    assert {codes(row[0])[0] for row in arithmetic} == set("+-*/")
    for row in arithmetic:
        assert parse_comparison(codes(row[1])[0]).expression.operator == codes(row[0])[0]


def test_every_unit_and_every_value_of_the_language_can_be_read() -> None:
    units = rows("docs/playbooks.md", "unit")
    assert {row[0] for row in units} == set(get_args(DurationKind))
    assert all(parse_duration(one).kind == row[0] for row in units for one in codes(row[1]))
    for row in rows("docs/playbooks.md", "value", "example"):
        assert parse_comparison(codes(row[1])[0]).values


def test_every_assignee_and_every_step_is_documented() -> None:
    assert {one.split("(")[0] for one in first_codes("docs/playbooks.md", "assignee")} == set(get_args(AssigneeKind))
    steps = {row[0].strip("`") for row in rows("docs/playbooks.md", "step")}
    assert steps == set(re.findall(r"\*\*`do\[\] \((\w+)\)`\*\*", read("docs/playbooks.md")))


EXAMPLES = {
    "playbook": ["docs/playbooks.md"],
    "playbook-test": ["docs/playbooks.md"],
    "scores": ["docs/scores.md"],
    "signals": ["docs/signals.md"],
    "schedule": ["docs/operations.md"],
    "alerts": ["docs/operations.md"],
    "crm": ["docs/crm.md", "docs/salesforce.md", "docs/hubspot.md"],
}


@pytest.mark.parametrize("file", EXAMPLES)
def test_every_key_stands_in_an_example(file: str) -> None:
    keys = set(re.findall(r"^\| `(\w+)` \|", generate.settings(file), flags=re.MULTILINE)) - {"group", "session_id"}
    blocks = [
        block for page in EXAMPLES[file] for block in re.findall(r"```yaml\n(.*?)```", read(page), flags=re.DOTALL)
    ]
    assert keys - set(re.findall(r"(\w+):", "\n".join(blocks))) == set()


# ------------------------------------------------------------------------------------- commands, paths, links, samples


def _code_lines(text: str) -> Iterator[str]:
    yield from re.findall(r"`(plgsync [^`]+)`", text)
    yield from (line.strip() for line in re.findall(r"^(?: {4}|\$ )(plgsync .*)$", text, flags=re.MULTILINE))


@pytest.mark.parametrize("page", TODAY, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists_with_its_options(page: Path) -> None:
    known = dict(generate.every_command())
    for line in _code_lines(page.read_text(encoding="utf-8")):
        words = re.split(r"\s[#&>|]", line)[0].replace("[", " ").replace("]", " ").split()
        command = next((name for name in known if words[: len(name.split())] == name.split()), None)
        group = any(name.startswith(f"{' '.join(words)} ") for name in known)
        assert command or group, line
        if command and command != "plgsync worker":
            options = {option for one in known[command].params for option in one.opts} | {"--help"}
            assert {word for word in words if word.startswith("--")} <= options, line


def test_every_command_stands_in_the_readme() -> None:
    named = {line for row in rows("README.md", "command") for line in codes(row[0])}
    for name, _ in generate.every_command():
        assert any(one == name or one.startswith(f"{name} ") for one in named), name


@pytest.mark.parametrize("page", TODAY, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for path in re.findall(rf"`((?:{TOP})/[^\s`<>,]*)`", text):
        if not path.startswith("demo/") and "<crm>" not in path:
            assert list(ROOT.glob(path.rstrip("/"))), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        there = page.parent / file if file else page
        assert there.exists(), target
        if anchor:
            assert anchor in _anchors(there.read_text(encoding="utf-8")), target


def _anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_readme_is_short() -> None:
    assert len(read("README.md").splitlines()) <= 220


def test_a_stranger_finds_ten_answers_by_folder_and_file_name() -> None:
    asked = rows("CONTRIBUTING.md", "question")
    assert len(asked) == 10
    for question, path, word in asked:
        assert codes(word)[0] in read(codes(path)[0]), question


def test_every_sample_name_of_the_shipped_project_is_on_the_checklist() -> None:
    listed = {code for row in rows("docs/adapting.md", "sample") for code in codes(row[0])}
    project = load_project(ROOT)
    assert set(_sample_names(project)) - listed == set()


def _sample_names(project: Project) -> Iterator[str]:
    for file in [*(ROOT / "config").glob("*.yaml"), *(ROOT / "playbooks").glob("*[a-z].yaml")]:
        text = re.sub(r"#.*", "", file.read_text(encoding="utf-8"))
        if ".test." not in file.name:
            yield from re.findall(r"[\w-]+@example\.com|https://acme\.[\w.]+|env:[A-Z_]+", text)
    yield from project.crm.queues
    yield from (event for events in project.signals.event_lists.values() for event in events)
    used = needs(project.scores) | {need for playbook in project.playbooks for need in playbook.needs()}
    yield from (need.name for need in used if need.kind in {"count", "users", "days_since"})
    yield from (str(value) for signal in project.signals.signals.values() for value in _texts(signal.where))
    yield from _compared(project, {"plan", "account.industry"})


def _texts(tests: Any) -> Iterator[str]:
    for value in tests.values():
        yield from ([value] if isinstance(value, str) else value if isinstance(value, list) else [])


def _compared(project: Project, fields: set[str]) -> Iterator[str]:
    """The texts that conditions of scores and playbooks compare these fields with."""
    conditions = [condition for playbook in project.playbooks for _, condition in playbook.conditions()]
    texts = [read(f"config/{name}.yaml") for name in ("scores",)]
    for condition in conditions:
        for _, line in condition.comparisons():
            if line.expression.left.name in fields:
                yield from (value for value in line.values if isinstance(value, str))
    for text in texts:
        for name, values in re.findall(r"([\w.]+) (?:not )?in \[([^\]]+)\]", text):
            if name in fields:
                yield from (value.strip() for value in values.split(","))
