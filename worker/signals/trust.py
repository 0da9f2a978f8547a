"""Refuse to score on data that does not join, or in which too much is wrong at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from worker.language.plural import counted
from worker.settings.trust import TrustSettings
from worker.signals.data_report import DataReport, JoinFindings, TableFindings
from worker.signals.errors import DistrustedData

_FEW_ACCOUNTS = 5
_HALF = 0.5
_NONE: Mapping[str, float] = {}


def check_trust(report: DataReport, trust: TrustSettings, usual: Mapping[str, float] = _NONE) -> None:
    """Raise `DistrustedData`, with every reason, when ``report`` says that numbers would be wrong.

    ``usual`` is, by table, the share of rows that joined in the runs before; half of it is not believed.
    """
    reasons = list(distrust(report, trust, usual))
    if reasons:
        raise DistrustedData("; ".join(reasons))


def distrust(report: DataReport, trust: TrustSettings, usual: Mapping[str, float] = _NONE) -> Iterator[str]:
    """Why a run would refuse the data."""
    for table in report.tables:
        for join in table.joins:
            if join.other == "accounts":
                yield from _joins(table, join, trust, usual.get(table.name))
    if report.accounts_twice > max(_FEW_ACCOUNTS, trust.repeated_accounts * report.accounts):
        accounts = counted(report.accounts, "account")
        yield f"{report.accounts_twice:,} of {accounts} stand more than once in the accounts table"


def _joins(table: TableFindings, join: JoinFindings, trust: TrustSettings, usual: float | None) -> Iterator[str]:
    share, allowed = join.share, trust.unjoined_of(table.name)
    if share is None:
        return
    given, joined = (join.recent_given, join.recent_joined) if join.recent_given else (join.given, join.joined)
    lost = f"{given - joined:,} of {given:,} {table.name} ({1 - share:.0%}) belong to no account"
    what = f"{lost}{join.examples}"
    if 1 - share > allowed:
        yield f"{what}; {allowed:.0%} are allowed"
    elif usual is not None and share < _HALF * usual:
        yield f"{what}; {1 - usual:.0%} are usual"
