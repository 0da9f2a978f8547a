"""``plgsync fields``: every field that playbooks and scores may use, with three values that this project has of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import chain, islice
from typing import Any, Literal

from sqlalchemy import Connection, select

from connectors.base.values import one_line
from connectors.clock import now
from worker.language.values import Fields, Value, tidy
from worker.pipeline.measure import measure, score
from worker.reports.names import require_known
from worker.reports.reader import Reader
from worker.scores import ScoreMemory
from worker.settings.crm import CrmSettings
from worker.settings.known import CRM_FIELDS, FIELD_VALUES, TASK_FIELDS, TEMPLATE_FIELDS
from worker.settings.product import ProductSettings, account_fields
from worker.settings.product_schema import SCHEMA
from worker.settings.project import Project
from worker.settings.score_specs import score_fields
from worker.settings.signals import Signal, SignalsSettings
from worker.signals.errors import SourceError, StaleData
from worker.store.state import last_as_of, load_memories
from worker.store.tables import crm_records

Kind = Literal["number", "text", "moment", "flag"]

_SAMPLES = 3
_ACCOUNTS = 50
"""The number of accounts of the last run that are measured for samples; before the first run, all are measured."""
_WIDEST = 40
_KIND_OF_UNIT: Mapping[str, Kind] = {"text": "text", "flag": "flag", "date": "moment"}
_KIND_OF_COLUMN: Mapping[str, Kind] = {"number": "number", "time": "moment", "flag": "flag"}
_KIND_OF_CRM: Mapping[str, Kind] = {
    "crm.open_opportunity": "flag",
    "crm.matched": "flag",
    "task.touched": "flag",
    "task.age_days": "number",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldEntry:
    """One field. ``values`` are all values it can have, where these are known; ``samples`` some of this project."""

    name: str
    label: str
    kind: Kind
    unit: str = ""
    values: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldList:
    """The fields in the order of their names; ``no_samples`` says why there are no samples, and is empty otherwise."""

    fields: tuple[FieldEntry, ...]
    no_samples: str = ""

    def to_json(self) -> dict[str, Any]:
        """The list as JSON."""
        return asdict(self)


def list_fields(reader: Reader, word: str | None = None) -> FieldList:
    """Every field, or those with ``word`` in their name or label. Raises `UnknownName` when there is none.

    While the settings are invalid only the fields that every project has are listed, without samples.
    """
    entries = {entry.name: entry for entry in _entries(reader.project)}
    wanted = (word or "").casefold()
    chosen = [
        entry for entry in entries.values() if wanted in entry.name.casefold() or wanted in entry.label.casefold()
    ]
    if word and not chosen:
        require_known("field", word, entries, "; plgsync fields lists them all")
    try:
        rows = _sample_rows(reader)
    except (SourceError, StaleData) as error:
        return FieldList(_sorted(chosen, []), str(error))
    return FieldList(_sorted(chosen, rows), "" if reader.project else reader.problem)


def _sorted(entries: Iterable[FieldEntry], rows: Sequence[Fields]) -> tuple[FieldEntry, ...]:
    made = (replace(entry, samples=tuple(_samples(row.get(entry.name) for row in rows))) for entry in entries)
    return tuple(sorted(made, key=lambda entry: entry.name))


def _samples(values: Iterable[Value]) -> Iterator[str]:
    """The first distinct values that are known, short and without control characters."""
    shown = (tidy(value) for value in values if value is not None)
    clean = (one_line(text) for text in shown)
    short = (text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…" for text in clean)
    return islice(dict.fromkeys(short), _SAMPLES)


def _entries(project: Project | None) -> Iterator[FieldEntry]:
    for field in score_fields().values():
        yield FieldEntry(name=field.name, label=field.label, kind=field.kind, unit=field.unit, values=field.values)
    for name in (*CRM_FIELDS, *TASK_FIELDS, *TEMPLATE_FIELDS):
        kind = _KIND_OF_CRM.get(name, "text")
        yield FieldEntry(name=name, label=_LABELS[name], kind=kind, values=FIELD_VALUES.get(name, ()))
    if project:
        yield from _of_product(project.product)
        yield from _of_signals(project.signals)
        yield from _of_crms(project.crm)


_LABELS: Mapping[str, str] = {
    "crm.matched": "a CRM has a record of the account",
    "crm.open_opportunity": "a CRM has an open deal of the account",
    "crm.owner_email": "e-mail of the record's owner",
    "crm.task_status": "status of the newest PQL task",
    "task.age_days": "days since the playbook decided its task of this entry (only in playbooks)",
    "task.status": "status of the playbook's task of this entry (only in playbooks)",
    "task.touched": "a person has started, completed or deleted that task (only in playbooks)",
    "playbook.matched": "what made the playbook match (only in its texts)",
    "playbook.name": "name of the playbook (only in its texts)",
}


def _of_product(product: ProductSettings) -> Iterator[FieldEntry]:
    columns = SCHEMA["accounts"].columns
    for name in account_fields(product):
        column = name.removeprefix("account.")
        days = name == "account.age_days"
        kind = "number" if days else _KIND_OF_COLUMN.get(columns.get(column, "text"), "text")
        label = "days since the account was created" if days else f"{column.replace('_', ' ')} of the account"
        yield FieldEntry(name=name, label=label, kind=kind, unit="days" if days else "")


def _of_signals(settings: SignalsSettings) -> Iterator[FieldEntry]:
    for name, signal in settings.signals.items():
        yield FieldEntry(name=name, label=signal.label, kind=_kind_of(signal), unit=signal.unit)


def _kind_of(signal: Signal) -> Kind:
    """What the values of a signal are; what ``latest`` or ``top`` reads is text unless the unit says more."""
    reads_row = signal.measure in {"latest", "top", "top_user"} and signal.unit == "count"
    return "text" if reads_row else _KIND_OF_UNIT.get(signal.unit, "number")


def _of_crms(settings: CrmSettings) -> Iterator[FieldEntry]:
    read = {ours: theirs for one in settings.destinations.values() for ours, theirs in one.read.items()}
    for ours, theirs in read.items():
        yield FieldEntry(name=f"crm.{ours}", label=f"{theirs} in the CRM", kind="text")


def _sample_rows(reader: Reader) -> list[Fields]:
    """Some accounts as of the last run: signals, scores, and what the CRMs' records hold. Raises `SourceError`."""
    if reader.project is None:
        return []
    with reader.engine.begin() as connection:
        last, memories = last_as_of(connection), load_memories(connection)
        of_crms = list(_crm_rows(connection, reader.project.crm))
    as_of = datetime.fromisoformat(last) if last else now()
    measured = measure(reader.project, as_of, None, sorted(memories)[:_ACCOUNTS] or None)
    rows = dict(islice(sorted(measured.now.items()), _ACCOUNTS))
    remembered = {name: ScoreMemory.from_json(memories[name]) for name in rows if name in memories}
    score(reader.project, rows, measured, remembered, as_of)
    return list(chain(rows.values(), of_crms))


def _crm_rows(connection: Connection, settings: CrmSettings) -> Iterator[Fields]:
    query = select(crm_records).order_by(crm_records.c.account_id).limit(_ACCOUNTS)
    for name, destination in settings.destinations.items():
        for row in connection.execute(query.where(crm_records.c.destination == name)).mappings():
            read = {f"crm.{ours}": row["values"].get(theirs) for ours, theirs in destination.read.items()}
            yield {**read, "crm.matched": row["status"] == "matched"}
