# ruff: noqa: INP001 - a tool beside the pages, no package
"""The generated parts of docs/*.md, made from the models, the command line and the metrics: ``make docs`` writes them.

A part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``. `tests/unit/test_docs.py` fails when a part is
not what this module makes, so that no setting, command or metric can change without its page.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from worker.cli import app  # noqa: E402
from worker.reports import prometheus  # noqa: E402
from worker.settings.product_schema import COMPUTED, SCHEMA  # noqa: E402
from worker.settings.schema import schemas  # noqa: E402
from worker.settings.score_specs import score_fields  # noqa: E402

Schema: TypeAlias = dict[str, Any]

_PART = re.compile(r"(<!-- generated: ([\w .-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_KEPT_ELSEWHERE = "^(env|file):.+"
_PLAIN = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true or false", "object": "map"}


def generated(text: str) -> str:
    """A page with its parts made again. Raises `KeyError` for a part that no function makes."""
    return _PART.sub(lambda part: f"{part[1]}{_made(part[2])}\n{part[3]}", text)


def _made(name: str) -> str:
    kind, _, of = name.partition(" ")
    return PARTS[kind](of)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("``", "`").replace("|", "\\|").split())


# ------------------------------------------------------------------------------------------------------- settings


def settings(file: str) -> str:
    """Every key of a YAML file: one table per block, in the order in which the blocks are met."""
    schema = test_file_schema() if file == "playbook-test" else schemas()[file]
    return "\n\n".join(
        f"{f'**`{path}`** {text}' if path else '**The file**'}\n\n{table(['key', 'value', 'default', 'meaning'], rows)}"
        for path, text, rows in _blocks(schema)
    )


def test_file_schema() -> Schema:
    """The schema of a playbook's test file; no editor gets it."""
    from worker.rules.playbook_test_file import PlaybookTests
    from worker.settings.schema import schema_of

    return schema_of("playbook-test", PlaybookTests)


def undocumented() -> list[str]:
    """Every setting, as ``file: block.key``, without a text in its model."""
    every = [(name, schema) for name, schema in schemas().items()] + [("playbook-test", test_file_schema())]
    return [
        f"{name}: {path}.{row[0]}"
        for name, schema in every
        for path, _, rows in _blocks(schema)
        for row in rows
        if not row[3]
    ]


def _blocks(schema: Schema) -> Iterator[tuple[str, str, list[list[str]]]]:
    known: Mapping[str, Schema] = schema.get("$defs", {})
    met: set[str] = set()
    waiting: list[tuple[str, str, Schema]] = [("", "", schema)]
    while waiting:
        path, text, block = waiting.pop(0)
        rows, inner = [], []
        for key, value in block["properties"].items():
            below = [name for name in _references(value) if name not in met and name != "condition"]
            met.update(below)
            inner += [(_path(path, key, value, known[name], len(below)), name) for name in below]
            rows.append([f"`{key}`", _kind(value), _default(key, value, block), _meaning(value, known)])
        waiting[:0] = [(where, _first_line(known[name]), known[name]) for where, name in inner]
        yield path, text, rows


def _path(path: str, key: str, value: Schema, block: Schema, alternatives: int) -> str:
    here = f"{path}.{key}" if path else key
    if value.get("type") == "array":
        here += "[]"
    elif _values(value):
        here += ".NAME"
    named = next((f"{k}: {v['const']}" for k, v in block["properties"].items() if k != "version" and "const" in v), "")
    if alternatives > 1 and not named:
        named = next(iter(block.get("required", ())), "")
    return f"{here} ({named})" if alternatives > 1 and named else here


def _references(value: Schema) -> list[str]:
    if "$ref" in value:
        return [value["$ref"].rsplit("/", 1)[-1]]
    below = [*value.get("anyOf", []), *value.get("oneOf", [])]
    below += [value.get("items", {}), _values(value)]
    return [name for inner in below for name in _references(inner)] if value else []


def _values(value: Schema) -> Schema:
    """What the values of a map are; empty where the value is no map, or one of anything."""
    inner = next(iter(value.get("patternProperties", {}).values()), value.get("additionalProperties"))
    return inner if isinstance(inner, dict) else {}


def _kind(value: Schema) -> str:
    if "$ref" in value:
        return "condition" if value["$ref"].endswith("/condition") else "block"
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{one}`" for one in value["enum"])
    if alternatives := value.get("anyOf") or value.get("oneOf"):
        kinds = dict.fromkeys(_kind(one) for one in alternatives if one.get("type") != "null")
        return " or ".join(one for one in kinds if one != "whole number" or "number" not in kinds)
    if value.get("type") == "array":
        return f"list of {_kind(value.get('items', {}))}"
    if _values(value):
        return f"name: {_kind(_values(value))}"
    if value.get("pattern") == _KEPT_ELSEWHERE:
        return "`env:NAME` or `file:PATH`"
    kinds = value.get("type", "value")
    named = [str(one) for one in (kinds if isinstance(kinds, list) else [kinds]) if one != "null"]
    text = " or ".join(_PLAIN.get(one, one) for one in named)
    return text + _limits(value) + (f", such as `{value['examples'][0]}`" if value.get("examples") else "")


def _limits(value: Schema) -> str:
    low = value.get("minimum", value.get("exclusiveMinimum"))
    high = value.get("maximum", value.get("exclusiveMaximum"))
    below, above = "exclusiveMaximum" in value, "exclusiveMinimum" in value
    limits = [f"{'more than' if above else 'from'} {low:g}" if low is not None else ""]
    limits.append(f"{'less than' if below else 'to'} {high:g}" if high is not None else "")
    return "".join(f" {one}" for one in limits if one)


def _default(key: str, value: Schema, block: Schema) -> str:
    if key in block.get("required", []):
        return "required"
    default = value.get("default")
    if default is None or default in ([], {}, ""):
        return ""
    if isinstance(default, float) and "%" in str(value.get("examples")):
        return f"`{default:.0%}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _meaning(value: Schema, known: Mapping[str, Schema]) -> str:
    if "description" in value:
        return str(value["description"])
    if "const" in value:
        return "Always this."
    texts = (_first_line(known[name]) for name in _references(value) if name in known and name != "condition")
    return next(texts, "")


