"""The JSON of a data report has a share beside every number of rows or of cells."""

from __future__ import annotations

from worker.signals.row_marks import MarkedRows
from worker.signals.table_findings import ColumnFindings, ReversedDates, TableFindings


def test_every_number_of_rows_has_its_share() -> None:
    found = TableFindings(
        name="tickets",
        rows=8,
        missing={"account_id": 2},
        repeats=1,
        columns=(ColumnFindings("opened_at", 4, 0),),
        reversed=(ReversedDates(start="opened_at", end="closed_at", rows=1, of=4),),
        contradictions={"closed and open": 2},
        marked=(MarkedRows(column="is_deleted", what="deleted", rows=4, remedy="map a query"),),
    ).to_json()
    assert found["missing_shares"] == {"account_id": 0.25}
    assert found["repeats_share"] == 0.125
    assert found["columns"][0]["unreadable_share"] == 0.5
    assert found["reversed"][0]["share"] == 0.25
    assert found["contradiction_shares"] == {"closed and open": 0.25}
    assert found["marked"][0]["share"] == 0.5


def test_a_table_without_rows_has_shares_of_nothing() -> None:
    dates = ReversedDates(start="opened_at", end="closed_at", rows=0, of=0)
    found = TableFindings(name="tickets", rows=0, missing={"account_id": 0}, reversed=(dates,)).to_json()
    assert (found["missing_shares"], found["reversed"][0]["share"]) == ({"account_id": 0.0}, 0.0)
