"""Refuse to score on data that does not join, or in which too much is wrong at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from worker.language.plural import counted
from worker.settings.trust import TrustSettings
from worker.signals.data_report import DataReport
from worker.signals.errors import DistrustedData
from worker.signals.table_findings import JoinFindings

_FEW_ACCOUNTS = 5
_FEW_ROWS = 5
_ENOUGH_ROWS = 21
_IF_RIGHT = "if that is right from now on, run: plgsync data accept"


@dataclass(frozen=True, slots=True)
class Usual:
    """By table, what earlier runs found: the shares of rows that joined and that named an account, and the rows."""

    joined: Mapping[str, float] = field(default_factory=dict)
    named: Mapping[str, float] = field(default_factory=dict)
    rows: Mapping[str, float] = field(default_factory=dict)


_NOTHING_USUAL = Usual()


def check_trust(report: DataReport, trust: TrustSettings, usual: Usual = _NOTHING_USUAL) -> None:
    """Raise `DistrustedData`, with every reason, when ``report`` says that numbers would be wrong.

    Far less than a usual share is not believed (``least_usual``).
    """
    reasons = list(distrust(report, trust, usual))
    if reasons:
        raise DistrustedData("; ".join(reasons))


def distrust(report: DataReport, trust: TrustSettings, usual: Usual = _NOTHING_USUAL) -> Iterator[str]:
    """Why a run would refuse the data."""
    for table, join in report.joins_to_accounts():
        yield from _joins(table, join, trust, usual.joined.get(table))
        yield from _anonymous(table, join, trust, usual.named.get(table))
    yield from _shared_keys(report, trust)
    yield from _repeated_rows(report, trust)
    yield from _reversed_dates(report, trust)
    yield from _shrunk(report, trust, usual)
    if report.accounts_twice > max(_FEW_ACCOUNTS, trust.repeated_accounts * report.accounts):
        accounts = counted(report.accounts, "account")
        yield f"{report.accounts_twice:,} of {accounts} stand more than once in the accounts table"


def _shared_keys(report: DataReport, trust: TrustSettings) -> Iterator[str]:
    for table in report.tables:
        if table.shared_keys > max(_FEW_ROWS, trust.shared_keys * table.rows):
            many = f"{table.shared_keys:,} of {counted(table.rows, 'row')} of {table.name}"
            shared = f"{many} have the {table.id_column} of a row about something else"
            yield f"{shared}: map a column that no two rows share"


def _repeated_rows(report: DataReport, trust: TrustSettings) -> Iterator[str]:
    for table in report.tables:
        found = table.repeated
        if found is None or found.under_other_ids:
            continue
        if found.certain > max(_FEW_ROWS, trust.repeated_rows * found.rows):
            yield (
                f"{table.name}: {found.sentence}: map {table.id_column}, or let a query read each row once; "
                "if they are real, raise trust.repeated_rows in config/product.yaml"
            )


def _reversed_dates(report: DataReport, trust: TrustSettings) -> Iterator[str]:
    for table in report.tables:
        for dates in table.reversed:
            if dates.rows > max(_FEW_ROWS, trust.reversed_dates * dates.of):
                many = f"{dates.rows:,} of {counted(dates.of, 'row')} of {table.name} with both dates"
                order = f"have {dates.end} before {dates.start}"
                yield f"{many} {order}: the two seem to be swapped under tables: {table.name}: columns"


def _shrunk(report: DataReport, trust: TrustSettings, usual: Usual) -> Iterator[str]:
    """Tables that lost rows; accounts that vanish are looked at one by one."""
    for table in report.tables:
        before = usual.rows.get(table.name, 0)
        enough = _ENOUGH_ROWS if table.rows else _FEW_ROWS
        if table.name != "accounts" and before >= enough and table.rows < (1 - trust.shrunk) * before:
            yield f"{table.name} has {counted(table.rows, 'row')}, {before:,.0f} are usual; {_IF_RIGHT}"


def _joins(table: str, join: JoinFindings, trust: TrustSettings, usual: float | None) -> Iterator[str]:
    share, allowed = join.share, trust.unjoined_of(table)
    if share is None:
        return
    given, joined = (join.recent_given, join.recent_joined) if join.recent_given else (join.given, join.joined)
    lost = f"{given - joined:,} of {given:,} {table} ({1 - share:.0%}) belong to no account"
    what = f"{lost}{join.examples}"
    if 1 - share > allowed:
        yield f"{what}; {100 * allowed:g}% are allowed"
    elif usual is not None and share < trust.least_usual * usual:
        yield f"{what}; {1 - usual:.0%} are usual; {_IF_RIGHT}"


def _anonymous(table: str, join: JoinFindings, trust: TrustSettings, usual: float | None) -> Iterator[str]:
    """Rows that name no account may be usual, such as those of a web site; far more of them than usual are not."""
    if usual is not None and join.named is not None and join.named < trust.least_usual * usual:
        rows = join.recent_given + join.recent_blank
        lost = f"{join.recent_blank:,} of {rows:,} {table} ({1 - join.named:.0%}) name no account"
        yield f"{lost}; {1 - usual:.0%} are usual; {_IF_RIGHT}"
