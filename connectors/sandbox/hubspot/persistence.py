"""The changes of a portal as rows for `core.persistence`, and a portal restored from such rows.

Each record is one row; the associations of a record are another. Unlike a seed, the rows also hold issued tokens
and the calls used: a client stays logged in over a restart.
"""

from __future__ import annotations

from collections.abc import Iterable

from connectors.sandbox.core.control import JsonObject
from connectors.sandbox.core.persistence import Changes, Row
from connectors.sandbox.hubspot.contents import Contents
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.serialization import definitions_of, dump_record, small_parts_of

_RECORDS, _LINKS = "records/", "links/"


class PortalChangeTracker:
    """Satisfies `core.persistence.ChangeTracker` for one portal."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._contents: Contents | None = None
        self._versions: list[int] = []
        self._rest: JsonObject = {}

    def changes(self) -> Changes:
        """Changed records, associations and definitions, and the rest of the state when it changed."""
        contents = self._portal.contents
        replace_all, self._contents = contents is not self._contents, contents
        if replace_all:
            self._versions, self._rest = [], {}
        rows = [*self._records(replace_all), *self._links(replace_all)]
        versions = [schema.version for schema in contents.schemas.values()]
        if versions != self._versions:
            self._versions = versions
            rows.append(Row("definitions", "", definitions_of(contents)))
        rest = self._everything_else()
        if rest != self._rest:
            self._rest = rest
            # The time is stored with other changes only; alone it is no change.
            rows.append(Row("rest", "", {**rest, "now": self._portal.sim.clock.now().isoformat()}))
        return Changes(rows, replace_all)

    def _records(self, replace_all: bool) -> Iterable[Row]:
        for name, store in self._portal.contents.records.items():
            touched = list(store.by_id) if replace_all else list(store.touched)
            store.touched.clear()
            for record_id in touched:
                record = store.by_id.get(record_id)
                yield Row(_RECORDS + name, record_id, dump_record(record) if record else None)

    def _links(self, replace_all: bool) -> Iterable[Row]:
        links = self._portal.contents.associations
        touched = {node: None for node, _, _ in links.all()} if replace_all else dict(links.touched)
        links.touched.clear()
        for node in touched:
            yield Row(_LINKS + node[0], node[1], links.written(node) or None)

    def _everything_else(self) -> JsonObject:
        portal = self._portal
        return {
            **small_parts_of(portal.contents),
            "options": portal.options.to_json(),
            "access": portal.access.to_json(),
            "used": portal.limits.usage(),
        }


def seed_of(rows: Iterable[Row]) -> JsonObject | None:
    """The seed of the portal that these rows describe; None when there are no rows."""
    records: dict[str, list[JsonObject]] = {}
    links: list[JsonObject] = []
    rest: JsonObject = {}
    for row in rows:
        if row.part.startswith(_RECORDS):
            records.setdefault(row.part.removeprefix(_RECORDS), []).append(row.value)
        elif row.part.startswith(_LINKS):
            one = {"type": row.part.removeprefix(_LINKS), "id": row.key}
            links += [{"from": one, **link} for link in row.value]
        else:
            rest |= row.value
    if not rest:
        return None
    stored = {name: value for name, value in rest.items() if name not in ("options", "access", "used")}
    every = {name: records.get(name, []) for name in stored["properties"]}
    return {"options": rest["options"], "stored": {**stored, "records": every, "associations": links}}


def resume(portal: Portal, rows: Iterable[Row]) -> None:
    """Restore the credentials and the quota of these rows; a reset returns to this state."""
    for row in rows:
        if row.part == "rest":
            portal.access.resume(row.value["access"])
            portal.limits.resume(row.value["used"])
            portal.remember_start()
