"""Refuse to score on data that does not join, or in which too much is wrong at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from worker.settings.trust import TrustSettings
from worker.signals.data_report import DataReport, JoinFindings, TableFindings
from worker.signals.errors import DistrustedData

_FEW_ACCOUNTS = 5
_HALF = 0.5


def check_trust(report: DataReport, trust: TrustSettings, earlier: Sequence[DataReport] = ()) -> None:
    """Raise `DistrustedData`, with every reason, when ``report`` says that numbers would be wrong.

    ``earlier`` are the reports of runs before; a join rate that falls to half of their median is not believed.
    """
    reasons = list(distrust(report, trust, earlier))
    if reasons:
        raise DistrustedData("; ".join(reasons))


def distrust(report: DataReport, trust: TrustSettings, earlier: Sequence[DataReport] = ()) -> Iterator[str]:
    """Why a run would refuse the data."""
    for table in report.tables:
        for join in table.joins:
            if join.other == "accounts":
                yield from _joins(table, join, trust, earlier)
    if report.accounts_twice > max(_FEW_ACCOUNTS, trust.repeated_accounts * report.accounts):
        yield f"{report.accounts_twice} of {report.accounts} accounts stand more than once in the accounts table"


def _joins(
    table: TableFindings, join: JoinFindings, trust: TrustSettings, earlier: Sequence[DataReport]
) -> Iterator[str]:
    share, allowed = join.share, trust.unjoined_of(table.name)
    if share is None:
        return
    given, joined = (join.recent_given, join.recent_joined) if join.recent_given else (join.given, join.joined)
    usual = [one for report in earlier if (one := _share_before(report, table.name)) is not None]
    looks = f"; accounts look like {join.other_example}" if join.other_example else ""
    what = f"{given - joined:,} of {given:,} {table.name} belong to no account, such as {join.example}{looks}"
    if 1 - share > allowed:
        yield f"{what} ({allowed:.0%} are allowed)"
    elif usual and share < _HALF * median(usual):
        yield f"{what} (usual are {1 - median(usual):.0%})"


def _share_before(report: DataReport, name: str) -> float | None:
    table = report.table(name)
    return next((join.share for join in table.joins if join.other == "accounts"), None) if table else None
