"""Conditions: trees of tests under all / any / not, answered true, false or unknown (Kleene logic)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from worker.language.comparison import Comparison, parse_comparison
from worker.language.errors import LanguageError, Loc
from worker.language.expression import Mention
from worker.language.kleene import all_of, any_of, negation, or_else
from worker.language.need import Need
from worker.language.operators import Predicate, Truth
from worker.language.suggest import suggestion
from worker.language.values import Fields, Value

_DEEPEST = 20
_MOST_TESTS = 500


@dataclass(frozen=True, slots=True)
class Trace:
    """How one part of a condition was answered: its text, the answer, and the values ``seen``.

    ``note`` says why a known value cannot be compared.
    """

    text: str
    truth: Truth
    seen: tuple[tuple[str, Value], ...] = ()
    children: tuple[Trace, ...] = ()
    loc: Loc = ()
    incomparable: str = ""

    def tests(self) -> Iterator[Trace]:
        """The single tests in order."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.tests()


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison, written on one line."""

    __test__ = False  # not a test case

    comparison: Comparison
    loc: Loc = field(default=(), compare=False)
    run: Predicate = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "run", self.comparison.run)

    def truth(self, fields: Fields) -> Truth:
        """True, false, or None when something needed is unknown."""
        return self.run(fields)

    def trace(self, fields: Fields) -> Trace:
        """The answer with the values it was made of."""
        seen = tuple(
            (mention.need.key, fields.get(mention.need.key)) for mention in self.comparison.expression.mentions
        )
        incomparable = self.comparison.incomparable(self.comparison.expression.value(fields))
        return Trace(self.comparison.text, self.run(fields), seen, loc=self.loc, incomparable=incomparable)

    def comparisons(self) -> Iterator[tuple[Loc, Comparison]]:
        """Every comparison with its location."""
        yield self.loc, self.comparison

    def mentions(self) -> Iterator[tuple[Loc, Mention]]:
        """Every need, with the location where it is named."""
        for mention in self.comparison.expression.mentions:
            yield self.loc, mention

    def needs(self) -> Iterator[tuple[Loc, Need]]:
        """Every need, with its location."""
        for loc, mention in self.mentions():
            yield loc, mention.need

    def __str__(self) -> str:
        return str(self.comparison)


@dataclass(frozen=True, slots=True)
class _Group:
    """A condition whose parts are conditions."""

    children: tuple[Condition, ...]
    loc: Loc = field(default=(), compare=False)
    run: Predicate = field(init=False, compare=False, repr=False)

    def truth(self, fields: Fields) -> Truth:
        """True, false, or None when that depends on something unknown."""
        return self.run(fields)

    def comparisons(self) -> Iterator[tuple[Loc, Comparison]]:
        """Every comparison with its location."""
        for child in self.children:
            yield from child.comparisons()

    def mentions(self) -> Iterator[tuple[Loc, Mention]]:
        """Every need, with the location where it is named."""
        for child in self.children:
            yield from child.mentions()

    def needs(self) -> Iterator[tuple[Loc, Need]]:
        """Every need, with its location."""
        for child in self.children:
            yield from child.needs()

    def _traced(self, text: str, fields: Fields) -> Trace:
        children = tuple(child.trace(fields) for child in self.children)
        return Trace(text, self.run(fields), children=children, loc=self.loc)


@dataclass(frozen=True, slots=True)
class AllOf(_Group):
    """False as soon as one part is false, else unknown if one is unknown, else true."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "run", all_of(tuple(child.run for child in self.children)))

    def trace(self, fields: Fields) -> Trace:
        """The answer with those of the parts."""
        return self._traced("all", fields)

    def __str__(self) -> str:
        return f"all({'; '.join(map(str, self.children))})"


@dataclass(frozen=True, slots=True)
class AnyOf(_Group):
    """True as soon as one part is true, else unknown if one is unknown, else false."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "run", any_of(tuple(child.run for child in self.children)))

    def trace(self, fields: Fields) -> Trace:
        """The answer with those of the parts."""
        return self._traced("any", fields)

    def __str__(self) -> str:
        return f"any({'; '.join(map(str, self.children))})"


@dataclass(frozen=True, slots=True)
class Not(_Group):
    """The opposite; not unknown is unknown."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "run", negation(self.children[0].run))

    def trace(self, fields: Fields) -> Trace:
        """The answer with that of the part."""
        return self._traced("not", fields)

    def __str__(self) -> str:
        return f"not({self.children[0]})"


@dataclass(frozen=True, slots=True)
class WhenMissing(_Group):
    """The part, but ``default`` where it is unknown."""

    default: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "run", or_else(self.children[0].run, self.default))

    def trace(self, fields: Fields) -> Trace:
        """The answer with that of the part."""
        return self._traced(f"when missing: {str(self.default).lower()}", fields)

    def __str__(self) -> str:
        return f"when_missing({self.children[0]}, {str(self.default).lower()})"


