"""What runs measure, remembered: a run of the same data and settings as of the same moment need not measure again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import duckdb

from tests import forked
from worker.pipeline import compute, measure
from worker.pipeline.measure import Measured, check_fresh_report, needs_of
from worker.pipeline.measure import measure as really_measure
from worker.reports import explain
from worker.reports import fields as reports_fields
from worker.settings.project import Project
from worker.settings.scores import needs as score_needs
from worker.signals import data_report, row_marks, table_findings
from worker.signals.source import Source, open_source
from worker.signals.trust import Usual, check_trust

SHARED = "PLGSYNC_TEST_MEASURED"
"""The variable with the folder in which all processes of a test run remember; without it every run measures."""
_NOTHING_USUAL = Usual()
_NOT_READ = {"alerts.yaml", "crm.yaml", "schedule.yaml"}
_CLASSES: Mapping[str, Any] = {
    name: one
    for module in (measure, data_report, table_findings, row_marks)
    for name, one in vars(module).items()
    if is_dataclass(one)
}


def measure_once(
    project: Project,
    as_of: datetime,
    previous_accounts: int | None,
    accounts: Collection[str] | None,
    usual: Usual = _NOTHING_USUAL,
) -> Measured:
    """As `worker.pipeline.measure.measure`, but once in a test run for each data, settings, moment and accounts.

    Some accounts are taken from a measuring of all. Whether the data is fresh and can be trusted depends on the runs
    before: it is checked every time.
    """
    contents = _contents(project) if SHARED in os.environ else None
    if contents is None:
        return really_measure(project, as_of, previous_accounts, accounts, usual)
    key = hashlib.sha256(repr((contents, _settings(project), as_of)).encode()).hexdigest()
    file = everybody = Path(os.environ[SHARED], f"{key}.json")
    if accounts is not None and not everybody.exists():
        of_accounts = hashlib.sha256(repr(sorted(accounts)).encode()).hexdigest()
        file = everybody.with_name(f"{key}-{of_accounts}.json")
    if not file.exists():
        measured = really_measure(project, as_of, previous_accounts, accounts, usual)
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(_packed(measured)), encoding="utf-8")
        draft.rename(file)
        return measured
    found: Measured = _unpacked(json.loads(file.read_text(encoding="utf-8")))
    check_fresh_report(project, cast(Source, _Unopened(project, as_of)), found.report, previous_accounts)
    check_trust(found.report, project.product.trust, usual)
    return found if accounts is None else _only(found, accounts)


@dataclass(frozen=True, slots=True)
class _Unopened:
    """A source that is opened only where it is asked."""

    project: Project
    as_of: datetime

    def usual_since(self, latest: datetime, as_of: datetime) -> float | None:
        with open_source(self.project.product, self.project.root, self.as_of) as source:
            return source.usual_since(latest, as_of)


def _only(measured: Measured, accounts: Collection[str]) -> Measured:
    """What a measuring of these accounts alone finds."""
    then = {days: {a: row for a, row in rows.items() if a in accounts} for days, rows in measured.then.items()}
    return replace(measured, now={a: row for a, row in measured.now.items() if a in accounts}, then=then)


@contextmanager
def remembering() -> Iterator[None]:
    """Let commands in this process remember what they measure."""
    with ExitStack() as patches:
        for module in (compute, explain, reports_fields):
            patches.enter_context(patch.object(module, "measure", measure_once))
        yield


def main(*, forking: bool = False) -> None:
    """The command line, in a process that remembers with the others; with ``forking`` its children do so too."""
    from worker.cli import main as run_command

    with remembering():
        if forking:
            forked.fork_children()
        run_command()


def _contents(project: Project) -> object:
    """The product's data; None where it is of a kind that is measured each time, or cannot be read."""
    source = project.product.source
    if source and (place := source.sqlite or source.folder):
        files = sorted(file for file in (project.root / place, *(project.root / place).rglob("*")) if file.is_file())
        return [(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files] or None
    return _contents_of(project.root / source.duckdb) if source and source.duckdb else None


def _contents_of(database: Path) -> object:
    """The tables of a DuckDB file: the same after it was changed and changed back. Each state of it is read once."""
    if not database.is_file():
        return None
    noted = Path(os.environ[SHARED], hashlib.sha256(database.read_bytes()).hexdigest())
    if not noted.exists():
        contents = _read(database)
        if contents is None:
            return None
        draft = noted.with_suffix(f".{os.getpid()}")
        draft.write_text(repr(contents), encoding="utf-8")
        draft.rename(noted)
    return noted.read_text(encoding="utf-8")


def _read(database: Path) -> list[object] | None:
    try:
        with duckdb.connect(str(database), read_only=True) as opened:
            tables = opened.execute("select table_name, sql from duckdb_tables() order by all").fetchall()
            rows = "select count(*), sum(hash(one)) from {} one"
            return [(sql, opened.execute(rows.format(name)).fetchone()) for name, sql in tables]
    except duckdb.Error:
        return None


def _settings(project: Project) -> object:
    """All settings that measuring reads."""
    files = sorted(file for file in (project.root / "config").rglob("*") if file.is_file())
    texts = [(file.name, file.read_bytes()) for file in files if file.name not in _NOT_READ]
    needs = [sorted(map(repr, some)) for some in (needs_of(project), score_needs(project.scores))]
    return texts, needs, project.crm.shares_records


def _packed(value: Any) -> Any:
    """A value as JSON: what JSON does not have as a list of its kind and its parts."""
    if is_dataclass(value):
        return [type(value).__name__, {one.name: _packed(getattr(value, one.name)) for one in fields(value)}]
    if isinstance(value, Mapping):
        return ["dict", [[_packed(name), _packed(one)] for name, one in value.items()]]
    if isinstance(value, list | tuple | frozenset):
        return [type(value).__name__, [_packed(one) for one in value]]
    return [type(value).__name__, value.isoformat()] if isinstance(value, date) else value


def _unpacked(packed: Any) -> Any:
    if not isinstance(packed, list):
        return packed
    kind, parts = packed
    if kind in _CLASSES:
        return _CLASSES[kind](**{name: _unpacked(one) for name, one in parts.items()})
    if kind == "dict":
        return {_unpacked(name): _unpacked(one) for name, one in parts}
    if kind in {"date", "datetime"}:
        return {"date": date, "datetime": datetime}[kind].fromisoformat(parts)
    return {"list": list, "tuple": tuple, "frozenset": frozenset}[kind](_unpacked(one) for one in parts)
