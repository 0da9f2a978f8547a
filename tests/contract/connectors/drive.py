"""Short words for what every contract case does: make operations, and send them until each has its final outcome."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date

from connectors.base import (
    Connector,
    CreateTask,
    MatchKey,
    Operation,
    Outcome,
    Scalar,
    Unavailable,
    Underway,
    UpdateFields,
)
from tests.contract.connectors.harness import Company, Crm

DUE = date(2026, 11, 27)


def key_of(*parts: object) -> str:
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:40]


def companies(crm: Crm, count: int, **values: Scalar) -> list[str]:
    """Plain companies ``c0``, ``c1``, … with domains ``c0.example`` and match field ``a0``, …"""
    return crm.add_companies([Company(f"Company {n}", f"c{n}.example", f"a{n}", values=values) for n in range(count)])


def update(crm: Crm, record_id: str, **values: Scalar) -> UpdateFields:
    fields = {crm.field(name): value for name, value in values.items()}
    return UpdateFields(key_of("fields", record_id), "account", record_id, fields)


def task(record_id: str, n: object = 0, owner_id: str | None = None, subject: str = "") -> CreateTask:
    subject = subject or f"Call Ann {n}: 14 of 15 seats used"
    body = "Why: seats are nearly full.\nSeats 14 of 15 · MRR 900"
    return CreateTask(
        key=key_of("task", record_id, n),
        record_id=record_id,
        subject=subject,
        body=body,
        due=DUE,
        priority="high",
        owner_id=owner_id,
    )


def match_key(account_id: str, record_id: str | None = None, **values: str) -> MatchKey:
    named = {f"account.{name}": value for name, value in values.items()}
    return MatchKey(account_id, record_id, {"account_id": account_id, **named})


def record_ids(outcomes: Sequence[Outcome]) -> list[str]:
    """The ids in the CRM; every outcome must have one."""
    ids = [outcome.record_id for outcome in outcomes if outcome.record_id is not None]
    assert len(ids) == len(outcomes)
    return ids


def statuses(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.status for outcome in outcomes]


def write_calls(crm: Crm) -> int:
    return sum(call.write for call in crm.calls())


def deliver(
    crm: Crm, operations: Sequence[Operation], connect: Callable[[], Connector] | None = None
) -> dict[str, Outcome]:
    """What the outbox does: send again what has no final outcome, by a new connector each time; 8 rounds at most."""
    settled: dict[str, Outcome] = {}
    for _ in range(8):
        left = [op for op in operations if op.key not in settled]
        if not left:
            break
        connector = connect() if connect else crm.connect()
        try:
            outcomes = connector.write(left)
        except (Underway, Unavailable):
            outcomes = []
        finally:
            connector.close()
        settled |= {outcome.key: outcome for outcome in outcomes if outcome.status in ("applied", "rejected")}
        crm.pass_time(60)
    return settled


def values(crm: Crm, record_ids: Sequence[str], logical: str) -> list[Scalar]:
    return [crm.company(record_id)[logical] for record_id in record_ids]


def keys_of_tasks(crm: Crm) -> Mapping[str, int]:
    counted: dict[str, int] = {}
    for seen in crm.tasks():
        counted[seen.key] = counted.get(seen.key, 0) + 1
    return counted
