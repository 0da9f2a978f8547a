"""What a run would refuse of the data because of the runs before it, for `plgsync check`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from worker.pipeline.compute import load_usual
from worker.pipeline.presence import presence_of
from worker.planning.spare_records import stored_spare_records
from worker.planning.whose_state import other_project
from worker.settings.environment import database_url
from worker.settings.problems import Problem
from worker.settings.project import Project
from worker.settings.signals import SignalsSettings
from worker.signals.compute import compute
from worker.signals.data_report import DataReport
from worker.signals.errors import DistrustedData
from worker.signals.source import Source
from worker.signals.trust import Usual, distrust
from worker.store import state
from worker.store.crm import Record
from worker.store.engine import database_exists, read_store
from worker.store.sightings import Sighting, load_sightings

_NO_SIGNALS = SignalsSettings(version=1, signals={})


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRuns:
    """The usual shares of rows that join and numbers of accounts, every account seen, and by CRM the spare records.

    ``other_project`` says that all of it is of another project.
    """

    usual: Usual = field(default_factory=Usual)
    sizes: Sequence[int] = ()
    sightings: Mapping[str, Sighting] = field(default_factory=dict)
    spare_records: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    other_project: Problem | None = None


def load_earlier_runs(project: Project) -> EarlierRuns:
    """What the state database of a project holds; nothing where there is none yet. Raises `StoreError`."""
    url = database_url(project.root)
    if not database_exists(url):
        return EarlierRuns()
    engine = read_store(url)
    try:
        with engine.begin() as connection:
            return EarlierRuns(
                usual=load_usual(connection),
                sizes=state.recent_sizes(connection),
                sightings=load_sightings(connection),
                spare_records={
                    name: stored_spare_records(connection, name)
                    for name, one in project.crm.destinations.items()
                    if one.account.record == "parent"
                },
                other_project=other_project(connection, project),
            )
    finally:
        engine.dispose()


def refused_data(project: Project, source: Source, earlier: EarlierRuns, report: DataReport) -> Iterator[str]:
    """Why a run would reject the data of a report, without writing what it found."""
    trust, as_of = project.product.trust, report.as_of
    yield from distrust(report, trust, earlier.usual)
    if earlier.sightings:
        accounts = compute(source, project.product, _NO_SIGNALS, (), as_of)
        present = source.account_ids(as_of) | accounts.keys()
        sizes = [*earlier.sizes, report.volume.accounts]
        try:
            presence_of(earlier.sightings, present, accounts, sizes, as_of, trust)
        except DistrustedData as error:
            yield str(error)
