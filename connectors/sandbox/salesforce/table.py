"""The records of one object, indexed by id and by every indexed field.

A stored record never changes in place: an update stores a new dict. A reference to an old dict (in a journal, a
snapshot, a query locator) keeps the old values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors.sandbox.salesforce.schema import Field, ObjectType

Record = dict[str, Any]


class Table:
    """Records by 18-character id. Deleted ones stay, marked; indexes hold only living ones."""

    def __init__(self, type: ObjectType) -> None:
        self.type = type
        self.records: dict[str, Record] = {}
        self.touched: dict[str, None] = {}  # ids put or removed since the change tracker last cleared it, in order
        self._indexes: dict[str, dict[Any, dict[str, None]]] = {}
        for one in type.fields.values():
            self.index(one)

    def index(self, field: Field) -> None:
        """Index records by this field, if Salesforce indexes it."""
        if not field.indexed or field.name == "Id":
            return
        self._indexes[field.name] = {}
        for record_id, record in self.records.items():
            self._enter(field.name, record_id, record)

    def put(self, record_id: str, record: Record | None) -> Record | None:
        """Store a record, or remove it with None; returns the previous record."""
        before = self.records.get(record_id)
        moved = before is None or record is None or before["IsDeleted"] != record["IsDeleted"]
        for name in self._indexes:
            if moved or before.get(name) != record.get(name):  # type: ignore[union-attr]
                if before is not None:
                    self._leave(name, record_id, before)
                if record is not None:
                    self._enter(name, record_id, record)
        self.touched[record_id] = None
        if record is None:
            self.records.pop(record_id, None)
        else:
            self.records[record_id] = record
        return before

    def having(self, field: Field, value: Any) -> list[str]:
        """Ids of the living records with this value in an indexed field, oldest first."""
        if field.name == "Id":
            record = self.records.get(value)
            return [value] if record and not record["IsDeleted"] else []
        return list(self._indexes[field.name].get(fold(field, value), ()))

    def living(self) -> Iterator[Record]:
        """Every record that is not deleted, oldest first."""
        return (record for record in self.records.values() if not record["IsDeleted"])

    def _key(self, name: str, record: Record) -> Any:
        value = record.get(name)
        return None if value is None or record["IsDeleted"] else fold(self.type.fields[name], value)

    def _enter(self, name: str, record_id: str, record: Record) -> None:
        key = self._key(name, record)
        if key is not None:
            self._indexes[name].setdefault(key, {})[record_id] = None

    def _leave(self, name: str, record_id: str, record: Record) -> None:
        key = self._key(name, record)
        if key is not None:
            held = self._indexes[name][key]
            held.pop(record_id, None)
            if not held:
                del self._indexes[name][key]


def fold(field: Field, value: Any) -> Any:
    """The form of a value that is compared: text in lower case unless the field is case-sensitive."""
    return value.lower() if isinstance(value, str) and not field.case_sensitive else value


class Journal:
    """The changes of a transaction, for a rollback."""

    def __init__(self) -> None:
        self._before: list[tuple[Table, str, Record | None]] = []

    def put(self, table: Table, record_id: str, record: Record | None) -> None:
        """Store a record and remember the previous one."""
        self._before.append((table, record_id, table.put(record_id, record)))

    def mark(self) -> int:
        """A point to roll back to."""
        return len(self._before)

    def roll_back(self, mark: int = 0) -> None:
        """Undo everything since the mark."""
        while len(self._before) > mark:
            table, record_id, record = self._before.pop()
            table.put(record_id, record)
