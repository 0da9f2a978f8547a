"""Reads the part of SOQL the sandbox speaks and refuses everything else as MALFORMED_QUERY.

    SELECT path, … | count()  FROM Object
    [WHERE condition] [ORDER BY path [ASC|DESC] [NULLS FIRST|LAST], …] [LIMIT n] [OFFSET n]

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select.htm
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from connectors.sandbox.salesforce.errors import RequestRejected
from connectors.sandbox.salesforce.soql_words import Token, rejected_at, tokens, unescape
from connectors.sandbox.salesforce.values import parse_moment, stamp

_SIGNS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_DATE_WORDS = frozenset({"today", "yesterday", "tomorrow"})
_DAY_COUNTS = frozenset({"last_n_days", "next_n_days", "n_days_ago"})
_MOST_DAYS = 100_000
_MOST_SKIPPED = 2000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Path:
    """A field, perhaps of a parent: ``("Account", "Name")``."""

    names: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A value, dates and datetimes as they are stored.

    ``kind`` is string, number, boolean, null, date, datetime, or named (TODAY, LAST_N_DAYS) with ``n`` days.
    """

    kind: str
    value: Any
    n: int = 0


@dataclass(frozen=True, slots=True)
class Compare:
    """``path op literals``; ``op`` is one of the signs, ``like``, ``in`` or ``not in``."""

    path: Path
    op: str
    literals: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Logic:
    """``and``, ``or`` or ``not`` of conditions."""

    op: str
    parts: tuple[Condition, ...]


Condition = Compare | Logic


@dataclass(frozen=True, slots=True)
class Order:
    """One ORDER BY item."""

    path: Path
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. ``paths`` is empty for ``SELECT count()``."""

    text: str
    object: str
    object_at: int
    paths: tuple[Path, ...]
    where: Condition | None
    order: tuple[Order, ...]
    limit: int | None
    offset: int


def parse(text: str) -> Query:
    """Read a whole query. Raises `RequestRejected` MALFORMED_QUERY."""
    return _Parser(text).query()


def parse_condition(text: str) -> Condition:
    """Read what stands after WHERE. Raises `RequestRejected` MALFORMED_QUERY."""
    parser = _Parser(text)
    return parser.whole(parser.condition)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(tokens(text))
        self._next = 0

    def query(self) -> Query:
        self._keyword("select")
        paths = self._selection()
        self._keyword("from")
        target = self._word()
        where = self.condition() if self._taken("where") else None
        order: tuple[Order, ...] = ()
        if self._taken("order"):
            self._keyword("by")
            order = self._list(self._order)
        limit = self._count() if self._taken("limit") else None
        offset = self._count() if self._taken("offset") else 0
        if offset > _MOST_SKIPPED:
            message = f"Maximum SOQL offset allowed is {_MOST_SKIPPED}"
            raise RequestRejected("NUMBER_OUTSIDE_VALID_RANGE", message, None)
        query = Query(self._text, target.text, target.at, paths, where, order, limit, offset)
        return self.whole(lambda: query)

    def whole(self, part: Callable[[], T]) -> T:
        """The part, which has to reach to the end of the text."""
        read = part()
        if self._peek().kind != "end":
            raise self._unexpected()
        return read

    def condition(self) -> Condition:
        first = self._factor()
        for word in ("and", "or"):
            if self._peek().text.lower() == word:
                parts = [first]
                while self._taken(word):
                    parts.append(self._factor())
                if self._peek().text.lower() in ("and", "or"):  # mixing them needs brackets
                    raise self._unexpected()
                return Logic(word, tuple(parts))
        return first

    def _factor(self) -> Condition:
        if self._taken("not"):
            return Logic("not", (self._factor(),))
        if self._taken("("):
            inner = self.condition()
            self._keyword(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Compare:
        path = self._path()
        token = self._peek()
        op = _SIGNS.get(token.text) or token.text.lower()
        if op in _SIGNS or op in ("like", "in"):
            self._next += 1
        elif self._taken("not"):
            self._keyword("in")
            op = "not in"
        else:
            raise self._unexpected()
        if op not in ("in", "not in"):
            return Compare(path, op, (self._literal(),))
        self._keyword("(")
        literals = self._list(self._literal)
        self._keyword(")")
        return Compare(path, op, literals)

    def _selection(self) -> tuple[Path, ...]:
        ahead = [token.text.lower() for token in self._tokens[self._next : self._next + 3]]
        if ahead == ["count", "(", ")"]:
            self._next += 3
            return ()
        return self._list(self._path)

    def _order(self) -> Order:
        path = self._path()
        descending = self._taken("desc")
        if not descending:
            self._taken("asc")
        nulls_last = False
        if self._taken("nulls"):
            nulls_last = self._taken("last")
            if not nulls_last:
                self._keyword("first")
        return Order(path, descending, nulls_last)

    def _literal(self) -> Literal:
        token = self._peek()
        self._next += 1
        word = token.text.lower()
        if token.kind == "string":
            return Literal("string", unescape(token.text[1:-1]))
        if token.kind == "number":
            return Literal("number", float(word))
        if token.kind in ("date", "datetime"):
            return Literal(token.kind, self._datetime(token))
        if word in ("true", "false"):
            return Literal("boolean", word == "true")
        if word == "null":
            return Literal("null", None)
        if word in _DATE_WORDS:
            return Literal("named", word)
        if word in _DAY_COUNTS and self._taken(":"):
            return Literal("named", word, min(self._count(), _MOST_DAYS))
        self._next -= 1
        raise self._unexpected()

    def _datetime(self, token: Token) -> str:
        try:
            if token.kind == "date":
                return date.fromisoformat(token.text).isoformat()
            return stamp(parse_moment(token.text))
        except (ValueError, OverflowError):
            self._next -= 1
            raise self._unexpected() from None

    def _path(self) -> Path:
        word = self._word()
        if word.text.endswith(".") or ".." in word.text or self._peek().text == "(":
            raise self._unexpected()
        return Path(tuple(word.text.split(".")), word.at)

    def _count(self) -> int:
        token = self._peek()
        if token.kind != "number" or not token.text.isdigit():
            raise self._unexpected()
        self._next += 1
        return int(token.text)

    def _list(self, item: Callable[[], T]) -> tuple[T, ...]:
        items = [item()]
        while self._taken(","):
            items.append(item())
        return tuple(items)

    def _word(self) -> Token:
        token = self._peek()
        if token.kind != "word":
            raise self._unexpected()
        self._next += 1
        return token

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _taken(self, word: str) -> bool:
        token = self._peek()
        if token.kind in ("word", "sign") and token.text.lower() == word:
            self._next += 1
            return True
        return False

    def _keyword(self, word: str) -> None:
        if not self._taken(word):
            raise self._unexpected()

    def _unexpected(self) -> RequestRejected:
        token = self._peek()
        shown = "<EOF>" if token.kind == "end" else token.text
        return rejected_at(self._text, token.at, "MALFORMED_QUERY", f"unexpected token: '{shown}'")