def _first_line(block: Schema) -> str:
    return str(block.get("description", "")).split("\n\n")[0].replace("\n", " ").replace("``", "`")


# ------------------------------------------------------------------------------------- product data, fields, signals


def columns(_: str) -> str:
    """Every table and column of ours that ``config/product.yaml`` can map."""
    rows = []
    for name, one in SCHEMA.items():
        mapped = (column for column in one.columns if column not in COMPUTED.get(name, ()))
        names = ", ".join(f"**{column}**" if column in one.required else column for column in mapped)
        rows.append([f"`{name}`", names, one.at or ""])
    return table(["table", "columns (bold: required)", "a row happens at"], rows)


def fields(_: str) -> str:
    """Every field of every score."""
    every = score_fields().values()
    rows = ([f"`{one.name}`", one.label, one.unit or one.kind, ", ".join(one.values)] for one in every)
    return table(["field", "people read", "unit", "values"], rows)


def signals(_: str) -> str:
    """Every signal of the shipped ``config/signals.yaml``."""
    shipped = yaml.safe_load((ROOT / "config/signals.yaml").read_text(encoding="utf-8"))["signals"]
    rows = ([f"`{name}`", one["label"], one.get("unit", "count")] for name, one in shipped.items())
    return table(["signal", "people read", "unit"], rows)


# ---------------------------------------------------------------------------------------------- commands and metrics


def commands(_: str) -> str:
    """Every command with its arguments and options."""
    return "\n\n".join(_command(words, command) for words, command in every_command())


def every_command() -> Iterator[tuple[str, Any]]:
    """Each command that can be run and is shown, with the words that call it."""
    yield from _commands_below("plgsync", get_command(app))


def _commands_below(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    below: Mapping[str, Any] = getattr(command, "commands", {})
    if not below:
        yield words, command
    for name, inner in below.items():
        if not inner.hidden:
            yield from _commands_below(f"{words} {name}", inner)


def _command(words: str, command: Any) -> str:
    text, _, example = (command.help or "").partition("Example:")
    given = [one for one in command.params if not getattr(one, "hidden", False) and one.name != "help"]
    arguments = "".join(f" {one.name.upper()}" for one in given if one.param_type_name == "argument")
    made = [f"### `{words}{arguments}`", " ".join(text.split())]
    if example.strip():
        made.append(f"    {' '.join(example.split())}")
    if given:
        made.append(table(["option", "default", "meaning"], (_option(one) for one in given)))
    return "\n\n".join(made)


def _option(one: Any) -> list[str]:
    name = one.name.upper() if one.param_type_name == "argument" else ", ".join(one.opts)
    takes = "" if getattr(one, "is_flag", False) or one.param_type_name == "argument" else f" {one.name.upper()}"
    default = "" if one.default in (None, False, ()) or callable(one.default) else f"`{one.default}`"
    return [f"`{name}{takes}`", "required" if one.required else default, one.help or ""]


def metrics(_: str) -> str:
    """Every Prometheus metric with its labels and its help text."""
    return table(
        ["metric", "labels", "meaning"], ([f"`{name}`", ", ".join(of), text] for name, text, of in every_metric())
    )


def every_metric() -> list[tuple[str, str, list[str]]]:
    """Name, help text and labels of each metric family in the source of the exporter."""
    tree = ast.parse(Path(prometheus.__file__).read_text(encoding="utf-8"))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    made = (call for call in calls if isinstance(call.func, ast.Name) and call.func.id.endswith("MetricFamily"))
    return sorted((_text(call.args[0]), _text(call.args[1]), _labels(call)) for call in made)


def _text(node: ast.expr) -> str:
    return str(ast.literal_eval(node))


def _labels(call: ast.Call) -> list[str]:
    return next((list(ast.literal_eval(one.value)) for one in call.keywords if one.arg == "labels"), [])


PARTS: Mapping[str, Callable[[str], str]] = {
    "settings": settings,
    "columns": columns,
    "fields": fields,
    "signals": signals,
    "commands": commands,
    "metrics": metrics,
}


def main() -> None:
    """Write every generated part."""
    for page in sorted((ROOT / "docs").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        made = generated(text)
        if made != text:
            page.write_text(made, encoding="utf-8")
            sys.stdout.write(f"{page.relative_to(ROOT)} written\n")


if __name__ == "__main__":
    main()
