"""Prometheus metrics, read from the state database at every scrape: nothing is lost when a worker exits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select

from connectors.base.values import one_line
from worker.alerts.alert_store import open_alerts
from worker.delivery.row_state import RowState
from worker.delivery.selection import depth
from worker.reports.reader import Reader
from worker.settings.project import CONFIG, Project, playbook_files
from worker.store.calls import DAY_S, calls_spent
from worker.store.engine import database_time
from worker.store.job_results import load_job_results
from worker.store.tables import ledger, runs


class StoreCollector(Collector):
    """Every metric of one project; each scrape reads its settings again and is one short transaction."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """All metrics as of now, with labels that are one line of printable text each."""
        for family in self._families(self._reader.reread()):
            for sample in family.samples:
                sample.labels.update({name: one_line(value) for name, value in sample.labels.items()})
            yield family

    def _families(self, reader: Reader) -> Iterable[GaugeMetricFamily]:
        yield _settings_problems(reader)
        with reader.engine.begin() as connection:
            yield from self._outbox(connection, reader.project)
            yield from self._calls(connection)
            yield from self._jobs(connection)
            yield _open_alerts(connection)

    def _outbox(self, connection: Connection, project: Project | None) -> Iterable[GaugeMetricFamily]:
        """The rows of each destination: a configured one is shown also while it has none."""
        rows = {(row["destination"], row["row_state"]): row for row in depth(connection)}
        size = GaugeMetricFamily(
            "plgsync_outbox_rows", "Rows that are neither delivered nor dropped.", labels=["destination", "state"]
        )
        lag = GaugeMetricFamily(
            "plgsync_outbox_lag_seconds",
            "For how long the oldest row has been due that could be sent.",
            labels=["destination"],
        )
        shown = project.crm.destinations if project else sorted({name for name, _ in rows})
        for name in shown:
            for state in RowState:
                row = rows.get((name, state))
                size.add_metric([name, state], row["rows"] if row else 0)
            late = [row["late"] for (of, state), row in rows.items() if of == name and state in _SENDABLE]
            lag.add_metric([name], max(late, default=0.0))
        yield from (size, lag)

    def _calls(self, connection: Connection) -> Iterable[GaugeMetricFamily]:
        at = database_time(connection)
        calls = GaugeMetricFamily(
            "plgsync_crm_calls_today", "Our API calls of the CRM's day.", labels=["destination", "kind", "playbook"]
        )
        refused = GaugeMetricFamily(
            "plgsync_crm_429_today",
            "Our API calls of the CRM's day that it rejected as too fast (429).",
            labels=["destination"],
        )
        left = GaugeMetricFamily(
            "plgsync_crm_calls_left",
            "How many of the day's calls are left, as the CRM reported last.",
            labels=["destination"],
        )
        limit = GaugeMetricFamily(
            "plgsync_crm_calls_limit",
            "How many calls the CRM allows in a day, as it reported last.",
            labels=["destination"],
        )
        for one in calls_spent(connection):
            for (kind, playbook_id), count in sorted(one.ours.items()):
                calls.add_metric([one.destination, kind, playbook_id], count)
            refused.add_metric([one.destination], one.refused)
            if one.left is not None and one.limit is not None:
                left.add_metric([one.destination], one.left)
                limit.add_metric([one.destination], one.limit)
        effects = GaugeMetricFamily(
            "plgsync_effects_today", "Effects of this UTC day, by the CRM's answer.", labels=["destination", "status"]
        )
        for destination, status, count in _effects_since(connection, at - at % DAY_S):
            effects.add_metric([destination, status], count)
        yield from (calls, refused, left, limit, effects)

    def _jobs(self, connection: Connection) -> Iterable[GaugeMetricFamily]:
        ok = GaugeMetricFamily(
            "plgsync_job_last_good_timestamp_seconds", "When the job last ended well.", labels=["name", "job"]
        )
        well = GaugeMetricFamily("plgsync_job_ok", "Whether the job ended well the last time.", labels=["name", "job"])
        for row in load_job_results(connection):
            well.add_metric([row["name"], row["job"]], 0 if row["kind"] else 1)
            if row["ok_at"] is not None:
                ok.add_metric([row["name"], row["job"]], row["ok_at"])
        newest = GaugeMetricFamily("plgsync_run_committed_timestamp_seconds", "When the newest run was committed.")
        newest_run = select(runs.c.committed_at).order_by(runs.c.as_of.desc(), runs.c.committed_at.desc()).limit(1)
        committed = connection.execute(newest_run).scalar()
        if committed is not None:
            newest.add_metric([], committed)
        yield from (ok, well, newest)


def _effects_since(connection: Connection, at: float) -> Iterable[tuple[str, str, int]]:
    by_status = select(ledger.c.destination, ledger.c.status, func.count()).where(ledger.c.at >= at)
    rows = connection.execute(by_status.group_by(ledger.c.destination, ledger.c.status))
    return [(destination, status, count) for destination, status, count in rows]


_SENDABLE = frozenset({RowState.WAITING, RowState.DENIED, RowState.QUOTA})


def _open_alerts(connection: Connection) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily("plgsync_alert_open", "Alerts that are open now.", labels=["kind", "subject"])
    for row in open_alerts(connection):
        gauge.add_metric([row["kind"], row["subject"]], 1)
    return gauge


def _settings_problems(reader: Reader) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily("plgsync_settings_problems", "Errors in a file of the settings.", labels=["file"])
    errors = Counter(problem.file for problem in reader.invalid if problem.severity == "error")
    for file in sorted({*(f"config/{name}.yaml" for name in CONFIG), *playbook_files(reader.root), *errors}):
        gauge.add_metric([file], errors[file])
    return gauge


def registry_of(reader: Reader) -> CollectorRegistry:
    """A registry of nothing but our metrics."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StoreCollector(reader))
    return registry


def metrics_text(reader: Reader) -> str:
    """All metrics in Prometheus' text format."""
    return generate_latest(registry_of(reader)).decode()


def serve_metrics(reader: Reader, host: str, port: int) -> int:
    """Serve ``/metrics`` until the process ends, from a thread of its own; answers the port."""
    server, _ = start_http_server(port, addr=host, registry=registry_of(reader))
    return int(server.server_port)
