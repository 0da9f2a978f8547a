"""One record: its values, the source of each, and the older values that a lagging search finds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from connectors.sandbox.hubspot.timestamps import iso

Values = dict[str, str]

_WRITES_KEPT = 128
"""Writes stored per record. Beyond, the older half becomes one write with the last value of each property.

It limits how far back a history and a search lag can go.
"""


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a write. ``user_id`` is set for a user of the pages."""

    type: str
    id: str
    user_id: str | None = None


class Change(NamedTuple):
    """One value a property had, from ``at_ms`` on."""

    value: str
    at_ms: int
    source: Source


MERGE = Source("MERGE_OBJECTS", "")
"""The source of the values that a merge fills in."""

Written = tuple[int, Source, Mapping[str, str]]


@dataclass(slots=True, kw_only=True)
class Record:
    """One record. ``writes`` add up to ``values``; search finds the record from ``visible_ms`` on.

    A cleared value is stored as an empty text; one that was never set is absent (recorded).
    """

    id: str
    values: Values
    created_ms: int
    updated_ms: int
    archived_ms: int | None = None
    visible_ms: int = 0
    writes: list[Written] = field(default_factory=list)

    def seen_at(self, ms: int) -> Mapping[str, str] | None:
        """The values that search saw at ``ms``; None when it did not see the record then."""
        if self.visible_ms > ms or (self.archived_ms is not None and self.archived_ms <= ms):
            return None
        if len(self.writes) < 2 or self.writes[-1][0] <= ms:
            return self.values
        seen = dict(self.writes[0][2])
        for at_ms, _, changes in self.writes[1:]:
            if at_ms > ms:
                break
            seen.update(changes)
        return seen

    def history(self, name: str) -> list[Change]:
        """Every value a property had, oldest first; writing the same value again is no change, except by a merge."""
        found: list[Change] = []
        for at_ms, source, changes in self.writes:
            value = changes.get(name)
            if value is not None and (value != (found[-1].value if found else "") or source == MERGE):
                found.append(Change(value, at_ms, source))
        return found

    def set(self, changes: Mapping[str, str], modified: str, at_ms: int, source: Source) -> None:
        """Store changed values; ``modified`` names the property with the time of the last change.

        Writing unchanged values does not change that time (recorded in 2025).
        """
        values = self.values
        if changes.items() <= values.items():
            return
        written = {**changes, modified: iso(at_ms)}
        values.update(written)
        self.updated_ms = at_ms
        self.writes.append((at_ms, source, written))
        if len(self.writes) > _WRITES_KEPT:
            self._fold_older_half()

    def take_history(self, other: Record, names: Collection[str]) -> None:
        """Add the writes of these properties of a record that is merged into this one."""
        theirs = [(at, source, {n: v for n, v in values.items() if n in names}) for at, source, values in other.writes]
        self.writes = sorted([*self.writes, *theirs], key=lambda write: write[0])

    def _fold_older_half(self) -> None:
        older = self.writes[: _WRITES_KEPT // 2]
        last: dict[str, str] = {}
        for _, _, changes in older:
            last.update(changes)
        self.writes[: len(older)] = [(*older[-1][:2], last)]
