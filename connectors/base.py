"""What every connector promises: operations in, one outcome per operation out.

Nothing here does I/O. The words are those of the delivery design: an *operation* is one intended
write, an *outcome* is what the CRM answered for exactly that operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, Protocol

Scalar = str | int | float | bool | None
"""A value as it travels and is stored: dates are ``YYYY-MM-DD``, datetimes ``YYYY-MM-DDTHH:MM:SSZ``."""

Secret = Callable[[], str]
"""Reads a credential from its source; called again after a 401, so rotation needs no restart."""

FieldType = Literal["string", "number", "bool", "date", "datetime", "enum", "multi_enum", "reference", "other"]


# ---------------------------------------------------------------------------- configuration


@dataclass(frozen=True, slots=True)
class MatchField:
    """One way to find the record of an account: CRM field ``field`` equals the account's ``account_field``."""

    field: str
    account_field: str
    kind: Literal["exact", "domain", "email"] = "exact"


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """How CRM tasks are made. ``key_field`` is the CRM's unique field that holds our idempotency key."""

    key_field: str
    due_hour: int = 9  # local hour of the due date where the CRM wants a time of day
    at_least_once: bool = False
    """The operator accepts in so many words that a task may be made twice where the CRM cannot hold a unique key."""


@dataclass(frozen=True, slots=True)
class Destination:
    """One configured CRM.

    ``auth`` holds plain settings and secrets by name, ``options`` what only this kind of CRM knows (how calls are
    packed, say); both as the connector documents them.
    """

    name: str
    kind: str
    base_url: str
    api_version: str
    auth: Mapping[str, str | Secret]
    object: str
    match_field: str
    fallbacks: tuple[MatchField, ...] = ()
    tasks: TaskSettings | None = None
    time_zone: str = "UTC"
    timeout_s: float = 30.0
    options: Mapping[str, Scalar] = field(default_factory=dict)


class Journal(Protocol):
    """Where a connector keeps what it must know again after a crash, such as the id of a running bulk job.

    Names are the connector's own; every call is durable when it returns.
    """

    def read(self, name: str) -> str | None:
        """The text kept under a name, or None."""

    def write(self, name: str, text: str) -> None:
        """Keep a text under a name, instead of what was there."""

    def erase(self, name: str) -> None:
        """Forget a name; one that is not there changes nothing."""


# ---------------------------------------------------------------------------- what a CRM tells


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One CRM field as the CRM describes it. ``length`` in characters, ``scale`` in decimal places."""

    name: str
    type: FieldType
    label: str = ""
    writable: bool = True
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    options: tuple[str, ...] = ()
    restricted: bool = False
    unique: bool = False
    nillable: bool = True


@dataclass(frozen=True, slots=True)
class MatchKey:
    """What is known of one account for finding its record.

    ``record_id`` is the id stored from an earlier match; ``values`` maps ``MatchField.account_field``
    names (and ``account_id``) to the account's values; unknown values are left out.
    """

    account_id: str
    record_id: str | None
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Match:
    """Where one account lives in the CRM.

    ``record_id`` is set only when ``status`` is ``matched`` and is the surviving id of merged records.
    ``by`` names the CRM field (or ``id``) that found it. ``candidates`` are the record ids of an
    ambiguous match. ``values`` are the record's current values of the fields asked for, canonical
    (`connectors.coerce`).
    """

    account_id: str
    status: Literal["matched", "missing", "ambiguous"]
    record_id: str | None = None
    by: str = ""
    candidates: tuple[str, ...] = ()
    owner_id: str | None = None
    values: Mapping[str, Scalar] = field(default_factory=dict)
    object: str = ""
    """The CRM object of the record where it is not the destination's own (a converted lead's contact)."""


@dataclass(frozen=True, slots=True)
class Person:
    """A human in the CRM whom a task can name, found by e-mail: a contact, or in Salesforce a lead.

    ``record_id`` is the company record the person belongs to; ``candidates`` are the ids of an ambiguous match.
    """

    email: str
    status: Literal["matched", "missing", "ambiguous"]
    person_id: str | None = None
    record_id: str | None = None
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Owner:
    """A person who can own CRM tasks. ``id`` is what the CRM wants in its owner field."""

    id: str
    email: str
    name: str
    active: bool


@dataclass(frozen=True, slots=True)
class DealFact:
    """An opportunity or deal of a company record. Open means neither won nor lost; labels are never read."""

    id: str
    record_id: str
    open: bool
    won: bool
    amount: float | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class TaskFact:
    """One CRM task we made, found by its key."""

    key: str
    task_id: str
    status: Literal["open", "in_progress", "completed", "deleted"]
    owner_id: str | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecordFact:
    """A company record that changed: its owner and the current, canonical values of the fields asked for."""

    record_id: str
    owner_id: str | None
    values: Mapping[str, Scalar]
    deleted: bool = False


CrmFact = DealFact | TaskFact | RecordFact

Cursor = Mapping[str, str]
"""Where reading back continues: one opaque text per stream; empty at the very first read."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The facts that changed since a cursor, and the cursor to use next time once these are stored."""

    facts: Sequence[CrmFact]
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Health:
    """Who we are in this CRM and what is left. ``calls_left`` is None when the CRM does not say."""

    identity: str
    calls_left: int | None
    calls_limit: int | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """API calls this connector object has made since it was created; a call that got no answer counts.

    ``refused`` of them were answered with 429. ``left`` and ``limit`` are the day's calls, as the CRM's answers
    said last; None while it has not said.
    """

    calls: int
    write_calls: int
    refused: int = 0
    left: int | None = None
    limit: int | None = None


