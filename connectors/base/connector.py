"""The protocol of every connector: operations in, one outcome per operation out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from connectors.base.adoption import DeletedRecord, FieldWriters, OurTask
from connectors.base.facts import Cursor, ReadBack
from connectors.base.fields import FieldNeed, FieldSpec, ObjectKind, SetupStep
from connectors.base.health import Health, Usage
from connectors.base.operations import Operation
from connectors.base.outcomes import Outcome
from connectors.base.records import Match, MatchKey, Owner, Person


class Connector(Protocol):
    """One CRM. Every method may raise `AccessDenied`, `QuotaExhausted` or `Unavailable`, `write` also `Underway`."""

    @property
    def name(self) -> str:
        """The destination's name in ``config/crm.yaml``."""

    def batch_size(self, operation: type[Operation], waiting: int) -> int:
        """How many operations of one class to pass to `write` together when ``waiting`` of them are due."""

    def fewest_calls(self, operation: type[Operation], count: int) -> int:
        """The fewest write calls that can carry ``count`` operations of one class."""

    def check(self) -> Health:
        """Who we are, what we may do and what is left of the quota; changes nothing."""

    def describe(self, object: ObjectKind) -> Mapping[str, FieldSpec]:
        """Every field of the object that our user can see, by name."""

    def match(self, keys: Sequence[MatchKey], fields: Sequence[str]) -> Sequence[Match]:
        """One match per key, in order: stored id, then match field, then the fallbacks in order."""

    def people(self, emails: Sequence[str]) -> Sequence[Person]:
        """One person per e-mail address, in order; several hits are reported as ambiguous."""

    def owners(self) -> Sequence[Owner]:
        """Every person who can own a task; inactive people are included and marked."""

    def write(self, operations: Sequence[Operation]) -> Sequence[Outcome]:
        """Send operations of one class; one outcome per operation, in the order given.

        Batches as large as the CRM allows. A rejected record never fails its neighbours. No record may
        appear twice in one call (`ValueError`).
        """

    def read_back(self, since: Cursor, fields: Sequence[str], tasks: Mapping[str, str]) -> ReadBack:
        """What people changed since the cursor: company records, deals, and our tasks.

        ``tasks`` maps the keys of our open tasks to their CRM ids. At an empty cursor every open deal is
        read, and no company record (they come from `match`).
        """

    def our_tasks(self, starts_with: str = "", newest: int | None = None) -> Sequence[OurTask]:
        """Every task with a key that starts with this text, whatever its case; the last created task first.

        With ``newest`` only so many, in one or two calls plus those for the records they are on.
        """

    def field_writers(self, record_ids: Sequence[str], fields: Sequence[str]) -> FieldWriters:
        """By record and field, whether we wrote the value that the field holds now.

        None where the CRM does not say so for certain, and of an empty field that nobody has emptied. A record that is
        gone, and a field that our user cannot see, is left out.
        """

    def deleted_records(self) -> Sequence[DeletedRecord]:
        """Records with our match field that are deleted and that the CRM still has."""

    def setup(self, needs: Sequence[FieldNeed], dry_run: bool) -> Sequence[SetupStep]:
        """Create what is missing, read it back, and return the state of each need."""

    def record_url(self, record_id: str) -> str:
        """The web address of this company record; makes no call once the CRM has been read."""

    def server_time(self) -> datetime | None:
        """The present by the clock of the CRM's servers, as its answers have shown so far; makes no call."""

    def usage(self) -> Usage:
        """API calls made by this object so far."""

    def close(self) -> None:
        """Close the connections; the object must not be used again."""
