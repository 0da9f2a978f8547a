"""The records of one kind: values, history, versions a lagging search still sees, merges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from connectors.sandbox.hubspot.addresses import OTHERS, PRIMARY, addresses_in, joined, others_in
from connectors.sandbox.hubspot.kinds import CONTACTS, Kind
from connectors.sandbox.hubspot.moments import iso

Values = dict[str, str]

_VERSIONS_KEPT_MS = 120_000
_VERSIONS_KEPT = 64
"""How far back a search can lag; a record written more often than that is seen still older."""


@dataclass(frozen=True, slots=True)
class Source:
    """Who wrote a value. ``user_id`` is set for a person."""

    type: str
    id: str
    user_id: str | None = None


class Change(NamedTuple):
    """One value a property had, from ``at_ms`` on."""

    value: str
    at_ms: int
    source: Source


@dataclass(slots=True)
class Record:
    """One record. ``values`` is replaced, never changed, so that older versions stay as they were.

    A value that was cleared is kept as an empty text; one that was never set is absent (recorded).
    """

    id: str
    values: Values
    created_ms: int
    updated_ms: int
    archived_ms: int | None = None
    writes: list[tuple[int, Source, Mapping[str, str]]] = field(default_factory=list)
    versions: list[tuple[int, Values]] = field(default_factory=list)

    def seen_at(self, ms: int) -> Values | None:
        """The values a search goes by that lags behind at ``ms``; None when there was no record then."""
        if self.archived_ms is not None and self.archived_ms <= ms:
            return None
        for since, values in reversed(self.versions):
            if since <= ms:
                return values
        return None

    def history(self, name: str) -> list[Change]:
        """Every value a property had, oldest first; writing the same value again is no change."""
        found: list[Change] = []
        for at_ms, source, changes in self.writes:
            value = changes.get(name)
            if value is not None and value != (found[-1].value if found else ""):
                found.append(Change(value, at_ms, source))
        return found

    def set(self, changes: Mapping[str, str], modified: str, at_ms: int, source: Source) -> None:
        """Store changed values; ``modified`` names the property that holds the moment of the last change.

        Writing the values a record has leaves that moment alone (recorded in 2025).
        """
        current = self.values
        if all(current.get(name) == value for name, value in changes.items()):
            return
        values = {**current, **changes, modified: iso(at_ms)}
        self.writes.append((at_ms, source, changes))
        self.values = values
        self.updated_ms = at_ms
        versions = self.versions
        versions.append((at_ms, values))
        if len(versions) > 2 and versions[1][0] <= at_ms - _VERSIONS_KEPT_MS:
            del versions[0]
        if len(versions) > _VERSIONS_KEPT:
            del versions[1]


class RecordStore:
    """All records of one kind, archived ones included."""

    def __init__(self, kind: Kind, first_id: int) -> None:
        self.kind = kind
        self.by_id: dict[str, Record] = {}
        self._merged: dict[str, str] = {}
        self._unique: dict[str, dict[str, str]] = {}
        self._last_id = first_id - 1

    # ---------------------------------------------------------------- finding

    def find(self, record_id: str, *, archived: bool = False) -> Record | None:
        """The record of an id, following merges; None when it does not exist or is (not) archived."""
        record = self.by_id.get(record_id)
        while record is None and record_id in self._merged:
            record_id = self._merged[record_id]
            record = self.by_id.get(record_id)
        return record if record is not None and (record.archived_ms is not None) == archived else None

    def find_by(self, name: str, value: str) -> Record | None:
        """The living record whose unique property ``name`` holds ``value``."""
        found = self._unique.get(name, {}).get(value)
        return self.by_id[found] if found is not None else None

    def living(self) -> Iterator[Record]:
        """Every record that is not archived, oldest first."""
        return (record for record in self.by_id.values() if record.archived_ms is None)

    def archived(self) -> Iterator[Record]:
        """Every archived record, oldest first."""
        return (record for record in self.by_id.values() if record.archived_ms is not None)

    @property
    def merged(self) -> Mapping[str, str]:
        """The ids of merged records and what they answer as."""
        return self._merged

    # ---------------------------------------------------------------- unique properties

    def index(self, name: str) -> None:
        """Hold values of ``name`` unique from now on."""
        self._unique[name] = {value: r.id for r in self.living() for value in self._held(name, r.values)}

    def forget_index(self, name: str) -> None:
        """Let records share values of ``name`` again."""
        self._unique.pop(name, None)

    def is_unique(self, name: str) -> bool:
        """Whether ``name`` addresses records."""
        return name in self._unique

    def holder(self, changes: Mapping[str, str], of: str | None) -> tuple[str, str, str] | None:
        """(property, value, record id) of the first unique value in ``changes`` another record holds."""
        for name, index in self._unique.items():
            for value in self._held(name, changes):
                if (held := index.get(value)) is not None and held != of:
                    return name, value, held
        return None

    def unique_values(self, changes: Mapping[str, str]) -> list[tuple[str, str]]:
        """(property, value) of everything in ``changes`` that only one record may hold."""
        return [(name, value) for name in self._unique for value in self._held(name, changes)]

    # ---------------------------------------------------------------- changing

    @property
    def next_id(self) -> str:
        """The id the next new record gets."""
        return str(self._last_id + 1)

    def new_id(self, wanted: str | None = None) -> str:
        """The next id; ids only ever grow. ``wanted`` is taken when it is free (ValueError otherwise)."""
        if wanted is None:
            self._last_id += 1
            return str(self._last_id)
        if not wanted.isdecimal() or wanted in self.by_id:
            raise ValueError(f"{self.kind.singular} id {wanted!r} is taken or not a number")
        self._last_id = max(self._last_id, int(wanted))
        return wanted

    def create(self, record_id: str, values: Values, at_ms: int, source: Source, visible_ms: int | None) -> Record:
        """Add a record. ``visible_ms``: the moment search sees it from, if not ``at_ms``."""
        text = iso(at_ms)
        dated = {self.kind.created: text, self.kind.modified: text, **values, "hs_object_id": record_id}
        kept = {name: value for name, value in dated.items() if value}
        record = Record(record_id, kept, at_ms, at_ms)
        record.writes = [(at_ms, source, kept)]
        record.versions = [(at_ms if visible_ms is None else visible_ms, kept)]
        self.by_id[record_id] = record
        self._claim(record, self._unique)
        return record

    def update(self, record: Record, changes: Mapping[str, str], at_ms: int, source: Source) -> None:
        """Change a living record; unique values move with it."""
        if self._unique:
            touched = [name for name in self._unique if name in changes or (name == PRIMARY and OTHERS in changes)]
            self._release(record, touched)
            record.set(changes, self.kind.modified, at_ms, source)
            self._claim(record, touched)
        else:
            record.set(changes, self.kind.modified, at_ms, source)

    def archive(self, record: Record, at_ms: int) -> None:
        """Archive a living record; its unique values are free again."""
        self._release(record, self._unique)
        record.archived_ms = record.updated_ms = at_ms

    def restore(self, record: Record, at_ms: int) -> None:
        """Bring an archived record back, as far as nobody took its unique values."""
        if taken := self.holder(record.values, record.id):
            raise ValueError(f"{taken[0]} of {record.id} is now held by {taken[2]}")
        record.archived_ms, record.updated_ms = None, at_ms
        self._claim(record, self._unique)

    def delete(self, record: Record) -> None:
        """Remove a record for good, as if it had never been."""
        self._release(record, self._unique)
        del self.by_id[record.id]

    def merge(self, survivor: Record, loser: Record, at_ms: int, source: Source) -> None:
        """Fill the survivor's empty properties from the loser, whose id answers as the survivor from now on."""
        self._release(loser, self._unique)
        own = {self.kind.created, self.kind.modified, "hs_object_id", "hs_merged_object_ids", "hs_all_contact_vids"}
        filled = {n: v for n, v in loser.values.items() if n not in own and not survivor.values.get(n)}
        merged = [*survivor.values.get("hs_merged_object_ids", "").split(";"), loser.id]
        filled["hs_merged_object_ids"] = ";".join(part for part in merged if part)
        if self.kind is CONTACTS:
            primary = survivor.values.get(PRIMARY) or filled.get(PRIMARY)
            others = [*others_in(survivor.values), *addresses_in(loser.values)]
            filled[OTHERS] = joined(each for each in others if each != primary)
            filled["hs_all_contact_vids"] = ";".join([survivor.id, *filled["hs_merged_object_ids"].split(";")])
        del self.by_id[loser.id]
        self._merged[loser.id] = survivor.id
        self.update(survivor, filled, at_ms, source)

    def reinstate(self, records: Iterable[Record], merged: Mapping[str, str], next_id: int) -> None:
        """Put back what a store once held, archived records and merges included; new ids begin at ``next_id``."""
        self.by_id.update((record.id, record) for record in records)
        self._merged.update(merged)
        self._last_id = max(self._last_id, next_id - 1)
        for name in list(self._unique):
            self.index(name)

    def _held(self, name: str, values: Mapping[str, str]) -> Sequence[str]:
        if name == PRIMARY and self.kind is CONTACTS:
            return addresses_in(values)
        value = values.get(name)
        return (value,) if value else ()

    def _claim(self, record: Record, names: Iterable[str]) -> None:
        for name in names:
            for value in self._held(name, record.values):
                self._unique[name][value] = record.id

    def _release(self, record: Record, names: Iterable[str]) -> None:
        for name in names:
            index = self._unique[name]
            for value in self._held(name, record.values):
                if index.get(value) == record.id:
                    del index[value]


def echo(record: Record, kind: Kind, names: tuple[str, ...], more: tuple[str, ...] = ()) -> dict[str, str | None]:
    """The ``properties`` of an answer: ``names``, ``more`` of those that have a value, and the three always there.

    Of ``names`` those without a value are null.
    """
    values = record.values
    return {name: values.get(name) for name in _ordered(kind, names, more) if name in values or name in names}


@lru_cache(maxsize=1024)
def _ordered(kind: Kind, names: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*names, *more, kind.created, kind.modified, "hs_object_id"}))
