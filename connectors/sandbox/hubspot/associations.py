"""The associations between records by association type, always stored in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from connectors.sandbox.hubspot.errors import JsonObject
from connectors.sandbox.hubspot.kinds import COMPANIES, CONTACTS, DEALS, TASKS, Kind

Node = tuple[str, str]
"""(kind name, record id)"""


@dataclass(frozen=True, slots=True)
class AssociationType:
    """An association type that HubSpot defines, and the id of its reverse direction."""

    id: int
    reverse: int
    label: str | None = None

    @property
    def primary(self) -> bool:
        """Whether a record has at most one of these."""
        return self.label == "Primary"


def _both_ways(
    a: Kind, b: Kind, there: int, back: int, primary_there: int = 0, primary_back: int = 0
) -> dict[tuple[str, str], tuple[AssociationType, ...]]:
    forward, backward = [AssociationType(there, back)], [AssociationType(back, there)]
    if primary_there:
        forward.append(AssociationType(primary_there, primary_back, "Primary"))
        backward.append(AssociationType(primary_back, primary_there, "Primary"))
    return {(a.name, b.name): tuple(forward), (b.name, a.name): tuple(backward)}


TYPES: Mapping[tuple[str, str], tuple[AssociationType, ...]] = {
    **_both_ways(CONTACTS, COMPANIES, 279, 280, 1, 2),
    **_both_ways(DEALS, COMPANIES, 341, 342, 5, 6),
    **_both_ways(DEALS, CONTACTS, 3, 4),
    **_both_ways(TASKS, COMPANIES, 192, 191),
    **_both_ways(TASKS, CONTACTS, 204, 203),
    **_both_ways(TASKS, DEALS, 216, 215),
}
"""Association types by (from, to); the first has no label."""


def type_with_id(pair: tuple[str, str], type_id: int) -> AssociationType | None:
    """The association type with this id between two kinds, in this direction."""
    return next((known for known in TYPES.get(pair, ()) if known.id == type_id), None)


class Associations:
    """All associations of a portal."""

    def __init__(self) -> None:
        self._links: dict[Node, dict[Node, set[int]]] = {}
        self.touched: dict[Node, None] = {}
        """Records whose associations changed since the change tracker last cleared this."""

    def associate(self, a: Node, b: Node, types: tuple[AssociationType, ...]) -> None:
        """Associate two records; a repetition changes nothing."""
        self.touched |= {a: None, b: None}
        for kind in types:
            if kind.primary:
                self._displace_primary(a, b, kind)
            self._links.setdefault(a, {}).setdefault(b, set()).add(kind.id)
            self._links.setdefault(b, {}).setdefault(a, set()).add(kind.reverse)

    def put(self, a: Node, b: Node, type_ids: Iterable[int]) -> None:
        """Set one direction of an association, in the form that `all` yields."""
        self._links.setdefault(a, {})[b] = set(type_ids)

    def to_json(self) -> list[JsonObject]:
        """Every association once per direction."""
        return [
            {"from": {"type": a[0], "id": a[1]}, "to": {"type": b[0], "id": b[1]}, "typeIds": ids}
            for a, b, ids in self.all()
        ]

    def associate_plainly(self, a: Node, b: Node) -> tuple[AssociationType, ...]:
        """Associate two records without a label, and as primary if the record has no primary company yet."""
        plain, *labelled = TYPES[a[0], b[0]]
        one_side = a if b[0] == COMPANIES.name else b
        primary = [kind for kind in labelled if kind.primary and not self._has_primary(one_side)]
        chosen = (plain, *primary)
        self.associate(a, b, chosen)
        return chosen

    def forget(self, a: Node, b: Node) -> None:
        """Remove every association between two records."""
        self.touched |= {a: None, b: None}
        for one, other in ((a, b), (b, a)):
            if one in self._links:
                self._links[one].pop(other, None)

    def forget_types(self, a: Node, b: Node, types: tuple[AssociationType, ...]) -> None:
        """Remove some association types between two records."""
        self.touched |= {a: None, b: None}
        for kind in types:
            self._links.get(a, {}).get(b, set()).discard(kind.id)
            self._links.get(b, {}).get(a, set()).discard(kind.reverse)
        if not self._links.get(a, {}).get(b):
            self.forget(a, b)

    def of(self, node: Node, to_kind: str) -> list[tuple[str, list[int]]]:
        """(record id, type ids) of every associated record of one kind, in order of record id."""
        found = [(other[1], sorted(ids)) for other, ids in self._links.get(node, {}).items() if other[0] == to_kind]
        return sorted(found, key=lambda pair: int(pair[0]))

    def move(self, loser: Node, survivor: Node) -> None:
        """Move the associations of a merged record to the survivor."""
        for other, ids in list(self._links.get(loser, {}).items()):
            kinds = [type_with_id((loser[0], other[0]), number) for number in ids]
            self.forget(loser, other)
            if other != survivor:
                self.associate(survivor, other, tuple(kind for kind in kinds if kind is not None))

    def forget_record(self, node: Node) -> None:
        """Remove every association of a record."""
        for other in list(self._links.get(node, {})):
            self.forget(node, other)
        self._links.pop(node, None)

    def written(self, node: Node) -> list[JsonObject]:
        """Every association of a record, in the form of `to_json`."""
        linked = self._links.get(node, {})
        return [{"to": {"type": b[0], "id": b[1]}, "typeIds": sorted(ids)} for b, ids in linked.items()]

    def all(self) -> Iterator[tuple[Node, Node, list[int]]]:
        """Every association once per direction."""
        for node, others in self._links.items():
            for other, ids in others.items():
                yield node, other, sorted(ids)

    def _has_primary(self, node: Node) -> bool:
        return any(
            (known := type_with_id((node[0], other[0]), number)) is not None and known.primary
            for other, ids in self._links.get(node, {}).items()
            if other[0] == COMPANIES.name
            for number in ids
        )

    def _displace_primary(self, a: Node, b: Node, kind: AssociationType) -> None:
        company_side_is_b = b[0] == COMPANIES.name
        one, number, reverse = (a, kind.id, kind.reverse) if company_side_is_b else (b, kind.reverse, kind.id)
        for other, ids in self._links.get(one, {}).items():
            if other[0] == COMPANIES.name and other not in (a, b):
                ids.discard(number)
                self._links[other][one].discard(reverse)
                self.touched[other] = None