Condition: TypeAlias = Test | AllOf | AnyOf | Not | WhenMissing


def parse_condition(node: object, loc: Loc = ()) -> Condition:
    """The condition of what YAML read: a text, or a mapping with one of all / any / not / if.

    Raises LanguageError; its ``problems`` are those of every line, each with its place below ``loc``.
    """
    condition = _parse(node, loc, 0)
    if sum(1 for _ in condition.comparisons()) > _MOST_TESTS:
        raise LanguageError(f"more than {_MOST_TESTS} tests in one condition", loc=loc)
    return condition


def _parse(node: object, loc: Loc, depth: int) -> Condition:
    if depth > _DEEPEST:
        raise LanguageError(f"nested more than {_DEEPEST} levels deep", loc=loc)
    if isinstance(node, str):
        try:
            return Test(parse_comparison(node), loc)
        except LanguageError as problem:
            raise problem.at(loc) from None
    if isinstance(node, dict):
        return _parse_mapping(node, loc, depth)
    if isinstance(node, list):
        raise LanguageError("put a list of tests under all: (every one must hold) or any: (one is enough)", loc=loc)
    if node is None:
        raise LanguageError("expected a test such as health.score < 40, but there is nothing here", loc=loc)
    shown = str(node).lower() if isinstance(node, bool) else str(node)
    raise LanguageError(f"expected a test such as health.score < 40, not just {shown[:40]}", loc=loc)


def _parse_mapping(node: dict[object, object], loc: Loc, depth: int) -> Condition:
    if "if" in node:
        return _parse_when_missing(node, loc, depth)
    if len(node) != 1:
        raise LanguageError(_what_is_wrong_with(node), loc=loc)
    key, inner = next(iter(node.items()))
    match key:
        case "all":
            return AllOf(_parse_list(inner, (*loc, "all"), depth), loc)
        case "any":
            return AnyOf(_parse_list(inner, (*loc, "any"), depth), loc)
        case "not":
            return Not((_parse(inner, (*loc, "not"), depth + 1),), loc)
    raise LanguageError(_what_is_wrong_with(node), loc=loc)


def _parse_list(node: object, loc: Loc, depth: int) -> tuple[Condition, ...]:
    if not isinstance(node, list):
        raise LanguageError(f'"{loc[-1]}" needs a list of tests, one per line, each after a dash', loc=loc)
    if not node:
        raise LanguageError(f'"{loc[-1]}" is empty; give at least one test', loc=loc)
    children: list[Condition] = []
    problems: list[LanguageError] = []
    for index, item in enumerate(node):
        try:
            children.append(_parse(item, (*loc, index), depth + 1))
        except LanguageError as problem:
            problems.append(problem)
    if problems:
        raise LanguageError.of(problems)
    return tuple(children)


def _parse_when_missing(node: dict[object, object], loc: Loc, depth: int) -> Condition:
    unknown = [key for key in node if key not in {"if", "when_missing"}]
    if unknown:
        hint = suggestion(str(unknown[0]), {"if", "when_missing"}, ". A test takes if: and when_missing:.")
        raise LanguageError(f'unknown key "{unknown[0]}"{hint}', loc=loc)
    if "when_missing" not in node:
        raise LanguageError('"if" inside a condition also needs when_missing: true or false', loc=loc)
    default = node["when_missing"]
    if not isinstance(default, bool):
        raise LanguageError("when_missing is true or false", loc=(*loc, "when_missing"))
    return WhenMissing((_parse(node["if"], (*loc, "if"), depth + 1),), loc, default)


def _what_is_wrong_with(node: dict[object, object]) -> str:
    if not node:
        return "expected a test or one of all:, any:, not:"
    keys = [str(key) for key in node]
    groups = [key for key in keys if key in {"all", "any", "not"}]
    if len(groups) == len(keys):
        return f"{' and '.join(groups)} stand side by side; put one inside the other, or both under all:"
    odd = next(key for key in keys if key not in groups)
    if len(keys) > 1 and groups:
        return f'unexpected key "{odd}" beside "{groups[0]}"'
    hint = suggestion(odd, {"all", "any", "not", "if"})
    if hint:
        return f'unknown key "{odd}" in a condition{hint}'
    return f'"{odd}: ..." looks like a test containing ": "; put quotes around the whole line'


def with_loc(condition: Condition, loc: Loc) -> Condition:
    """The same condition with its places below ``loc``."""
    if isinstance(condition, Test):
        return replace(condition, loc=(*loc, *condition.loc))
    children = tuple(with_loc(child, loc) for child in condition.children)
    return replace(condition, children=children, loc=(*loc, *condition.loc))
