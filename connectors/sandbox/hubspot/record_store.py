"""The records of one kind: lookup, unique values, merges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from connectors.sandbox.hubspot.addresses import OTHERS, PRIMARY, addresses_in, joined, others_in
from connectors.sandbox.hubspot.kinds import CONTACTS, Kind
from connectors.sandbox.hubspot.record import MERGE, Record, Source, Values
from connectors.sandbox.hubspot.timestamps import iso


class RecordStore:
    """All records of one kind, archived ones included."""

    def __init__(self, kind: Kind, first_id: int) -> None:
        self.kind = kind
        self.by_id: dict[str, Record] = {}
        self._merged: dict[str, str] = {}
        self._unique: dict[str, dict[str, str]] = {}
        self._last_id = first_id - 1
        self.touched: dict[str, None] = {}
        """Ids of the records that changed since the change tracker last cleared this."""

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
        """The ids of merged records and the id of each survivor."""
        return self._merged

    # ---------------------------------------------------------------- unique properties

    def index(self, name: str) -> None:
        """Make values of ``name`` unique from now on."""
        self._unique[name] = {value: r.id for r in self.living() for value in self._held(name, r.values)}

    def forget_index(self, name: str) -> None:
        """Allow records to share values of ``name`` again."""
        self._unique.pop(name, None)

    def is_unique(self, name: str) -> bool:
        """Whether ``name`` addresses records."""
        return name in self._unique

    def holder(self, changes: Mapping[str, str], of: str | None) -> tuple[str, str, str] | None:
        """(property, value, record id) of the first unique value in ``changes`` that another record has."""
        for name, index in self._unique.items():
            for value in self._held(name, changes):
                if (held := index.get(value)) is not None and held != of:
                    return name, value, held
        return None

    def unique_values(self, changes: Mapping[str, str]) -> list[tuple[str, str]]:
        """(property, value) of every unique value in ``changes``."""
        return [(name, value) for name in self._unique for value in self._held(name, changes)]

    # ---------------------------------------------------------------- changing

    @property
    def next_id(self) -> str:
        """The id of the next new record."""
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
        """Add a record. ``visible_ms``: the time from which search finds it, if not ``at_ms``."""
        text = iso(at_ms)
        dated = {self.kind.created: text, self.kind.modified: text, **values, "hs_object_id": record_id}
        kept = {name: value for name, value in dated.items() if value}
        record = Record(
            id=record_id,
            values=kept,
            created_ms=at_ms,
            updated_ms=at_ms,
            visible_ms=at_ms if visible_ms is None else visible_ms,
        )
        record.writes.append((at_ms, source, dict(kept)))
        self.by_id[record_id] = record
        self.touched[record_id] = None
        self._claim(record, self._unique)
        return record

    def update(self, record: Record, changes: Mapping[str, str], at_ms: int, source: Source) -> None:
        """Change a living record; unique values move with it."""
        touched = [name for name in self._unique if self._moves(name, record.values, changes)]
        if touched:
            self._release(record, touched)
        record.set(changes, self.kind.modified, at_ms, source)
        self.touched[record.id] = None
        if touched:
            self._claim(record, touched)

    def archive(self, record: Record, at_ms: int) -> None:
        """Archive a living record; its unique values are free again."""
        self._release(record, self._unique)
        record.archived_ms = record.updated_ms = at_ms
        self.touched[record.id] = None

    def restore(self, record: Record, at_ms: int) -> None:
        """Restore an archived record; ValueError when another record has one of its unique values."""
        if taken := self.holder(record.values, record.id):
            raise ValueError(f"{taken[0]} of {record.id} is now held by {taken[2]}")
        record.archived_ms, record.updated_ms = None, at_ms
        self.touched[record.id] = None
        self._claim(record, self._unique)

    def delete(self, record: Record) -> None:
        """Delete a record permanently."""
        self._release(record, self._unique)
        del self.by_id[record.id]
        self.touched[record.id] = None

    def merge(self, survivor: Record, loser: Record, at_ms: int) -> None:
        """Fill the survivor's empty properties from the loser, whose id finds the survivor from now on."""
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
        self.touched[loser.id] = None
        self._merged[loser.id] = survivor.id
        survivor.take_history(loser, filled.keys() & loser.values.keys())
        self.update(survivor, filled, at_ms, MERGE)

    def reinstate(self, records: Iterable[Record], merged: Mapping[str, str], next_id: int) -> None:
        """Restore dumped records, archived ones and merges included; new ids start at ``next_id``."""
        self.by_id.update((record.id, record) for record in records)
        self._merged.update(merged)
        self._last_id = max(self._last_id, next_id - 1)
        for name in list(self._unique):
            self.index(name)

    def _moves(self, name: str, before: Mapping[str, str], changes: Mapping[str, str]) -> bool:
        if name == PRIMARY and self.kind is CONTACTS:
            return PRIMARY in changes or OTHERS in changes
        return name in changes and changes[name] != before.get(name)

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
    """The ``properties`` of an answer: ``names``, those of ``more`` that have a value, and three that every answer has.

    ``names`` without a value are null.
    """
    values, order = record.values, _ordered(kind, names, more)
    try:
        return {name: values[name] for name in order}
    except KeyError:
        return {name: values.get(name) for name in order if name in values or name in names}


@lru_cache(maxsize=1024)
def _ordered(kind: Kind, names: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*names, *more, kind.created, kind.modified, "hs_object_id"}))
