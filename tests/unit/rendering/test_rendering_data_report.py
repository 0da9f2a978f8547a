"""The data report as a person reads it: a table where it fits, lists where it does not."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO

import pytest

from worker.rendering.console import PlainConsole
from worker.rendering.data_report import data_remarks
from worker.rendering.problems import render_check
from worker.reports.check import Check
from worker.signals.data_report import DataReport
from worker.signals.table_findings import ColumnFindings, JoinFindings, TableFindings

AT = datetime(2026, 6, 30, 6, tzinfo=UTC)
JOIN = JoinFindings(
    column="account_id", other="accounts", given=3000, joined=2999, recent_given=3000, recent_joined=2999
)
EVENTS = TableFindings(
    name="events",
    rows=4000,
    newest=AT,
    missing={"occurred_at": 7},
    repeats=5,
    columns=(ColumnFindings("occurred_at", 40, 3), ColumnFindings("received_at", 2, 0)),
    joins=(JOIN,),
)


def _printed(width: int) -> str:
    out = StringIO()
    check = Check(data=DataReport(as_of=AT, tables=(EVENTS,)))
    PlainConsole(file=out, width=width).print(render_check(check))
    return out.getvalue()


def test_check_shows_one_row_per_table_and_no_share_rounded_up_to_all() -> None:
    row = next(line for line in _printed(120).splitlines() if "events" in line)
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == ["events", "4,000", "2026-06-30", "7", "5", "42", "3", "99.9 %"]


@pytest.mark.parametrize("width", [40, 60])
def test_the_report_stays_readable_in_a_narrow_window(width: int) -> None:
    lines = _printed(width).splitlines()
    assert max(map(len, lines)) <= width
    assert "unreadable: 42" in lines
    assert "not believed: 3" in lines


def test_many_remarks_are_shown_in_short() -> None:
    lines = data_remarks([("events", f"remark {index}") for index in range(10)])
    assert lines[0] == "events: remark 0"
    assert lines[-1] == "… and 2 more remarks on the data; plgsync check shows all"
    assert len(lines) == 9