# ---------------------------------------------------------------------------- operations and outcomes


@dataclass(frozen=True, slots=True)
class UpdateFields:
    """Set fields of one existing company record. ``None`` clears a field. Never creates a record."""

    key: str
    object: str
    record_id: str
    values: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class CreateRecord:
    """Make the record of one account, or take the one whose match field holds the account's id already.

    ``values`` hold the match field. Safe to repeat: the match field is unique, so there is one record in the end.
    """

    key: str
    object: str
    values: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class CreateTask:
    """Make one CRM task on a company record, once per ``key`` for ever, whatever is replayed.

    ``person_id`` names the human to talk to, where the CRM allows it beside the record.
    """

    key: str
    record_id: str
    subject: str
    body: str
    due: date
    priority: Literal["high", "medium", "low"]
    owner_id: str | None
    person_id: str | None = None


@dataclass(frozen=True, slots=True)
class UpdateTask:
    """Give an open task of ours a new subject and body; a task that a human closed is left alone."""

    key: str
    task_id: str
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class CloseTask:
    """Complete a task of ours that nobody has touched; a task in progress or closed is left alone."""

    key: str
    task_id: str


Operation = UpdateFields | CreateRecord | CreateTask | UpdateTask | CloseTask

Status = Literal["applied", "rejected", "retry", "unknown"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the CRM answered for one operation.

    ``unknown``: sent without an answer, so it may have been applied; reconciled by key before any
    re-create. ``stale_record``: the record we knew is gone, match again. ``reason`` is the CRM's own
    words with values and tokens removed.
    """

    key: str
    status: Status
    record_id: str | None = None
    code: str = ""
    reason: str = ""
    stale_record: bool = False


# ---------------------------------------------------------------------------- setup


@dataclass(frozen=True, slots=True)
class FieldNeed:
    """One CRM field this project needs; ``object`` is ``account`` or ``task``, resolved by the connector."""

    object: Literal["account", "task"]
    name: str
    label: str
    type: Literal["string", "number", "bool", "date", "datetime", "enum"]
    description: str = ""
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    options: tuple[str, ...] = ()
    unique: bool = False


@dataclass(frozen=True, slots=True)
class SetupStep:
    """What setup did or would do about one field. ``todo`` is for a person; ``detail`` says what to click."""

    need: FieldNeed
    status: Literal["exists", "created", "would_create", "todo", "wrong"]
    detail: str = ""


# ---------------------------------------------------------------------------- errors


class CallFailed(Exception):
    """The whole call failed: no operation of it has an outcome. Its text may be shown and logged."""


class AccessDenied(CallFailed):
    """An admin has to act: the credential is refused, or a scope or permission is missing (it is named)."""


class QuotaExhausted(CallFailed):
    """The CRM's quota is used up; nothing more is sent before ``until`` (UTC)."""

    def __init__(self, message: str, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class Unavailable(CallFailed):
    """The CRM cannot answer now; try again after ``retry_after`` seconds. Nothing was applied."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Underway(CallFailed):
    """The CRM has taken the operations and still works on them; the same again later gets their outcomes.

    Hand over the same operations after ``retry_after`` seconds. They may have been applied meanwhile.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


# ---------------------------------------------------------------------------- the protocol


class Connector(Protocol):
    """One CRM. Every method may raise `AccessDenied`, `QuotaExhausted` or `Unavailable`, `write` also `Underway`."""

    @property
    def name(self) -> str:
        """The destination's name in ``config/crm.yaml``."""

    def batch_size(self, operation: type[Operation], waiting: int) -> int:
        """How many operations of one class to hand to `write` together when ``waiting`` of them are due."""

    def fewest_calls(self, operation: type[Operation], count: int) -> int:
        """The fewest write calls that can carry ``count`` operations of one class."""

    def check(self) -> Health:
        """Who we are, what we may do and what is left of the quota; changes nothing."""

    def describe(self, object: Literal["account", "task"]) -> Mapping[str, FieldSpec]:
        """Every field of the object that we can see, by name."""

    def match(self, keys: Sequence[MatchKey], fields: Sequence[str]) -> Sequence[Match]:
        """One match per key, in order: stored id, then match field, then the fallbacks in order."""

    def people(self, emails: Sequence[str]) -> Sequence[Person]:
        """One person per e-mail address, in order; more than one hit is reported, never guessed."""

    def owners(self) -> Sequence[Owner]:
        """Everybody who can own a task, inactive people included and marked."""

    def write(self, operations: Sequence[Operation]) -> Sequence[Outcome]:
        """Send operations of one class; one outcome per operation, in the order given.

        Batches as large as the CRM allows. A refused record never fails its neighbours. No record may
        appear twice in one call (`ValueError`).
        """

    def read_back(self, since: Cursor, fields: Sequence[str], tasks: Mapping[str, str]) -> ReadBack:
        """What humans changed since the cursor: company records, deals, and our tasks.

        ``tasks`` maps the keys of our open tasks to their CRM ids. At an empty cursor every open deal is
        read, and no company record (they come from `match`).
        """

    def setup(self, needs: Sequence[FieldNeed], dry_run: bool) -> Sequence[SetupStep]:
        """Create what is missing, read it back, and say for each need how it stands now."""

    def record_url(self, record_id: str) -> str:
        """Where a person opens this company record in the browser."""

    def usage(self) -> Usage:
        """API calls made by this object so far."""

    def close(self) -> None:
        """Give connections back; the object is not used again."""
