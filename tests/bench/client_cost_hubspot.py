"""What the HubSpot connector adds to sending a batch: its CPU against plain requests posting the same bytes.

Prints the ratio of medians, measured in turns in one run against one server in a process of its own. The aim is 1.5 at
most. The plain session reads the answer and does not look at it; a second ratio is against one that parses it too.

    python tests/bench/client_cost_hubspot.py [rounds]
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable

import requests

from connectors.base import Destination
from connectors.registry import connect
from tests.bench.parts.client_cost import Call, cpu_of, our_call, sandbox

BATCH = 100
WARM_UP = 10
FIELDS: dict[str, str | float | bool | None] = {
    "numberofemployees": 72,
    "description": "healthy since 2026-11-01",
    "city": "green",
    "phone": "pql-17",
}


def main(rounds: int) -> None:
    """Measure all in turns and print the ratios of their medians."""
    with sandbox("hubspot") as address:
        requests.post(f"{address['url']}/__sim/config", json={"plan_max": 1_000_000}, timeout=30).raise_for_status()
        connector = connect(destination(address))
        records = companies(address)
        calls = [
            our_call(connector, records, FIELDS),
            *(plain_call(address, records, parse=parse) for parse in (False, True)),
        ]
        for call in calls * WARM_UP:
            call()
        spent = [[cpu_of(call) for call in calls] for _ in range(rounds)]
        connector.close()
    ours, plain, parsing = (1000 * statistics.median(column) for column in zip(*spent, strict=True))
    print(
        f"HubSpot, {BATCH} records a batch, {rounds} batches in turns: connector {ours:.2f} ms CPU, plain requests "
        f"{plain:.2f} ms CPU, ratio {ours / plain:.2f} (with the answer parsed {parsing:.2f} ms, {ours / parsing:.2f})"
    )


def plain_call(address: dict[str, str], records: list[str], *, parse: bool) -> Call:
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


def destination(address: dict[str, str]) -> Destination:
    """The sandbox portal as an operator would configure it."""
    auth: dict[str, str | Callable[[], str]] = {"method": "token", "token": lambda: address["token"]}
    return Destination(
        name="hubspot",
        kind="hubspot",
        base_url=address["url"],
        api_version="2026-03",
        auth=auth,
        object="companies",
        match_field="plgsync_account_id",
    )


def companies(address: dict[str, str]) -> list[str]:
    """The ids of a batch of companies made for this run."""
    inputs = [{"properties": {"name": f"Company {n}"}, "objectWriteTraceId": str(n)} for n in range(BATCH)]
    headers = {"Authorization": f"Bearer {address['token']}"}
    url = f"{address['url']}/crm/objects/2026-03/companies/batch/create"
    made = requests.post(url, json={"inputs": inputs}, headers=headers, timeout=30).json()
    return [one["id"] for one in made["results"]]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
