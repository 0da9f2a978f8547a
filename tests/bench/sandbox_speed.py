"""How fast the sandbox CRMs answer batch updates, against an empty handler on the same server.

    python tests/bench/sandbox_speed.py [--rounds 5] [--seconds 1] [--only salesforce|hubspot]

One process serves, this one sends prebuilt bytes over one kept-alive connection and reads the answers. Every
call changes every record. Rounds of all contestants alternate; the best round of each is compared. On Linux the
processor time a call costs the server is told too, because it does not mind what else the machine is doing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import multiprocessing
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

SF_RECORDS, HS_RECORDS = 200, 100
TOKEN = "pat-bench"
_SCORES = ("Health_Score__c", "Onboarding__c")
SEED: dict[str, Any] = {
    "salesforce": {
        "custom_fields": [
            {"FullName": f"Account.{name}", "Metadata": {"label": name, "type": "Number", "precision": 5, "scale": 1}}
            for name in _SCORES
        ]
        + [
            {"FullName": "Account.Health_Band__c", "Metadata": {"label": "Band", "type": "Text", "length": 40}},
            {"FullName": "Account.Scored_At__c", "Metadata": {"label": "Scored", "type": "DateTime"}},
        ],
        "records": {
            "Account": [{"Name": f"Account {n}", "Website": f"a{n}.example.com"} for n in range(SF_RECORDS)],
        },
    },
    "hubspot": {
        "options": {"plan_max": 10**9, "daily": 10**9},
        "properties": {
            "companies": [
                {"name": name, "label": name, "type": kind, "fieldType": shown, "groupName": "companyinformation"}
                for name, kind, shown in (
                    ("health_score", "number", "number"),
                    ("onboarding", "number", "number"),
                    ("health_band", "string", "text"),
                    ("scored_at", "datetime", "date"),
                )
            ]
        },
        "records": {"companies": [{"properties": {"domain": f"a{n}.example.com"}} for n in range(HS_RECORDS)]},
    },
}


@dataclass
class Contestant:
    """One server and the requests it is sent in turn."""

    name: str
    url: str
    pid: int
    requests: list[bytes]
    rate: float = 0.0
    cpu_ms: float = math.inf

    def play(self, seconds: float) -> None:
        """One round more; keeps the best."""
        before = _cpu_s(self.pid)
        rate = self.round(seconds)
        self.rate = max(self.rate, rate)
        self.cpu_ms = min(self.cpu_ms, (_cpu_s(self.pid) - before) * 1000 / (rate * seconds))

    def round(self, seconds: float) -> float:
        """Calls per second of one round. Raises RuntimeError for an answer that is not 200."""
        turn = cycle(self.requests)
        address = urlsplit(self.url)
        with socket.create_connection((address.hostname, address.port)) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            calls, started = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - started) < seconds:
                line.sendall(next(turn))
                head = _answer(line)
                if not head.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(f"{self.name}: {head[:80]!r}")
                calls += 1
        return calls / elapsed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--only", choices=["salesforce", "hubspot"])
    chosen = parser.parse_args()
    wanted = [chosen.only] if chosen.only else ["salesforce", "hubspot"]
    with _served(_serve_sandboxes) as (where, pid), _served(_serve_nothing) as (empty, empty_pid):
        makers = {"salesforce": _salesforce, "hubspot": _hubspot}
        for name in wanted:
            contestant = makers[name](where[name], pid)
            nothing = Contestant("empty handler", empty, empty_pid, contestant.requests)
            for _ in range(chosen.rounds):
                nothing.play(chosen.seconds)
                contestant.play(chosen.seconds)
            print(f"{contestant.name}, {len(contestant.requests[0]) // 1024} kB each")
            for one in (contestant, nothing):
                print(f"    {one.name:<40} {one.rate:6.0f} calls/s   {one.cpu_ms:5.2f} ms of processor a call")
            print(
                f"    ratio {nothing.rate / contestant.rate:.1f}, of processor {contestant.cpu_ms / nothing.cpu_ms:.1f}"
            )


def _salesforce(where: dict[str, str], pid: int) -> Contestant:
    form = f"grant_type=client_credentials&client_id={where['client_id']}&client_secret={where['client_secret']}"
    token = _json(f"{where['url']}/services/oauth2/token", form.encode())["access_token"]
    accounts = _json(f"{where['url']}/__sim/state?object=Account")["objects"]["Account"]
    bodies = [
        {
            "allOrNone": False,
            "records": [
                {
                    "attributes": {"type": "Account"},
                    "id": one["Id"],
                    "Health_Score__c": (place + shift) % 100 + 0.5,
                    "Onboarding__c": (place * 7 + shift) % 100,
                    "Health_Band__c": ("healthy", "at risk")[shift % 2],
                    "Scored_At__c": f"2026-01-{shift % 28 + 1:02}T03:04:05.000+0000",
                }
                for place, one in enumerate(accounts)
            ],
        }
        for shift in range(10)
    ]
    sent = [_request("PATCH", where["url"], "/services/data/v67.0/composite/sobjects", token, body) for body in bodies]
    return Contestant(f"Salesforce, Collections update of {SF_RECORDS}", where["url"], pid, sent)


def _hubspot(where: dict[str, str], pid: int) -> Contestant:
    companies = _json(f"{where['url']}/__sim/state?object=companies")["objects"]["companies"]
    bodies = [
        {
            "inputs": [
                {
                    "id": one["id"],
                    "properties": {
                        "health_score": str((place + shift) % 100 + 0.5),
                        "onboarding": str((place * 7 + shift) % 100),
                        "health_band": ("healthy", "at risk")[shift % 2],
                        "scored_at": f"2026-01-{shift % 28 + 1:02}T03:04:05.000Z",
                    },
                }
                for place, one in enumerate(companies)
            ]
        }
        for shift in range(10)
    ]
    sent = [_request("POST", where["url"], "/crm/v3/objects/companies/batch/update", TOKEN, body) for body in bodies]
    return Contestant(f"HubSpot, batch update of {HS_RECORDS}", where["url"], pid, sent)


def _request(method: str, url: str, path: str, token: str, body: Any) -> bytes:
    raw = json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nUser-Agent: bench\r\n"
        f"Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
    )
    return head.encode() + raw


def _answer(line: socket.socket) -> bytes:
    """The head of one answer, read to the end of its body."""
    data = line.recv(262_144)
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += line.recv(262_144)
    head = data[:end].lower()
    at = head.index(b"content-length:") + 15
    left = int(head[at : head.find(b"\r\n", at) if b"\r\n" in head[at:] else None]) - (len(data) - end - 4)
    while left > 0:
        left -= len(line.recv(262_144))
    return data[:end]


def _cpu_s(pid: int) -> float:
    """Processor seconds a process has used so far; not a number where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return math.nan
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _json(url: str, data: bytes | None = None) -> Any:
    with urlopen(Request(url, data), timeout=30) as answer:
        return json.load(answer)


@contextmanager
def _served(serve: Any) -> Iterator[Any]:
    fresh = multiprocessing.get_context("spawn")
    known = fresh.Queue()
    process = fresh.Process(target=serve, args=(known,), daemon=True)
    process.start()
    try:
        yield known.get(timeout=60), process.pid
    finally:
        process.terminate()
        process.join()


def _serve_sandboxes(known: Any) -> None:
    from connectors.sandbox.serve import Credentials, serve

    serve(seed=SEED, on_ready=known.put, credentials=Credentials("bench", "bench", TOKEN))


def _serve_nothing(known: Any) -> None:
    from connectors.sandbox.core.server import HttpServer

    async def nothing(_scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        body = b"[]"
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def run() -> None:
        server = HttpServer(nothing, 0)
        await server.start()
        known.put(server.url)
        await asyncio.Event().wait()

    asyncio.run(run())


if __name__ == "__main__":
    main()
