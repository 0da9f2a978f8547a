"""Names of columns by which a source itself says that a row does not count, and what they mean.

Names compare without case, underscores and other signs. Sources: Fivetran (``_fivetran_deleted``, history mode), Stitch
(``_sdc_deleted_at``), Airbyte (``_ab_cdc_deleted_at``), Hevo, PeerDB, Debezium (``__deleted``, ``__op``), Delta
(``_change_type``), Snowflake (``METADATA$ACTION``), dbt snapshots (``dbt_valid_to``), Stripe (``livemode``), Salesforce
(``IsDeleted``, ``MasterRecordId``), Rails (``deleted_at``, ``discarded_at``, ``x_type`` beside ``x_id``), Django
(``is_active``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from worker.settings.product_schema import kind_of
from worker.signals.constructs import Kind
from worker.signals.source_columns import MARK, SourceColumn

How = Literal["true", "false", "past", "given", "word"]
"""Which cell marks its row: a true or false flag, a time that is reached, any, or one of some words."""

DELETED, REPLACED, MERGED = "deleted", "older versions", "merged into another"
CANCELLED, PAUSED = "to be cancelled at the end of the term", "paused"
TEST, UNUSED, STAFF, OVER = "of a test", "not in use", "of staff or a machine", "over"


_READABLE = frozenset({"flag", "number", "float", "time", "naive", "date", "text", "any", "json", "struct"})
"""Kinds of columns whose cells may mark a row."""


class Mark(NamedTuple):
    """What a column says of the rows with such a cell."""

    what: str
    how: How
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedRows:
    """Rows that count although ``column`` of theirs, which is not mapped, says ``what`` of them."""

    column: str
    what: str
    rows: int
    remedy: str

    @property
    def sentence(self) -> str:
        """What an admin should know of these rows, after how many they are."""
        return f'are {self.what} by the column "{self.column}", which is not mapped: {self.remedy}'


def _all(names: str, mark: Mark) -> dict[str, Mark]:
    return dict.fromkeys(names.split(), mark)


_CHANGES = frozenset({"d", "delete", "deleted", "remove", "update_preimage", "before"})
_ANY_TABLE: Mapping[str, Mark] = {
    **_all(
        "fivetrandeleted isdeleted deleted softdeleted issoftdeleted isremoved removed discarded isdiscarded archived "
        "isarchived dbtisdeleted hevomarkeddeleted peerdbisdeleted abcdcdeleted isanonymized isanonymised isspam",
        Mark(DELETED, "true"),
    ),
    **_all(
        "sdcdeletedat abcdcdeletedat deletedat deletedon datedeleted deleteddate discardedat archivedat removedat "
        "anonymizedat anonymisedat",
        Mark(DELETED, "past"),
    ),
    **_all("dbtvalidto validto fivetranend effectiveto endat", Mark(REPLACED, "past")),
    **_all("fivetranactive iscurrent currentflag iscurrentversion islatest", Mark(REPLACED, "false")),
    **_all("livemode islive", Mark(TEST, "false")),
    **_all(
        "istest test testmode istestmode sandbox issandbox isdemo demo istestaccount testaccount", Mark(TEST, "true")
    ),
    **_all(
        "mergedinto mergedintoid mergedto mergedtoid masterrecordid duplicateof duplicateofid", Mark(MERGED, "given")
    ),
    **_all("isbot bot isstaff issuperuser issystem isserviceaccount serviceaccount", Mark(STAFF, "true")),
}
_OF_SUBSCRIPTIONS: Mapping[str, Mark] = {
    **_all("cancelatperiodend cancelattermend cancelatendofperiod", Mark(CANCELLED, "true")),
    **_all("autorenew autorenews isautorenew autorenewal renews", Mark(CANCELLED, "false")),
    **_all("cancelat", Mark(CANCELLED, "given")),
    **_all("pausecollection pausecollectionbehavior", Mark(PAUSED, "given")),
    **_all("paused ispaused", Mark(PAUSED, "true")),
}
_NOT_OF_EVENTS: Mapping[str, Mark] = {
    **_all("isactive active isenabled enabled activeflag", Mark(UNUSED, "false")),
    **_all("op cdcop cdcoperation changetype metadataaction hoodieoperation dmsop", Mark(DELETED, "word", _CHANGES)),
}
_OF_EVENTS: Mapping[str, Mark] = {
    **_all("impersonated isimpersonated impersonating", Mark(STAFF, "true")),
    **_all("impersonatorid impersonatedby impersonatoruserid impersonatoremail impersonator", Mark(STAFF, "given")),
}
_GONE = frozenset({"deleted", "removed", "deactivated", "disabled", "archived", "merged", "anonymized", "anonymised"})
_NO_MEMBER = frozenset(
    {"inactive", "suspended", "invited", "pending", "declined", "requested", "expired", "revoked", "left"}
)
_STATUS: Mapping[str, frozenset[str]] = {
    "accounts": _GONE | {"closed", "terminated", "demo", "test", "sandbox", "internal"},
    "users": _GONE | {"inactive", "suspended", "terminated"},
    "memberships": _GONE | _NO_MEMBER,
    "invites": _GONE | {"revoked", "expired", "declined", "cancelled", "canceled", "rejected"},
    "tickets": _GONE | {"closed", "solved", "resolved", "done", "completed", "spam", "duplicate"},
    "surveys": _GONE | {"dismissed", "skipped", "spam"},
}
_STATUS_NAMES = frozenset(
    {"status", "state", "accountstatus", "userstatus", "memberstatus", "membershipstatus", "ticketstatus"}
)

INTERVALS = frozenset(
    {"interval", "billinginterval", "planinterval", "recurringinterval", "pricerecurringinterval", "planintervalunit"}
    | {"billingperiod", "billingperiodunit", "billingcycle", "billingfrequency", "periodunit", "paymentinterval"}
)
"""Columns of subscriptions that say how often is paid."""
YEARLY = frozenset(
    {"year", "years", "yearly", "annual", "annually", "annum", "p1y", "1 year", "12 months", "12months", "every year"}
)
HUNDREDTHS = re.compile(r"(cents|unitamount|unitamountdecimal|minor|minorunits|pence)$")
"""How a column with amounts is called whose amounts are in hundredths."""


def plain(name: str) -> str:
    """The name of a column for comparing."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def mark_of(table: str, column: str) -> Mark | None:
    """What the column of theirs says of the rows of our ``table``, by its name."""
    name = plain(column)
    more = _OF_EVENTS if table == "events" else _NOT_OF_EVENTS
    more = {**more, **_OF_SUBSCRIPTIONS} if table == "subscriptions" else more
    if name in _STATUS_NAMES and table in _STATUS:
        return Mark(OVER if table in {"tickets", "invites"} else UNUSED, "word", _STATUS[table])
    return _ANY_TABLE.get(name) or more.get(name)


def type_beside(column: str, theirs: Mapping[str, object]) -> str | None:
    """The column that says of which kind the ids in ``column`` are: ``x_type`` beside ``x_id``."""
    stem = re.sub(r"_?id$", "", column, flags=re.IGNORECASE)
    if stem == column:
        return None
    return next((name for name in theirs if plain(name) == f"{plain(stem)}type"), None)


def marks_among(table: str, columns: Mapping[str, SourceColumn], theirs: Mapping[str, Kind]) -> dict[str, SourceColumn]:
    """The columns of theirs that nothing maps and that say something of a row, by `MARK` and their name."""
    mapped = {column.name for column in columns.values()}
    told = {name for name in theirs if mark_of(table, name) or (table == "subscriptions" and plain(name) in INTERVALS)}
    ids = [column.name for ours, column in columns.items() if kind_of(table, ours) == "id"]
    told |= {beside for beside in (type_beside(name, theirs) for name in ids) if beside}
    names = sorted(name for name in told - mapped if theirs[name] in _READABLE)
    return {MARK + name: SourceColumn(name, theirs[name]) for name in names}
