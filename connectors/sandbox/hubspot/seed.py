"""The ``hubspot`` part of a seed file.

``{"owners": [{"_ref": "ann", "id", "email", "firstName", "lastName", "archived"}],``
``"objects": [{"name": "cars", "singular": "car", "typeId": "2-17", "required": ["make"], "shown": ["make"]}],``
``"properties": {"companies": [{"name", "label", "type", "fieldType", "groupName", ...}]},``
``"records": {"companies": [{"_ref": "acme", "id", "createdAt", "properties": {...}}],``
``"deals": [{"properties": {...}, "company": "acme.com" or 0, "associations": ["@acme"]}]}}``

``_ref`` names an entry; ``"@name"`` stands for its id in property values and associations. ``company`` is
the domain or the position (from 0) of a company of the seed. Search finds seeded records at once.

``options`` are those of `hubspot.options`. ``stored``, which `as_seed` writes, is a dump of a portal
(`hubspot.serialization`). Both are loaded first.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from connectors.sandbox.core.control import ControlError, JsonObject
from connectors.sandbox.hubspot.associations import TYPES, Node
from connectors.sandbox.hubspot.definitions import define
from connectors.sandbox.hubspot.errors import RequestRejected
from connectors.sandbox.hubspot.kinds import COMPANIES, Kind, custom_kind
from connectors.sandbox.hubspot.portal import Portal, kind_named
from connectors.sandbox.hubspot.record import Source
from connectors.sandbox.hubspot.serialization import dump_portal, restore_dump
from connectors.sandbox.hubspot.timestamps import milliseconds
from connectors.sandbox.hubspot.writes import RecordRejected, apply, check_unique, check_write

_IMPORT = Source("IMPORT", "seed")
_PARTS = {"options", "stored", "objects", "owners", "properties", "records"}


def as_seed(portal: Portal) -> JsonObject:
    """The current portal as a seed: a new portal loads the same records with the same ids.

    It leaves out credentials, calls counted against a limit, and the lag of search.
    """
    return {"options": portal.options.to_json(), "stored": dump_portal(portal)}


def load_seed(portal: Portal, seed: Mapping[str, Any]) -> None:
    """Add the owners, property definitions and records of a seed, all or none.

    Raises `ControlError` that names the invalid entry; the portal is then as it was.
    """
    before = copy.deepcopy(portal.contents), portal.options
    try:
        _load(portal, seed)
    except Exception:
        portal.contents, portal.options = before
        raise


def _load(portal: Portal, seed: Mapping[str, Any]) -> None:
    if unknown := set(seed) - _PARTS:
        raise ControlError(f"a HubSpot seed has {', '.join(sorted(_PARTS))}, not {', '.join(sorted(unknown))}")
    _load_past(portal, seed)
    loading = _Loading(portal)
    for described in seed.get("objects", []):
        portal.contents.add_kind(custom_kind(described))
    for owner in seed.get("owners", []):
        loading.owner(owner)
    for name, definitions in seed.get("properties", {}).items():
        loading.definitions(kind_named(portal, name), definitions)
    records = {kind_named(portal, name): entries for name, entries in seed.get("records", {}).items()}
    for kind in portal.contents.kinds:
        for place, entry in enumerate(records.get(kind, [])):
            loading.record(kind, place, entry)
    loading.associate()


def _load_past(portal: Portal, seed: Mapping[str, Any]) -> None:
    try:
        portal.options = portal.options.changed(dict(seed.get("options", {})))
        if "stored" in seed:
            restore_dump(portal, seed["stored"])
    except ControlError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as problem:
        raise ControlError(f"seed: invalid form ({problem})") from None


class _Loading:
    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._contents = portal.contents
        self._owners: dict[str, str] = {}
        self._nodes: dict[str, Node] = {}
        self._companies: list[str] = []
        self._domains: dict[str, str] = {}
        self._pending: list[tuple[str, Node, Mapping[str, Any]]] = []

    def owner(self, entry: Mapping[str, Any]) -> None:
        at = self._portal.now_ms()
        wanted = str(entry["id"]) if "id" in entry else None
        names = str(entry.get("firstName", "")), str(entry.get("lastName", ""))
        owner = self._contents.add_owner(str(entry["email"]), *names, at, wanted)
        if entry.get("archived"):
            self._contents.set_owner_active(owner.id, active=False, at_ms=at)
        self._owners[entry.get("_ref", owner.email.partition("@")[0])] = owner.id

    def definitions(self, kind: Kind, definitions: list[dict[str, Any]]) -> None:
        for described in definitions:
            try:
                define(self._portal, kind, described)
            except RequestRejected as rejection:
                raise ControlError(f"properties of {kind.name}: {rejection}") from None

    def record(self, kind: Kind, place: int, entry: Mapping[str, Any]) -> None:
        where = f"{kind.name}[{place}]"
        properties = {name: self._value(where, value) for name, value in entry.get("properties", {}).items()}
        created = milliseconds(str(entry["createdAt"])) if "createdAt" in entry else self._portal.now_ms()
        if created is None:
            raise ControlError(f"{where}: createdAt is not a time")
        try:
            write = check_write(self._portal, kind, None, properties, "v3")
            check_unique(self._portal, write)
        except RecordRejected as problem:
            raise ControlError(f"{where}: {problem.rejection(in_batch=False)}") from None
        wanted = str(entry["id"]) if "id" in entry else None
        record, _ = apply(self._portal, write, created, _IMPORT, visible_ms=0, record_id=wanted)
        node = (kind.name, record.id)
        if "_ref" in entry:
            self._nodes[str(entry["_ref"])] = node
        if kind is COMPANIES:
            self._companies.append(record.id)
            self._domains.setdefault(record.values.get("domain", ""), record.id)
        self._pending.append((where, node, entry))

    def associate(self) -> None:
        for where, node, entry in self._pending:
            if "company" in entry:
                self._link(where, node, (COMPANIES.name, self._company(where, entry["company"])))
            for named in entry.get("associations", []):
                other = self._nodes.get(str(named).removeprefix("@"))
                if other is None:
                    raise ControlError(f"{where}: nothing in the seed has _ref {str(named).removeprefix('@')!r}")
                self._link(where, node, other)

    def _company(self, where: str, named: int | str) -> str:
        if isinstance(named, str) and named.startswith("@") and named[1:] in self._nodes:
            return self._nodes[named[1:]][1]
        if str(named).isdecimal() and int(named) < len(self._companies):
            return self._companies[int(named)]
        if str(named) in self._domains:
            return self._domains[str(named)]
        raise ControlError(f"{where}: no company {named!r} in the seed")

    def _link(self, where: str, node: Node, other: Node) -> None:
        if (node[0], other[0]) not in TYPES:
            raise ControlError(f"{where}: {node[0]} cannot be associated with {other[0]}")
        self._contents.associations.associate_plainly(node, other)

    def _value(self, where: str, value: Any) -> str:
        text = ("true" if value else "false") if isinstance(value, bool) else "" if value is None else str(value)
        if not text.startswith("@"):
            return text
        if text[1:] in self._owners:
            return self._owners[text[1:]]
        if text[1:] in self._nodes:
            return self._nodes[text[1:]][1]
        raise ControlError(f"{where}: nothing in the seed has _ref {text[1:]!r}")
