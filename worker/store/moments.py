"""Moments as the state database stores them, and those that a clock which is ahead has made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

AHEAD = timedelta(minutes=5)
"""So far two clocks may differ; what lies further ahead of one of them is in the future."""
WAY_BACK = "plgsync state restore FILE with the backup from before; it then adopts what the CRMs hold"


class InFuture(Exception):
    """A moment for which something is to be done lies in the future of a clock that is at hand."""


def iso(moment: datetime) -> str:
    """ISO text in UTC, in whole seconds: texts sort as their moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def refuse_future(what: str, moment: datetime, clocks: Mapping[str, datetime]) -> None:
    """Raise `InFuture` when ``moment`` is ahead of one of the clocks, by name, which show the present."""
    for whose, present in clocks.items():
        if moment > present + AHEAD:
            raise InFuture(
                f"{what} {iso(moment)} is in the future: the clock of {whose} shows {iso(present)}. Nothing was done. "
                "Correct the clock of this machine or of the state database, then try again; a person who wants the "
                "future calls plgsync run --as-of MOMENT --yes-future. If a run as of the future is stored already: "
                f"{WAY_BACK}"
            )
