"""The org: schema, records, people, sessions and settings. The state that requests read and change."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from connectors.sandbox.core.control import ControlError
from connectors.sandbox.core.sim import Sim
from connectors.sandbox.salesforce import ids, person_fields
from connectors.sandbox.salesforce.access import Access, access_to
from connectors.sandbox.salesforce.catalogue import Catalogue
from connectors.sandbox.salesforce.options import Options
from connectors.sandbox.salesforce.schema import Field, ObjectType
from connectors.sandbox.salesforce.table import Record, Table
from connectors.sandbox.salesforce.values import stamp

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The one connected app of the org and the user it acts as. ``public_key`` is PEM, for JWT bearer."""

    client_id: str
    client_secret: str
    username: str
    public_key: str | None = None


@dataclass(frozen=True, slots=True)
class _Snapshot:
    types: dict[str, ObjectType]
    records: dict[str, dict[str, Record]]
    numbers: Counter[str]
    options: Options
    denied: dict[tuple[str, str], str]


class Org:
    """One Salesforce org in memory; used only from the thread of its event loop."""

    def __init__(self, sim: Sim, accepted: Accepted) -> None:
        self.sim = sim
        self.accepted = accepted
        self.options = Options()
        self.catalogue = Catalogue(sim.clock)
        self.tables = {name: Table(one) for name, one in self.catalogue.types.items()}
        self.denied: dict[tuple[str, str], str] = {}
        self.sessions: dict[str, Session] = {}
        self.logins: list[float] = []
        self.pages: dict[str, Any] = {}
        self.jobs: dict[str, Any] = {}
        self.query_jobs: dict[str, Any] = {}
        self.locked: set[str] = set()
        self.unlocked = asyncio.Condition()
        self.rolled_back = False  # set by every `roll_back`, for the change tracker
        self._usage: Counter[int] = Counter()
        self._numbers: Counter[str] = Counter()
        self._compiled: dict[Hashable, Any] = {}
        self._compiled_version = -1
        self._snapshot: _Snapshot | None = None
        self.staff = _staff(self)
        self.remember_start()

    # ---------------------------------------------------------------- records

    def new_id(self, prefix: str) -> str:
        """An unused id."""
        while True:
            self._numbers[prefix] += 1
            made = ids.make_id(prefix, self._numbers[prefix])
            if self.record(made) is None:  # a seed may have chosen its own ids
                return made

    def numbers(self) -> dict[str, int]:
        """The number of ids issued per key prefix."""
        return dict(self._numbers)

    def skip_ids(self, numbers: Mapping[str, int]) -> None:
        """Never issue the first ``number`` ids of these key prefixes."""
        for prefix, number in numbers.items():
            self._numbers[prefix] = max(self._numbers[prefix], int(number))

    def record(self, record_id: str | None) -> Record | None:
        """A record of any object by its 18-character id, deleted or not."""
        kind = self.catalogue.of_id(record_id) if record_id else None
        return self.tables[kind.name].records.get(record_id or "") if kind else None

    def now(self) -> str:
        """The current time in the form of records."""
        return stamp(self.sim.clock.now())

    # ---------------------------------------------------------------- schema and permissions

    def add_object(self, kind: ObjectType) -> None:
        """Add a new object."""
        self.catalogue.replace({**self.catalogue.types, kind.name: kind})
        self.tables[kind.name] = Table(kind)

    def add_field(self, object: str, field: Field) -> list[str]:
        """Add a custom field, invisible until it is granted; returns the objects that have it."""
        changed = self.catalogue.put(object, field)
        for kind in changed:
            self.tables[kind.name].index(field)
        return [kind.name for kind in changed]

    def drop_field(self, object: str, name: str) -> None:
        """Remove a custom field and its values."""
        owners = self.catalogue.owners(object, name)
        self.catalogue.remove(object, name)
        for owner, shown in owners:
            held = self.tables[owner].records
            self.tables[owner] = Table(self.catalogue.types[owner])
            for record_id, record in held.items():
                self.tables[owner].put(record_id, {key: value for key, value in record.items() if key != shown})

    def set_options(self, given: Mapping[str, Any]) -> None:
        """Change options. Raises `ControlError`; then none is changed."""
        chosen = self.options.changed(dict(given))
        if chosen.person_accounts and not person_fields.are_on(self.catalogue.types):
            for owner, field in person_fields.turn_on(self.catalogue.types):
                self.add_field(owner, field)
            for table in (self.tables["Account"], self.tables["Contact"]):
                for record_id, record in list(table.records.items()):
                    table.put(record_id, {**record, person_fields.FLAG: False})
        elif person_fields.are_on(self.catalogue.types) and not chosen.person_accounts:
            raise ControlError("person accounts cannot be turned off again")
        self.options = chosen

    def access(self, kind: ObjectType) -> Access:
        """The access of the integration user to an object."""
        return self.compiled(kind.name, lambda: access_to(kind, self.tables, self.staff.integration, self.denied))

    def compiled(self, key: Hashable, build: Callable[[], T]) -> T:
        """The result of ``build`` for the current schema and permissions, cached until either changes."""
        if self._compiled_version != self.catalogue.version:
            self._compiled.clear()
            self._compiled_version = self.catalogue.version
        made: T | None = self._compiled.get(key)
        if made is None:
            made = self._compiled[key] = build()
        return made

    # ---------------------------------------------------------------- quota

    def use_call(self) -> None:
        """Count one API call against the rolling 24 hours."""
        self._usage[int(self.sim.clock.timestamp() // 3600)] += 1

    def calls_used(self) -> int:
        """API calls of the last 24 hours, counted by the hour."""
        hour = int(self.sim.clock.timestamp() // 3600)
        if len(self._usage) > 24:
            self._usage = Counter({then: calls for then, calls in self._usage.items() if then > hour - 24})
        return sum(calls for then, calls in self._usage.items() if then > hour - 24)

    def usage(self) -> dict[str, int]:
        """Calls by hour since 1970, for `take_up_usage`."""
        return {str(hour): calls for hour, calls in self._usage.items()}

    def resume_usage(self, usage: Mapping[str, int]) -> None:
        """Continue with the counts of `usage`."""
        self._usage = Counter({int(hour): calls for hour, calls in usage.items()})

    # ---------------------------------------------------------------- back to the start

    def remember_start(self) -> None:
        """Make the current state the one that `restore` returns to."""
        self._snapshot = self.snapshot()

    def restore(self) -> None:
        """Return to the state of the last `remember_start`; all sessions end."""
        if self._snapshot is not None:
            self.roll_back(self._snapshot)
        self.sessions.clear()
        self.logins.clear()
        self.pages.clear()
        self.jobs.clear()
        self.query_jobs.clear()
        self.locked.clear()
        self._usage.clear()

    def snapshot(self) -> _Snapshot:
        """The state for `roll_back`. Cheap, because stored records never change in place."""
        return _Snapshot(
            types=self.catalogue.copy(),
            records={name: dict(table.records) for name, table in self.tables.items()},
            numbers=Counter(self._numbers),
            options=self.options,
            denied=dict(self.denied),
        )

    def roll_back(self, past: _Snapshot) -> None:
        """Schema, records and options as in a snapshot."""
        self.catalogue.replace({name: one.copy() for name, one in past.types.items()})
        self.tables = {name: Table(one) for name, one in self.catalogue.types.items()}
        for name, records in past.records.items():
            for record_id, record in records.items():
                self.tables[name].put(record_id, record)
        self.rolled_back = True
        self._numbers = Counter(past.numbers)
        self.options = past.options
        self.denied = dict(past.denied)


@dataclass(slots=True)
class Session:
    """A login: its user and its last use, in seconds since 1970."""

    user_id: str
    used: float


@dataclass(frozen=True, slots=True)
class Staff:
    """The ids in every new org: the organization, its admin and the integration user."""

    organization: str
    admin: str
    integration: str
    profile_permissions: str


def _staff(org: Org) -> Staff:
    admin_profile = _put(org, "Profile", {"Name": "System Administrator"})
    profile = _put(org, "Profile", {"Name": "Minimum Access - API Only Integrations"})
    admin = {"Username": "admin@sandbox.example.com", "LastName": "Admin", "FirstName": "Ada", "Alias": "ada"}
    app = {"Username": org.accepted.username, "LastName": "Integration", "FirstName": "Plgsync", "Alias": "plgsync"}
    admin_id = _put(org, "User", {**admin, **_active(admin), "ProfileId": admin_profile})
    app_id = _put(org, "User", {**app, **_active(app), "ProfileId": profile})
    for name, owned in (("X00ex00000018ozT_128_09_04_6_1", admin_profile), ("X00ex00000018ozU_128_09_04_6_2", profile)):
        permissions = {"Name": name, "Label": name, "IsOwnedByProfile": True, "IsCustom": False, "ProfileId": owned}
        set_id = _put(org, "PermissionSet", permissions)
    organization = _put(
        org,
        "Organization",
        {
            "Name": "Sandbox Org",
            "OrganizationType": "Developer Edition",
            "IsSandbox": False,
            "InstanceName": "SBX1",
            "LanguageLocaleKey": "en_US",
            "TimeZoneSidKey": "GMT",
        },
    )
    return Staff(organization, admin_id, app_id, set_id)


def _active(person: Record) -> Record:
    name = f"{person['FirstName']} {person['LastName']}"
    return {"Name": name, "Email": person["Username"], "IsActive": True, "UserType": "Standard"}


def _put(org: Org, object: str, values: Record) -> str:
    kind = org.catalogue.types[object]
    record_id = org.new_id(kind.prefix)
    system = {"Id": record_id, "IsDeleted": False, "CreatedDate": org.now(), "LastModifiedDate": org.now()}
    org.tables[object].put(record_id, {**system, "SystemModstamp": org.now(), **values})
    return record_id
