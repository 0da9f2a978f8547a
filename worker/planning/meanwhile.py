"""What a delivery beside a run wrote while the run read the CRM: our own fresh values are not taken for a person's.

The state was loaded before the CRM was read. A value that a delivery wrote in between may be what the CRM showed, or
may have come after that. So the state is asked once more, for the records that were written since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, select

from connectors.base import Scalar
from worker.delivery.backlog import attempted_fields
from worker.planning.crm_view import Candidates, CrmView
from worker.store import crm as store
from worker.store.ledger import OF_RECORDS, unanswered_values
from worker.store.tables import ledger

_COMMITS_LATE_S = 120.0
"""How long a transaction may be open between its entry in the ledger and its commit."""


def note_meanwhile(connection: Connection, view: CrmView) -> None:
    """Note in the view what was written to this CRM since the state was loaded."""
    written_to = (
        select(ledger.c.record_id)
        .where(
            ledger.c.destination == view.name,
            ledger.c.kind.in_(OF_RECORDS),
            ledger.c.at > view.stored.loaded_at - _COMMITS_LATE_S,
        )
        .distinct()
    )
    records = [record_id for record_id in connection.execute(written_to).scalars() if record_id]
    candidates = [attempted_fields(connection, view.name), unanswered_values(connection, view.name)]
    for record_id, now in store.load_confirmed(connection, view.name, records).items():
        before = view.stored.snapshot.get(record_id, {})
        if record_id in view.readings.snapshot:
            _take_confirmed(view, record_id, before, now.shown)
        if now.written != view.stored.written.get(record_id, {}):
            candidates.append({record_id: {name: [value] for name, value in now.written.items()}})
    view.readings.sent_meanwhile = _together(candidates)


def _take_confirmed(view: CrmView, record_id: str, before: Mapping[str, Scalar], now: Mapping[str, Scalar]) -> None:
    """A field that the CRM showed as it was before has the confirmed value by now."""
    shown = view.readings.snapshot[record_id]
    moved = {
        name: value for name, value in now.items() if value != before.get(name) and shown.get(name) == before.get(name)
    }
    if moved:
        view.readings.snapshot[record_id] = {**shown, **moved}


def _together(candidates: Sequence[Candidates]) -> Candidates:
    found: dict[str, dict[str, list[Scalar]]] = {}
    for record_id, name, values in _each(candidates):
        found.setdefault(record_id, {}).setdefault(name, []).extend(values)
    return found


def _each(candidates: Sequence[Candidates]) -> Iterator[tuple[str, str, Sequence[Scalar]]]:
    for one in candidates:
        for record_id, fields in one.items():
            for name, values in fields.items():
                yield record_id, name, values
