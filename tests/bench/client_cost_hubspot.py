"""What the HubSpot connector adds to sending a batch: its CPU against plain requests posting the same bytes.

Prints the ratio of medians, measured in turns in one run against one server in a process of its own. The aim is 1.5 at
most. The plain session reads the answer and does not look at it; a second ratio is against one that parses it too.

    python tests/bench/client_cost_hubspot.py [rounds]
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import process_time

import requests

from connectors.base import Connector, Destination, UpdateFields
from connectors.registry import connect
from connectors.sandbox.serve import serve

BATCH = 100
WARM_UP = 10
FIELDS = {"numberofemployees": 72, "description": "healthy since 2026-11-01", "city": "green", "phone": "pql-17"}


def main(rounds: int) -> None:
    """Measure all in turns and print the ratios of their medians."""
    with sandbox() as address:
        requests.post(f"{address['url']}/__sim/config", json={"plan_max": 1_000_000}, timeout=30).raise_for_status()
        connector = connect(destination(address))
        records = companies(address)
        calls = [our_call(connector, records), *(plain_call(address, records, parse=parse) for parse in (False, True))]
        for call in calls * WARM_UP:
            call()
        spent = [[cpu_of(call) for call in calls] for _ in range(rounds)]
        connector.close()
    ours, plain, parsing = (1000 * statistics.median(column) for column in zip(*spent, strict=True))
    print(
        f"HubSpot, {BATCH} records a batch, {rounds} batches in turns: connector {ours:.2f} ms CPU, plain requests "
        f"{plain:.2f} ms CPU, ratio {ours / plain:.2f} (with the answer parsed {parsing:.2f} ms, {ours / parsing:.2f})"
    )


def our_call(connector: Connector, records: list[str]) -> Callable[[], None]:
    """One write of the connector: operations in, outcomes out."""
    operations = [UpdateFields(f"key-{record}", "account", record, FIELDS) for record in records]

    def call() -> None:
        outcomes = connector.write(operations)
        assert all(outcome.status == "applied" for outcome in outcomes)

    return call


def plain_call(address: dict[str, str], records: list[str], *, parse: bool) -> Callable[[], None]:
    """The same bytes, made beforehand, posted by a session of its own."""
    properties = {name: str(value) for name, value in FIELDS.items()}
    inputs = [{"properties": properties, "objectWriteTraceId": str(n), "id": one} for n, one in enumerate(records)]
    data = json.dumps({"inputs": inputs}).encode()
    session = requests.Session()
    headers = {"Authorization": f"Bearer {address['token']}", "Content-Type": "application/json"}
    url = f"{address['url']}/crm/objects/2026-03/companies/batch/update"

    def call() -> None:
        answer = session.post(url, data=data, headers=headers, timeout=30)
        assert answer.json() if parse else answer.content

    return call


def cpu_of(call: Callable[[], None]) -> float:
    """Seconds of CPU this process spends in a call."""
    start = process_time()
    call()
    return process_time() - start


@contextmanager
def sandbox() -> Iterator[dict[str, str]]:
    """A sandbox portal in another process."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()["hubspot"]
    finally:
        process.terminate()
        process.join()


def _serve(told: Connection) -> None:
    serve(salesforce_port=None, on_ready=told.send)


def destination(address: dict[str, str]) -> Destination:
    """The sandbox portal as an operator would configure it."""
    auth = {"method": "token", "token": lambda: address["token"]}
    return Destination("hubspot", "hubspot", address["url"], "2026-03", auth, "companies", "plgsync_account_id")


def companies(address: dict[str, str]) -> list[str]:
    """The ids of a batch of companies made for this run."""
    inputs = [{"properties": {"name": f"Company {n}"}, "objectWriteTraceId": str(n)} for n in range(BATCH)]
    headers = {"Authorization": f"Bearer {address['token']}"}
    url = f"{address['url']}/crm/objects/2026-03/companies/batch/create"
    made = requests.post(url, json={"inputs": inputs}, headers=headers, timeout=30).json()
    return [one["id"] for one in made["results"]]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
