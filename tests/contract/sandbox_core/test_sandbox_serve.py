"""Both sandboxes run in one process that prints their addresses and stops on a signal."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.sandbox.core.control import ControlError
from connectors.sandbox.serve import Credentials, running

ROOT = Path(__file__).parents[3]


def start(*arguments: str) -> Any:
    command = [sys.executable, "-m", "connectors.sandbox", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_line_says_where_they_are_and_a_signal_stops_them_with_connections_open(
    tmp_path: Path, number: Any
) -> None:
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({"salesforce": {"records": {"Account": [{"Name": "Acme"}]}}}))
    process = start("--seed", str(seed))
    try:
        addresses = json.loads(process.stdout.readline())
        assert set(addresses) == {"salesforce", "hubspot"}
        assert set(addresses["hubspot"]) == {"url", "token"}
        with requests.Session() as kept_alive:
            state = kept_alive.get(f"{addresses['salesforce']['url']}/__sim/state?object=Account", timeout=10).json()
            kept_alive.get(f"{addresses['hubspot']['url']}/__sim/state", timeout=10).raise_for_status()
            assert [one["Name"] for one in state["objects"]["Account"]] == ["Acme"]
            os.kill(process.pid, number)
            assert process.wait(timeout=5) == 0
        assert process.stdout.read() == ""
    finally:
        process.kill()
        process.communicate()


def test_credentials_are_fresh_each_time_unless_given() -> None:
    with running(hubspot_port=None) as first, running(hubspot_port=None) as second:
        assert first["salesforce"]["client_secret"] != second["salesforce"]["client_secret"]
    with running(hubspot_port=None, credentials=Credentials("id", "secret", "token")) as given:
        assert given["salesforce"]["client_secret"] == "secret"


@pytest.mark.parametrize(
    ("seed", "words"),
    [
        ({"pipedrive": {}}, "pipedrive"),
        ({"salesforce": {"records": {"Acount": [{}]}}}, "there is no object Acount"),
        ({"salesforce": {"options": {"page_sise": 1}}}, "page_sise"),
    ],
)
def test_a_bad_seed_is_rejected_before_anything_runs(seed: dict[str, Any], words: str) -> None:
    with pytest.raises(ControlError, match=words), running(seed, hubspot_port=None):
        pass


def test_a_taken_port_is_rejected() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    with taken, pytest.raises(OSError, match="in use"), running(hubspot_port=None, salesforce_port=port):
        pass
