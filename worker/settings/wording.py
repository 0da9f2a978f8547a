"""Pydantic's errors about a single value, in an admin's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic_core import ErrorDetails

from worker.language.suggest import suggestion


@dataclass(frozen=True, slots=True)
class Expected:
    """A value of the wrong kind: ``form`` is what is expected, ``found`` what is there, ready to append."""

    form: str
    found: str

    @property
    def text(self) -> str:
        """The whole message."""
        return f"expected {self.form}{self.found}"


_FORMS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "date": "a date (YYYY-MM-DD)",
    "datetime": "a point in time",
    "list": 'a list (lines that begin with "- ")',
    "tuple": 'a list (lines that begin with "- ")',
    "set": 'a list (lines that begin with "- ")',
    "frozen": 'a list (lines that begin with "- ")',
    "dict": 'a block of settings ("name: value" on each line)',
    "mapping": 'a block of settings ("name: value" on each line)',
    "model": 'a block of settings ("name: value" on each line)',
    "none": "nothing",
}
_LIMITS = {
    "greater_than": ("gt", "must be more than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
    "multiple_of": ("multiple_of", "must be a multiple of"),
}
_KINDS_OF_COMPLAINT = ("_type", "_parsing", "_from_float", "_from_datetime_inexact", "_size", "_attributes_type")


def message_of(detail: ErrorDetails, written: str | None) -> str | Expected:
    """The message for the author; ``written`` is the text as typed, where the value is a single one."""
    kind, context = detail["type"], detail.get("ctx", {})
    error = context.get("error")
    if kind in {"value_error", "assertion_error"} and error is not None:
        return str(error)
    if kind in {"literal_error", "enum"}:
        return _one_of(detail, str(context.get("expected", "")), written)
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        return f"{words} {context[name]}"
    if kind in {"too_short", "string_too_short"}:
        return f"must have at least {context['min_length']} {_counted(kind, context['min_length'])}"
    if kind in {"too_long", "string_too_long"}:
        return f"must have at most {context['max_length']} {_counted(kind, context['max_length'])}"
    if kind == "string_pattern_mismatch":
        return f'"{written}" does not have the form {context["pattern"]}'
    if kind == "union_tag_invalid":
        return _not_among(written or str(context["tag"]), _names(str(context["expected_tags"])))
    if kind == "union_tag_not_found":
        return f'"{_names(str(context["discriminator"]))[0]}" is missing: it selects the form of this block'
    form = _FORMS.get(kind.split("_")[0])
    if form is not None and kind.endswith(_KINDS_OF_COMPLAINT):
        return Expected(form, _found(detail["input"], kind, written))
    return detail["msg"][:1].lower() + detail["msg"][1:]


def _counted(kind: str, number: Any) -> str:
    noun = "character" if kind.startswith("string") else "entry"
    if number == 1:
        return noun
    return "entries" if noun == "entry" else f"{noun}s"


def _one_of(detail: ErrorDetails, expected: str, written: str | None) -> str:
    names = _names(expected)
    value = detail["input"]
    if not isinstance(value, str | int | float):
        return Expected(f"one of: {', '.join(names)}", _found(value, "", written)).text
    word = written if written is not None else str(value)
    if names == ["1"]:
        return f"{word} is not a version this program reads; write 1"
    return _not_among(word, names)


def _names(listed: str) -> list[str]:
    return [name.strip("'") for name in listed.replace(" or ", ", ").split(", ")]


def _not_among(word: str, names: list[str]) -> str:
    return f'"{word}" is not one of: {", ".join(names)}{suggestion(word, names)}'


def _found(value: Any, kind: str, written: str | None) -> str:
    if value is None:
        return "; nothing is written here"
    if isinstance(value, dict):
        return ", not a block of settings"
    if isinstance(value, list):
        return ", not a list"
    shown = written if written is not None else str(value)
    if kind.startswith("string"):
        what = "true/false" if isinstance(value, bool) else "a date" if isinstance(value, date) else "a number"
        return f'; {shown} is read as {what}: put quotes around it: "{shown}"'
    return f", not {shown}" if len(shown) <= 40 and not kind.startswith(("model", "dict")) else ""
