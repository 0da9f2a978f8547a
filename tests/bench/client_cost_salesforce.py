"""What the Salesforce connector adds to sending a batch: its CPU against plain requests posting the same bytes.

Prints one ratio for each size of a batch, measured in one run against one server in a process of its own. The aim is
1.5 at most.

    python tests/bench/client_cost_salesforce.py [rounds]
"""

from __future__ import annotations

import json
import statistics
import sys
from typing import Any

import requests

from connectors.base import Destination, Scalar
from connectors.registry import connect
from tests.bench.parts.client_cost import Call, cpu_of, our_call, sandbox

BATCHES = (100, 200)
WARM_UP = 10
FIELDS: dict[str, Scalar] = {
    "Site": "healthy since 2026-11-01",
    "NumberOfEmployees": 72,
    "Rating": "Hot",
    "AccountNumber": "pql-17",
}


def main(rounds: int) -> None:
    """Measure both in turns and print the ratio of their medians."""
    with sandbox("salesforce") as address:
        connector = connect(destination(address))
        for size in BATCHES:
            records = accounts(address, size)
            report(size, rounds, our_call(connector, records, FIELDS), plain_call(address, records))
        connector.close()


def report(size: int, rounds: int, ours: Call, plain: Call) -> None:
    """Measure one size of a batch."""
    for _ in range(WARM_UP):
        ours()
        plain()
    spent = [(cpu_of(ours), cpu_of(plain)) for _ in range(rounds)]
    connector_ms, plain_ms = (1000 * statistics.median(column) for column in zip(*spent, strict=True))
    print(
        f"Salesforce, {size} records a batch, {rounds} batches in turns: connector {connector_ms:.2f} ms CPU, "
        f"plain requests {plain_ms:.2f} ms CPU, ratio {connector_ms / plain_ms:.2f}"
    )


def plain_call(address: dict[str, str], records: list[str]) -> Call:
    """The same bytes, made beforehand, posted by a session of its own; the answer is read but not looked at."""
    body = {
        "allOrNone": False,
        "records": [{"attributes": {"type": "Account"}, "Id": record, **FIELDS} for record in records],
    }
    data = json.dumps(body, separators=(",", ":")).encode()
    session = requests.Session()
    headers = {"Authorization": f"Bearer {token(address)}", "Content-Type": "application/json"}
    url = f"{address['url']}/services/data/v67.0/composite/sobjects"

    def call() -> None:
        assert session.patch(url, data=data, headers=headers, timeout=30).content

    return call


def destination(address: dict[str, str]) -> Destination:
    """The sandbox org as an operator would configure it."""
    auth = {
        "method": "client_credentials",
        "client_id": address["client_id"],
        "client_secret": address["client_secret"],
    }
    return Destination(
        name="salesforce",
        kind="salesforce",
        base_url=address["url"],
        api_version="67.0",
        auth=auth,
        object="Account",
        match_field="Sync_Ext__c",
    )


def accounts(address: dict[str, str], count: int) -> list[str]:
    """The ids of so many accounts made for this run."""
    made = [{"do": "create", "object": "Account", "values": {"Name": f"Company {n}"}} for n in range(count)]
    answer = requests.post(f"{address['url']}/__sim/mutate", json=made, timeout=30)
    return [one["id"] for one in answer.json()]


def token(address: dict[str, str]) -> str:
    """An access token of its own for the plain session."""
    form: dict[str, Any] = {"grant_type": "client_credentials"}
    form |= {name: address[name] for name in ("client_id", "client_secret")}
    return str(requests.post(f"{address['url']}/services/oauth2/token", data=form, timeout=30).json()["access_token"])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
