"""A plan: the fields a run would write to each CRM record, and the tasks it would create, update or close.

A plan is data. It compares the desired values with what the CRM showed or confirmed last, both in the CRM's own
precision. Making a plan sends nothing and stores nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from connectors.base import CreateRecord, Scalar
from worker.delivery.outbox import NewTask
from worker.delivery.task_context import TaskContext
from worker.settings.playbook_steps import HOLD


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One CRM field: the value it shows and the value it should show. ``name`` is ours, ``field`` is the CRM's.

    ``accounts``: where accounts share a record, those that the new value comes from.
    """

    name: str
    field: str
    old: Scalar
    new: Scalar
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChange:
    """All changes of one record. ``parked``: the CRM rejected exactly these values before; they are not sent again.

    ``object`` is the CRM's word for the kind of record, such as ``Account``. ``members`` are the accounts that share
    the record, the top one first; empty where each account has its own.
    """

    destination: str
    account_id: str
    record_id: str
    url: str
    changes: tuple[FieldChange, ...]
    object: str
    members: tuple[str, ...] = ()
    parked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """A record to create for an account that has none.

    ``state``: ``queued`` by an earlier run, or ``parked``: the CRM rejected exactly these values before. ``members``
    are the accounts that will share it; empty where each account has its own. ``sources``: by CRM field, those of them
    that a value comes from.
    """

    destination: str
    account_id: str
    object: str
    values: Mapping[str, Scalar]
    state: Literal["new", "queued", "parked"] = "new"
    members: tuple[str, ...] = ()
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def operation(self) -> CreateRecord:
        """The operation; one key per account for ever."""
        return CreateRecord(self.account_id, self.object, self.values)


@dataclass(frozen=True, slots=True)
class HumanOwnedField:
    """A field that keeps a value other than the desired one, because a person changed it (``write: if_ours``)."""

    destination: str
    account_id: str
    record_id: str
    url: str
    name: str
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChange:
    """One CRM task to create, update or close. With ``record_id`` None it waits until the account is matched.

    ``waiting_row`` is the outbox row of a task that an earlier run queued and whose account has a record now.
    ``no_owner`` says why a task is kept in the outbox: nobody in the CRM is its owner.
    """

    destination: str
    kind: str
    key: str
    account_id: str
    record_id: str | None
    playbook_id: str
    payload: Mapping[str, Any]
    context: TaskContext = field(default_factory=TaskContext)
    rank: float = 0.0
    waiting_row: int | None = None
    no_owner: str = ""

    @property
    def no_person(self) -> str:
        """Why a task that should name a person names none; empty when it names one."""
        return self.context.no_person

    @property
    def ownerless(self) -> str:
        """Whom a task should belong to when this CRM has nobody of them; empty when it has an owner or no record."""
        if self.kind != "task_create" or self.record_id is None or self.payload.get("owner_id") is not None:
            return ""
        return ", ".join(str(one) for one in self.context.assignee_candidates if one != HOLD)

    def to_json(self) -> dict[str, Any]:
        """The change as JSON."""
        return {**asdict(self), "context": self.context.to_json(), "no_person": self.no_person}

    def queued(self) -> NewTask:
        """The outbox form."""
        return NewTask(**{one.name: getattr(self, one.name) for one in fields(NewTask)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmatched:
    """An account without a record in one CRM. ``candidates`` are links to the records it might be.

    ``not_made`` says why no record is created, where ``create_missing`` is on; ``shared`` which of the account's values
    were not searched for, because they identify nobody; ``rivals`` which other accounts claim one of the candidates.
    """

    destination: str
    account_id: str
    status: str
    candidates: tuple[str, ...] = ()
    not_made: str = ""
    shared: str = ""
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpareRecord:
    """A record that an account has of its own beside ``shared``, the one of its company; both are links.

    ``shared`` is empty where the company has none, because its accounts have several records. Nothing is written to a
    spare record.
    """

    destination: str
    account_id: str
    company: str
    url: str
    shared: str


@dataclass(frozen=True, slots=True)
class InvalidValue:
    """A value that is not sent, because the CRM field cannot hold it or our user may not write it."""

    destination: str
    account_id: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepChange:
    """Where an account that waits goes on after an edit of its playbook: at the step ``at``; empty: it stops.

    ``key`` names the step that it waited at. ``due``: when it goes on; None: as soon as a branch's condition is known.
    """

    playbook_id: str
    account_id: str
    key: str
    at: str
    due: str | None


@dataclass(slots=True, kw_only=True)
class Plan:
    """Everything one run would write, and everything it cannot write, with the reason.

    ``missing`` and ``reused``: accounts of which nothing changes, because the product data has them no more or has
    somebody else under their id; by account id, what is known.
    ``ran_before``: an earlier run is stored. ``resumed``: a person let playbooks continue in which far more accounts
    match than usual. ``floods`` name the playbooks in which an edit makes more accounts match at once than
    ``limits.breaker``. ``steps`` are the accounts that wait in a playbook whose steps were edited.
    """

    as_of: str
    config_version: str
    resumed: bool = False
    ran_before: bool = True
    floods: list[str] = field(default_factory=list)
    steps: list[StepChange] = field(default_factory=list)
    records: list[RecordChange] = field(default_factory=list)
    tasks: list[TaskChange] = field(default_factory=list)
    new_records: list[NewRecord] = field(default_factory=list)
    human_owned: list[HumanOwnedField] = field(default_factory=list)
    unmatched: list[Unmatched] = field(default_factory=list)
    spare_records: list[SpareRecord] = field(default_factory=list)
    invalid: list[InvalidValue] = field(default_factory=list)
    missing_fields: dict[str, list[str]] = field(default_factory=dict)
    skipped_open: dict[str, int] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    known_records: dict[str, int] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    reused: dict[str, str] = field(default_factory=dict)
    undecided: list[str] = field(default_factory=list)
    """Accounts that may be deleted: nothing of them changes either."""

    def fingerprint(self) -> str:
        """Equal for two plans whose data, settings and CRM state lead to the same writes."""
        writes = {
            "as_of": self.as_of,
            "config": self.config_version,
            "resumed": self.resumed,
            "records": [asdict(change) for change in self.records],
            "tasks": [change.to_json() for change in self.tasks],
            "new_records": [asdict(record) for record in self.new_records],
        }
        return hashlib.sha256(json.dumps(writes, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON, its fingerprint included."""
        tasks = [change.to_json() for change in self.tasks]
        return {**asdict(self), "tasks": tasks, "fingerprint": self.fingerprint()}
