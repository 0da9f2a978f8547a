"""Functions, files and dataclasses keep to the sizes that one can read at a glance."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUNCTION, FILE, POSITIONAL_FIELDS = 40, 300, 6
MIGRATIONS = ROOT / "worker" / "store" / "migrations" / "versions"  # never edited once they are released


def sources(package: str) -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        if MIGRATIONS not in path.parents:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def long_functions(source: str) -> Iterator[str]:
    """Functions with more lines than allowed, from ``def`` to the end, without the docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first, last = node.body[0], node.end_lineno or node.lineno
            docstring = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(node) is not None else 0
            lines = last - node.lineno + 1 - docstring
            if lines > FUNCTION:
                yield f"{node.name}: {lines} lines"


def wide_dataclasses(source: str) -> Iterator[str]:
    """Dataclasses whose many fields may be given by position."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            decorators = [one for one in map(ast.unparse, node.decorator_list) if one.startswith("dataclass")]
            fields = [one for one in node.body if isinstance(one, ast.AnnAssign) and "ClassVar" not in ast.unparse(one)]
            if decorators and len(fields) > POSITIONAL_FIELDS and "kw_only=True" not in decorators[0]:
                yield f"{node.name}: {len(fields)} fields without kw_only=True"


@pytest.mark.parametrize("package", ["worker", "connectors"])
def test_no_function_and_no_file_is_too_long(package: str) -> None:
    found = [f"{name}: {one}" for name, source in sources(package) for one in long_functions(source)]
    found += [name for name, source in sources(package) if source.count("\n") > FILE]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("package", ["worker", "connectors"])
def test_many_fields_are_given_by_name(package: str) -> None:
    found = [f"{name}: {one}" for name, source in sources(package) for one in wide_dataclasses(source)]
    assert not found, "\n".join(found)


def test_what_is_too_long_is_found() -> None:
    def function(lines: int) -> str:
        return 'def f():\n    """One.\n\n    Two."""\n' + "    pass\n" * lines

    assert list(long_functions(function(FUNCTION - 1))) == []
    assert list(long_functions(function(FUNCTION))) == [f"f: {FUNCTION + 1} lines"]
    fields = "".join(f"    x{n}: int\n" for n in range(POSITIONAL_FIELDS + 1))
    assert list(wide_dataclasses(f"@dataclass(frozen=True)\nclass C:\n{fields}"))
    assert not list(wide_dataclasses(f"@dataclass(frozen=True, kw_only=True)\nclass C:\n{fields}"))
