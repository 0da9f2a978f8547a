"""Traces reach a real collector, say what was done and give nothing away; without being asked for there are none."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.celery_workers import one_worker, ring, until
from tests.integration.collector import Collector, collecting
from tests.integration.conftest import AS_OF, Stage

MOMENT = AS_OF.isoformat()
_AT_EXIT_ONLY = {"OTEL_BSP_SCHEDULE_DELAY": "600000"}
_IMPORTED = """
import sys
{before}
from tests.integration.measured import main
try:
    main()
finally:
    # redis-py imports the interface by itself where it is installed; what traces and sends is ours alone to import.
    ours = [name for name in sys.modules if name.startswith(("worker.telemetry.otel", "opentelemetry.exporter"))]
    print("imported for traces:", ours)
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as one:
        yield one


def trace_of(run_id: str) -> bytes:
    """The trace of a run, as docs/operations.md says."""
    return hashlib.sha256(run_id.encode()).digest()[:16]


def run_alone(stage: Stage, env: dict[str, str], before: str = "") -> subprocess.CompletedProcess[str]:
    """A run in a process that says at its end what it has imported for traces."""
    command = [sys.executable, "-c", _IMPORTED.format(before=before), "run", "--first-run", "--as-of", MOMENT]
    done = subprocess.run(
        [*command, "--json-logs", "--project", str(stage.folder)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_a_run_is_one_trace_of_its_stages_and_of_what_went_to_each_crm(stage: Stage, collector: Collector) -> None:
    done = stage.attempt(
        "run", "--first-run", "--as-of", MOMENT, "--json-logs", env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    )
    assert done.returncode == 0, done.stderr
    spans = collector.spans()
    by_id = {span.id: span for span in spans}
    parents = {(span.name, by_id[span.parent].name if span.parent else "") for span in spans}
    stages = ["read state", "read product data", "read crm", "score", "decide", "plan", "commit"]
    assert {
        ("run", ""),
        ("compute", "run"),
        *((stage, "compute") for stage in stages),
        ("deliver", "run"),
        ("write task_create", "deliver"),
        ("write fields", "deliver"),
    } <= parents
    assert len(collector.named("run")) == 1
    run_id = collector.named("run")[0].facts["plgsync.run_id"]
    assert {span.facts["plgsync.run_id"] for span in spans} == {run_id}
    assert {span.trace for span in spans} == {trace_of(run_id)}
    assert not [span.name for span in spans if span.failed]
    assert (set(collector.paths), collector.services()) == ({"/v1/traces"}, {"plgsync"})
    assert_what_was_written_is_counted(stage, collector)
    logged = [json.loads(line) for line in done.stderr.splitlines()]
    delivered = [line for line in logged if line["event"] == "delivered"]
    assert {line["trace_id"] for line in delivered} == {trace_of(run_id).hex()}
    assert_nothing_is_given_away(stage, collector)


def assert_what_was_written_is_counted(stage: Stage, collector: Collector) -> None:
    """The counts of the spans are what the CRMs hold and have seen."""
    results = stage.results()
    for crm in ("salesforce", "hubspot"):
        made = [s for s in collector.named("write task_create") if s.facts["plgsync.destination"] == crm]
        assert sum(span.facts["plgsync.applied"] for span in made) == len(results[crm]["tasks"]) > 0
        assert all(span.facts["plgsync.kind"] == "task_create" for span in made)
        assert {name for span in made for name in span.facts["plgsync.playbooks"]} <= playbooks(stage)
        asked = [
            s for s in collector.spans() if s.facts.get("plgsync.destination") == crm and "plgsync.calls" in s.facts
        ]
        logins = 1 if crm == "salesforce" else 0
        assert sum(span.facts["plgsync.calls"] for span in asked) + logins >= len(stage.calls(crm)) > 0
    (read,) = collector.named("read product data")
    assert 50 < read.facts["plgsync.accounts"] <= 60
    (committed,) = collector.named("commit")
    assert committed.facts["plgsync.tasks"] == sum(len(results[crm]["tasks"]) for crm in results)


def playbooks(stage: Stage) -> set[str]:
    """The ids of the project's playbooks."""
    return {
        line.removeprefix("id:").strip()
        for file in (stage.folder / "playbooks").glob("*.yaml")
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.startswith("id:")
    }


def assert_nothing_is_given_away(stage: Stage, collector: Collector) -> None:
    """No field value, name, e-mail address, token or address of a CRM is among the bytes."""
    sent = b"\n".join(collector.bodies)
    secrets: set[str] = {str(crm["url"]) for crm in stage.crms.values()}
    secrets |= {str(value) for crm in stage.crms.values() for name, value in crm.items() if name != "kind"}
    salesforce, hubspot = stage.objects("salesforce"), stage.objects("hubspot")
    records = [*salesforce["Account"], *salesforce["Task"], *salesforce["User"], *salesforce["Contact"]]
    records += [one["properties"] for kind in ("companies", "contacts", "tasks") for one in hubspot[kind]]
    texts = {value for record in records for value in record.values() if isinstance(value, str)}
    secrets |= {text for text in texts if len(text) > 5 and not text.isdigit()} - playbooks(stage) - {"plgsync"}
    assert len(secrets) > 300
    assert "@" not in str([(span.name, span.facts) for span in collector.spans()])
    assert b"select " not in sent.lower()
    assert [text for text in secrets if text.encode() in sent] == []


def test_what_fails_is_marked_by_its_kind_and_without_its_words(stage: Stage, collector: Collector) -> None:
    away = {"match": {"path_regex": "batch/update"}, "kind": "status", "args": {"status": 403}, "times": None}
    stage.control("hubspot", "faults", away)
    stage.control("salesforce", "faults", {**away, "match": {"path_regex": "/query"}, "args": {"status": 503}})
    done = stage.attempt("run", "--first-run", "--as-of", MOMENT, env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
    assert done.returncode == 1
    failed = [(s.name, s.facts["plgsync.destination"], s.facts["error.type"]) for s in collector.spans() if s.failed]
    assert sorted(set(failed)) == [
        ("deliver", "hubspot", "ACCESS_DENIED"),
        ("read crm", "salesforce", "Unavailable"),
        ("write fields", "hubspot", "AccessDenied"),
    ]
    assert_nothing_is_given_away(stage, collector)


def test_nothing_is_imported_or_traced_unless_a_collector_is_named(stage: Stage) -> None:
    done = run_alone(stage, {})
    assert "imported for traces: []" in done.stdout
    assert "trace_id" not in done.stderr


def test_without_the_extra_a_run_goes_on_and_says_once_that_nothing_is_traced(
    stage: Stage, collector: Collector
) -> None:
    missing = "sys.modules['opentelemetry'] = None"
    done = run_alone(stage, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}, before=missing)
    said: list[dict[str, Any]] = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["reason"] for line in said if line["event"] == "tracing is off"] == [
        "OpenTelemetry is not installed; install plgsync[otel]"
    ]
    assert len(stage.results()["hubspot"]["fields"]) > 40
    assert collector.bodies == []


@pytest.mark.timeout(400)
def test_workers_trace_in_their_pool_processes_and_send_what_is_left_when_they_end(
    broker: str, live_stage: Stage, collector: Collector, postgres_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    environment = {
        **os.environ,
        "PLGSYNC_PROJECT": str(live_stage.folder),
        "PLGSYNC_BROKER_URL": broker,
        "PLGSYNC_DATABASE_URL": postgres_url,
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/here",
        **_AT_EXIT_ONLY,
    }
    with one_worker(environment, log) as process:
        ring(environment, "plgsync.compute")
        until(lambda: b'"kind": "fields"' in log.read_bytes() and live_stage.write_calls("salesforce") > 1, log)
        assert collector.bodies == [], "what is sent at intervals would be sent in hours"
        process.send_signal(signal.SIGTERM)
        process.wait(120)
    (computed,) = collector.named("compute")
    run_id = computed.facts["plgsync.run_id"]
    assert (computed.parent, computed.trace) == (b"", trace_of(run_id))
    written = collector.named("write fields")
    assert {span.facts["plgsync.destination"] for span in written} <= {"salesforce", "hubspot"}
    assert {(span.links, *span.facts["plgsync.run_ids"]) for span in written} == {((trace_of(run_id),), run_id)}
    assert computed.trace not in {span.trace for span in written}, "a delivery may hold what several runs queued"
    assert set(collector.paths) == {"/here"}


def test_a_collector_that_is_away_fails_nothing_and_says_nothing_to_a_person(stage: Stage) -> None:
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:secret-word@127.0.0.1:9"}
    done = stage.attempt("run", "--first-run", "--as-of", MOMENT, env=away)
    assert (done.returncode, done.stderr) == (0, "")
    logged = stage.attempt("run", "--as-of", MOMENT, "--json-logs", env={**away, "OTEL_BSP_SCHEDULE_DELAY": "100"})
    assert "secret-word" not in logged.stderr
