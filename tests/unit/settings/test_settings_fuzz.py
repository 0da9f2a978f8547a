"""Whatever stands in a file, the answer is settings or problems, each at a place that exists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from worker.settings.known import Known
from worker.settings.partial_settings import PartialSettings
from worker.settings.playbook import Playbook
from worker.settings.problems import ConfigError, Problem
from worker.settings.project import CONFIG
from worker.settings.validation import place_findings, validate
from worker.settings.yaml_document import read_document

SHIPPED = {path.stem: path.read_bytes() for path in (Path(__file__).parents[3] / "config").glob("*.yaml")}

words = st.sampled_from(
    ["version", "destinations", "signals", "health", "parts", "NO", "1.10", "12:30", "env:X", "a: b", "{{x}}", "[",
     "plan is pro", "count(A, 7d) >= 1", "health.score <", "80%", "3d", "0x1F", "~", "\ufeff", "é", "\t", "#1", "- "]
)  # fmt: skip
scalars = st.one_of(
    words, st.text(max_size=12), st.integers(), st.floats(), st.booleans(), st.none(), st.dates(), st.datetimes()
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
fragments = st.lists(
    words | st.sampled_from(["\n", "\n  ", "\n    ", ": ", ":", "- ", "[", "]", "{", "}", ",", "'", '"', "|\n", ">\n",
                             "&a ", "*a", "!!str ", "---\n", "...\n", "? ", "%YAML 1.1\n", "\\", "\r\n", "\x85"]),
    max_size=30,
).map("".join)  # fmt: skip


def assert_placed(content: bytes, problems: tuple[Problem, ...]) -> None:
    """Every problem points into the file: at a character of a line, or just behind its last."""
    text = content.decode("utf-8", "replace").removeprefix("\ufeff")
    for end in ("\r\n", "\r", "\x85", "\u2028", "\u2029"):
        text = text.replace(end, "\n")
    lines = text.split("\n")
    assert all(problem.message for problem in problems)
    for problem in problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.format().isprintable() or "\n" in problem.format()


def models() -> list[type[BaseModel]]:
    return [model for model, _ in CONFIG.values()] + [Playbook]


def check(content: bytes) -> None:
    try:
        document = read_document("demo.yaml", content)
    except ConfigError as error:
        assert_placed(content, error.problems)
        return
    for model in models():
        made, problems = validate(model, document)
        assert_placed(content, problems)
        assert (made is None) == any(problem.severity == "error" for problem in problems)


@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf")
@example(b"\xef\xbb\xbf\xef\xbb\xbfa: 1")
@example(b"%YAML " + b"9" * 5000 + b".1\n---\na: 1\n")
@example(b"a: " + b"9" * 5000)
@example(b"a: 0x" + b"f" * 5000)
@example(b"a: 0b_")
@example(b"a: 1" + b":1" * 2000 + b".5")
@example(b"<<: {a: 1}")
@example(b"=: 1")
@example(b"a: =")
@example(b"a: <<")
@settings(max_examples=150, deadline=None)
def test_arbitrary_bytes_are_settings_or_problems(content: bytes) -> None:
    check(content)


@given(fragments)
@settings(max_examples=200, deadline=None)
def test_broken_yaml_is_settings_or_problems(text: str) -> None:
    check(text.encode())


@given(trees)
@settings(max_examples=150, deadline=None)
def test_any_content_is_settings_or_problems(tree: Any) -> None:
    check(
        yaml.safe_dump({"version": 1, "x": tree} if not isinstance(tree, dict) else tree, allow_unicode=True).encode()
    )


@given(st.sampled_from(sorted(SHIPPED)), st.data())
@settings(max_examples=80, deadline=None)
def test_a_shipped_file_with_a_slip_is_settings_or_problems(name: str, data: st.DataObject) -> None:
    content = SHIPPED[name].decode()
    at = data.draw(st.integers(0, len(content)))
    cut = data.draw(st.integers(0, 12))
    slip = data.draw(fragments)
    changed = (content[:at] + slip + content[at + cut :]).encode()
    try:
        document = read_document(f"{name}.yaml", changed)
    except ConfigError as error:
        assert_placed(changed, error.problems)
        return
    model, look = CONFIG[name]
    _, problems = validate(model, document)
    assert_placed(changed, problems)
    remains = PartialSettings(document)
    rest = remains.settings(model)
    if rest is not None:
        assert_placed(changed, tuple(place_findings(document, remains.findings(look(rest, Known())))))


printable = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20)


@given(
    st.dictionaries(
        printable.filter(bool),
        st.recursive(
            printable | st.booleans() | st.none() | st.integers(-(2**62), 2**62),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(printable.filter(bool), inner, max_size=3),
            max_leaves=8,
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=150, deadline=None)
def test_what_is_written_with_quotes_is_read_back(data: dict[str, Any]) -> None:
    written = yaml.safe_dump(data, default_style='"', allow_unicode=True)
    for tag in ("bool", "null", "int"):
        written = written.replace(f"!!{tag} ", "")
    read = read_document("demo.yaml", written.encode())
    assert [problem for problem in read.problems if problem.severity == "error"] == []
    assert _texts(read.data) == _texts(data)


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_texts(inner) for inner in value]
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
