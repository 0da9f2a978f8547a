"""The texts that settings and playbooks compare with a column, and which of them the data never has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from worker.language.condition import Condition
from worker.language.suggest import suggestion
from worker.settings.base import Loc
from worker.settings.product_schema import COMPUTED, OLD_STATES, SCHEMA, STATES, kind_of
from worker.settings.signals import Comparison, RowTest, SignalsSettings
from worker.signals.constructs import Column
from worker.signals.data_report import DataReport
from worker.signals.mapping import Catalogue
from worker.signals.table_columns import folded

_MOST_VALUES = 200
"""Of a column with more values only the most frequent are shown, and every word is looked up by itself."""
_SHOWN = 12
_PERSONAL = frozenset({"name", "domain", "email", "owner_email", "csm_email"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A text that is compared with a column. ``loc`` and ``offset`` say where it is written."""

    loc: Loc
    offset: int = 0
    text: str
    compared: str
    """What the admin calls the column."""
    table: str
    column: str
    also: str | None = None
    """A value that an account without rows has."""


def words_of_signals(signals: SignalsSettings) -> Iterator[Word]:
    """The texts under ``where:`` and ``that:``."""
    for name, signal in signals.signals.items():
        table = signal.from_ or ""
        for block, tests in (("where", signal.where), ("that", signal.that)):
            for column, test in tests.items():
                for loc, text in _texts(test, ("signals", name, block, column)):
                    compared = f"{column} of {table}"
                    yield Word(loc=loc, text=text, compared=compared, table=table, column=column)


def words_of_conditions(conditions: Iterable[tuple[Loc, Condition]], signals: SignalsSettings) -> Iterator[Word]:
    """The texts that conditions compare with a field that is read from a column."""
    for loc, condition in conditions:
        for inner, comparison in condition.comparisons():
            need = comparison.expression.left
            read = None if comparison.expression.operator or need.kind != "field" else _column_of(need.name, signals)
            for value, offset in zip(comparison.values, comparison.columns, strict=True) if read else ():
                if isinstance(value, str) and read:
                    where: Loc = (*loc, *inner)
                    table, column, also = read
                    yield Word(
                        loc=where, offset=offset, text=value, compared=need.name, table=table, column=column, also=also
                    )


def _column_of(name: str, signals: SignalsSettings) -> tuple[str, str, str | None] | None:
    """Table and column of a field, and its value without rows; None for a field that is worked out."""
    head, _, own = name.partition(".")
    if head == "account":
        return "accounts", own if own in SCHEMA["accounts"].columns else f"extra.{own}", None
    signal = signals.signals.get(name)
    if signal is None or signal.measure not in {"latest", "top"} or not signal.from_ or not signal.column:
        return None
    return signal.from_, signal.column, None if signal.when_none is None else str(signal.when_none)


def _texts(test: RowTest | None, loc: Loc) -> Iterator[tuple[Loc, str]]:
    if isinstance(test, Comparison):
        for key, values in (("in", test.in_), ("not_in", test.not_in), ("is_not", test.is_not)):
            yield from _texts(values, (*loc, key))
    elif isinstance(test, list):
        yield from (((*loc, index), value) for index, value in enumerate(test) if isinstance(value, str))
    elif isinstance(test, str):
        yield loc, test


@dataclass(slots=True)
class Vocabulary:
    """The values of the columns in the data, each column read once."""

    catalogue: Catalogue
    report: DataReport
    _read: dict[tuple[str, str], Mapping[str, int] | None] = field(default_factory=dict)
    _wide: set[tuple[str, str]] = field(default_factory=set)
    """Columns that may have more values than were read."""

    def missing(self, word: Word) -> str:
        """The message for a text that its column never has; empty where it does or where that is not known.

        Raises SourceError.
        """
        text = _folded(word.text)
        never = f'{word.compared} is never "{word.text}"'
        if word.column in COMPUTED.get(word.table, ()):
            words = ", ".join(STATES)
            known = word.column != "state" or text in {*STATES, *OLD_STATES, _folded(word.also or "")}
            return "" if known else f"{never}; it is one of {words}{suggestion(word.text, STATES)}"
        values = self._values(word.table, word.column)
        if values is None or text in map(_folded, (*values, *([word.also] if word.also else []))):
            return ""
        wide = (word.table, word.column) in self._wide
        if wide and self._occurs(word):
            return ""
        if word.column in _PERSONAL or any("@" in value for value in values):
            return f"{never} in your data"
        return f"{never}; in your data: {_shown(values, wide)}{suggestion(word.text, values)}"

    def _occurs(self, word: Word) -> bool:
        table = self.catalogue.table(word.table)
        assert table is not None  # noqa: S101 - its most frequent values were read
        same = folded(table.text(word.column)) == word.text.strip().lower()
        return bool(self.catalogue.engine.run(sa.select(sa.literal(1)).select_from(table.rows).where(same).limit(1)))

    def _values(self, table: str, column: str) -> Mapping[str, int] | None:
        if (table, column) not in self._read:
            self._read[table, column] = self._most_frequent(table, column)
        return self._read[table, column]

    def _most_frequent(self, name: str, column: str) -> Mapping[str, int] | None:
        table, findings = self.catalogue.table(name), self.report.table(name)
        if (
            table is None
            or not table.has(column)
            or kind_of(name, column) != "text"
            or not (findings and findings.rows)
        ):
            return None
        if column.startswith("extra.") and table.kind(column) not in {"text", "any"}:
            return None
        texts = sa.select(table.text(column).label("t")).select_from(table.rows).subquery("s_texts")
        columns: list[Column] = [texts.c.t, sa.func.count()]
        asked = sa.select(*columns).where(texts.c.t.is_not(None)).group_by(texts.c.t)
        rows = self.catalogue.engine.run(asked.order_by(sa.func.count().desc(), texts.c.t).limit(_MOST_VALUES))
        if len(rows) == _MOST_VALUES:
            self._wide.add((name, column))
        return _merged((str(value), int(number)) for value, number in rows)


def _merged(rows: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    """Spellings that compare as equal, under the most frequent of them."""
    spelled: dict[str, str] = {}
    found: dict[str, int] = {}
    for value, number in rows:
        shown = spelled.setdefault(_folded(value), value)
        found[shown] = found.get(shown, 0) + number
    return found


def _folded(text: str) -> str:
    return text.strip().casefold()


def _shown(values: Mapping[str, int], wide: bool) -> str:
    frequent = sorted(sorted(values, key=lambda value: -values[value])[:_SHOWN], key=_folded)
    more = " and more" if wide else f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return ", ".join(f"{value} ({values[value]:,})" for value in frequent) + more if values else "no value at all"
