"""What the contract suite needs to know of a CRM that is not in the `Connector` protocol.

One file per CRM implements `Crm` against its sandbox (``harness_<kind>.py``, function
``start() -> Crm``). The suite itself never names a CRM: it seeds companies, plays the human and the
failing network through these methods, drives the connector, and then asserts what is in the CRM and
how many calls that took.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, Self

from connectors.base import Connector, Destination, FieldNeed, Scalar, TaskStatus

Fault = Literal[
    "answer_lost",  # the next write call is applied in full, then the connection dies
    "answer_lost_midway",  # the next write call applies its first half, then the connection dies
    "connection_lost",  # the next write call dies before anything is applied
    "unavailable",  # the next write call answers 503 and applies nothing
    "unavailable_reads",  # every read call answers 503
    "token_expired",  # every token given out so far is dead; the credential source gives a good one
    "access_revoked",  # 401 to everything, whatever credential is shown
    "quota_exhausted",  # the daily quota is used up
    "own_key_race",  # the next task create loses the race: another client has just made the same key
    "own_record_race",  # the next record create loses the race: another client has just made the same account's record
    "row_locked",  # one record of the next write call is locked, once
    "garbled_answer",  # the next write call is applied, its answer is cut in the middle
]


@dataclass(frozen=True, slots=True)
class Company:
    """A company record to put into the CRM. ``account_id`` fills the match field; ``values`` by logical name."""

    name: str
    domain: str | None = None
    account_id: str | None = None
    owner_id: str | None = None
    values: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SeenTask:
    """A CRM task as it stands in the CRM, deleted ones included."""

    id: str
    key: str
    record_id: str | None
    subject: str
    body: str
    status: TaskStatus
    owner_id: str | None
    person_id: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request the CRM received. ``write`` is true for calls that may change records (not for logins)."""

    method: str
    path: str
    status: int
    write: bool


class Crm(Protocol):
    """One running sandbox CRM, driven from the outside."""

    kind: str
    batch: int
    """Records one write call carries: 200 in Salesforce, 100 in HubSpot."""

    def reset(self) -> None:
        """An empty CRM: no companies, deals, tasks, people, faults or log, and none of our fields."""

    def destination(self) -> Destination:
        """How an operator would configure this CRM, with `match_field`, a domain fallback and tasks."""

    def set_up(self) -> Self:
        """An empty CRM with our fields set up; the call log starts after that."""

    def connect(self) -> Connector:
        """A fresh connector on `destination`."""

    def stop(self) -> None:
        """Stop the sandbox."""

    # ---- fields: the suite speaks logical names: score (number, scale 0), ratio (number, scale 2), band (text,
    # ---- 16 characters or as long as the CRM has it), since (date), seen_at (datetime), flag (bool), kind (enum a/b)
    def needs(self) -> Sequence[FieldNeed]:
        """What `setup` is asked for: one field per logical name, the match field and the task key field."""

    def field(self, logical: str) -> str:
        """The CRM's name of a logical field."""

    def refused(self) -> tuple[str, Scalar]:
        """(CRM field, value) that only the CRM refuses, in an answer that echoes the value."""

    # ---- seeding
    def add_companies(self, companies: Sequence[Company]) -> list[str]:
        """Record ids, in order, in the form the connector reports them."""

    def add_owner(self, email: str, active: bool = True) -> str:
        """The id for an owner field."""

    def add_deal(self, record_id: str, amount: float | None = None) -> str:
        """An open deal of a company."""

    def new_company(self, account_id: str, name: str) -> Mapping[str, Scalar]:
        """What `CreateRecord.values` hold for a new company: its match field and its name, by CRM field."""

    # ---- what is in the CRM
    def companies_of(self, account_id: str) -> list[str]:
        """The living company records whose match field holds this account's id."""

    def company_name(self, record_id: str) -> str:
        """What a company is called now."""

    def company(self, record_id: str) -> Mapping[str, Scalar]:
        """Stored values of the logical fields, canonical types; None when empty."""

    def company_count(self) -> int:
        """How many company records exist."""

    def tasks(self) -> Sequence[SeenTask]:
        """Every task ever made, deleted ones included."""

    def calls(self) -> Sequence[Call]:
        """Every call since `forget_calls`, logins included, control calls not."""

    def forget_calls(self) -> None:
        """Empty the log of calls."""

    # ---- a human in the UI
    def human_edits(self, record_id: str, logical: str, value: Scalar) -> None: ...
    def human_reassigns(self, record_id: str, owner_id: str) -> None: ...
    def human_deletes_company(self, record_id: str) -> None: ...
    def human_merges(self, survivor: str, loser: str) -> None: ...
    def human_wins_deal(self, deal_id: str) -> None: ...
    def human_renames_company(self, record_id: str, name: str) -> None: ...
    def human_adds_person(self, email: str, record_id: str | None = None) -> str:
        """A contact, of that company or of none; the person's id as the connector reports it."""

    def human_deletes_person(self, person_id: str) -> None: ...
    def human_completes_task(self, task_id: str) -> None: ...
    def human_starts_task(self, task_id: str) -> None: ...
    def human_retitles_task(self, task_id: str, subject: str) -> None: ...
    def human_deletes_task(self, task_id: str) -> None: ...
    def admin_hides_field(self, logical: str) -> None:
        """The integration may no longer see the field (or, where the CRM cannot hide one, it is archived)."""

    def admin_tracks_fields(self, *logical: str) -> None:
        """From now on the CRM keeps the history of these fields (HubSpot keeps that of every property)."""

    # ---- a bad day
    def arm(self, fault: Fault) -> None: ...
    def pass_time(self, seconds: float) -> None:
        """Move the CRM's clock on (search indexes catch up, windows and locks end)."""
