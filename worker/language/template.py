"""Texts with ``{{field}}`` in them. Plain substitution only."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

from connectors.base.values import not_a_formula, shorten, stored_text
from worker.language.errors import LanguageError
from worker.language.expression import Expression, Mention, parse_expression
from worker.language.values import Fields, Value, tidy

_OPEN_TO_CLOSE = re.compile(r"\{\{(?P<inside>(?:(?!\{\{|\}\}).)*)\}\}", re.DOTALL)
_SINGLE = re.compile(r"(?<!\{)\{\s*[A-Za-z_]\w*(?:\.\w+)+\s*\}(?!\})")
_LONGEST = 20_000

_Part: TypeAlias = str | Expression


@dataclass(frozen=True, slots=True)
class Template:
    """A text with gaps to fill from an account's fields."""

    parts: tuple[_Part, ...]
    text: str = field(default="", compare=False)
    mentions: tuple[Mention, ...] = field(default=(), compare=False, repr=False)

    def render(self, fields: Fields, cut: int | None = None) -> str:
        """The filled text; what is unknown reads "unknown". Longer than ``cut`` characters, it ends in "…".

        What is filled in is data: it has no control characters, and where it comes first it begins no formula.
        """
        filled = "".join(part if isinstance(part, str) else _inserted(part.value(fields)) for part in self.parts)
        if self.parts and not isinstance(self.parts[0], str):
            filled = not_a_formula(filled)
        return filled if cut is None else shorten(filled, cut)

    def value(self, fields: Fields) -> Value:
        """The bare value when the text is nothing but one ``{{field}}``, else the filled text."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Expression):
            return self.parts[0].value(fields)
        return self.render(fields)

    def __str__(self) -> str:
        return self.text


def _inserted(value: Value) -> str:
    return stored_text(tidy(value))


def parse_template(text: str) -> Template:
    """A text with gaps such as ``{{account.name}}``. Raises LanguageError with the column of the gap."""
    if len(text) > _LONGEST:
        raise LanguageError(f"this text is longer than {_LONGEST} characters")
    parts: list[_Part] = []
    mentions: list[Mention] = []
    problems: list[LanguageError] = []
    end = 0
    for gap in _OPEN_TO_CLOSE.finditer(text):
        problems += _stray(text, end, gap.start())
        if gap.start() > end:
            parts.append(text[end : gap.start()])
        end = gap.end()
        try:
            expression, column = _gap(gap["inside"], gap.start("inside"))
        except LanguageError as problem:
            problems.append(problem)
            continue
        parts.append(expression)
        mentions += [Mention(mention.need, mention.column + column) for mention in expression.mentions]
    problems += _stray(text, end, len(text))
    if end < len(text):
        parts.append(text[end:])
    if problems:
        raise LanguageError.of(problems)
    return Template(tuple(parts), text, tuple(mentions))


def _gap(inside: str, column: int) -> tuple[Expression, int]:
    column += len(inside) - len(inside.lstrip())
    written = inside.strip()
    if not written:
        raise LanguageError("{{ }} is empty; write a field in it, such as {{account.name}}", column)
    pipe = written.find("|")
    if pipe >= 0:
        raise LanguageError("filters are not available; {{ }} takes a field, such as {{account.name}}", column + pipe)
    try:
        expression = parse_expression(written)
    except LanguageError as problem:
        raise problem.shifted(column) from None
    if expression.operator:
        raise LanguageError("{{ }} takes one field or function; define a signal for what has to be worked out", column)
    return expression, column


def _stray(text: str, start: int, end: int) -> list[LanguageError]:
    """Braces that look like a gap and are not one."""
    piece = text[start:end]
    for mark, message in (
        ("{{", 'this "{{" has no "}}"'),
        ("}}", 'this "}}" has no "{{"'),
        ("{%", "{% %} is not available; a text only takes fields, such as {{account.name}}"),
    ):
        at = piece.find(mark)
        if at >= 0:
            return [LanguageError(message, start + at)]
    single = _SINGLE.search(piece)
    if single is None:
        return []
    return [LanguageError(f"write {{{single[0]}}} with two braces on each side", start + single.start())]
