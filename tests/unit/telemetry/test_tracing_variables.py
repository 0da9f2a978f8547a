"""A variable of OpenTelemetry's that it cannot use costs the traces and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys

CODE = """
from worker.telemetry.logs import log_for_machines
from worker.telemetry.tracing import span
log_for_machines()
for _ in range(2):
    with span("run") as one:
        one.set_attributes(records=1)
print("worked")
"""


def test_a_wrong_variable_stops_no_work_and_is_said_once() -> None:
    wrong = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_MAX_QUEUE_SIZE": "256"}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env={**os.environ, **wrong}, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip().splitlines()[-1] == "worked", done.stderr
    assert (done.stdout + done.stderr).count("tracing is off") == 1
