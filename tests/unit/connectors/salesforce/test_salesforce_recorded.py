"""Every answer recorded from a real org, given to the connector over HTTP: it has to understand each as meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import responses

from connectors.base import CallFailed, Destination, Underway
from connectors.salesforce.auth import Tokens
from connectors.salesforce.bulk import BulkWriter
from connectors.salesforce.bulk_csv import result_of, rows_of
from connectors.salesforce.bulk_journal import BulkJournal
from connectors.salesforce.client import Client
from connectors.salesforce.describe import field_spec
from connectors.salesforce.errors import outcome
from tests.conftest import SHARED
from tests.unit.connectors.salesforce.org import BASE, ORG

RECORDED = SHARED / "crm" / "recorded" / "salesforce.json"
EXCHANGES: list[dict[str, Any]] = json.loads(RECORDED.read_text()) if RECORDED.exists() else []

MEANT = [  # in the order of the file
    "field Id reference",
    "rows 0",
    "applied",
    "rows 1",
    "record",
    "applied",
    "applied, rejected INVALID_EMAIL_ADDRESS",
    "applied, applied, applied",
    "RequestRejected NOT_FOUND",
    "rejected REQUIRED_FIELD_MISSING",
    "applied",
    "rejected CANNOT_UPDATE_CONVERTED_LEAD stale",
    "RequestRejected REQUIRED_FIELD_MISSING",
    "rejected REQUIRED_FIELD_MISSING, retry ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "rejected MISSING_ARGUMENT, rejected MISSING_ARGUMENT",
    "retry ALL_OR_NONE_OPERATION_ROLLED_BACK, rejected INVALID_FIELD",
    "job Open",
    "job under way",
    "job under way",
    "job JobComplete",
    "job Failed",
    "rejected INVALID_FIELD",
    "RequestRejected INVALID_FIELD_FOR_INSERT_UPDATE",
    "RequestRejected INVALID_FIELD",
    "Forbidden INVALID_TYPE",
    "RequestRejected ENTITY_IS_DELETED",
    "applied ALREADY_THERE, applied",
    "rows 0, Forbidden",
    "AccessDenied invalid_grant",
    "AccessDenied invalid_grant",
    "RequestRejected 300",
    "Forbidden NOT_FOUND",
    "RequestRejected REQUIRED_FIELD_MISSING",
    "ids 1",
]


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        yield web


@pytest.mark.skipif(not EXCHANGES, reason="the recorded answers are not here")
def test_none_is_left_out() -> None:
    assert len(EXCHANGES) == len(MEANT)


@pytest.mark.parametrize(("number", "meant"), list(enumerate(MEANT[: len(EXCHANGES)])))
def test_a_recorded_answer_means(web: responses.RequestsMock, number: int, meant: str) -> None:
    exchange = EXCHANGES[number]
    body, status = exchange["response"]["body"], exchange["response"]["status"]
    for n, part in enumerate(body.get("compositeResponse", ()) if isinstance(body, dict) else ()):
        part["referenceId"] = f"q{n}"  # as if the queries had been ours
    text = body if isinstance(body, str) else json.dumps(body)
    for method in ("GET", "POST"):
        web.add(method, re.compile(f"{BASE}/.*"), body=text, status=status)
    assert told(exchange) == meant


def told(exchange: dict[str, Any]) -> str:
    """What the connector makes of an answer, in the words of `MEANT`."""
    path, body = str(exchange["request"]["path"]), exchange["response"]["body"]
    client = Client(ORG)
    try:
        if isinstance(body, dict) and "error" in body:
            return str(Tokens(_with_login()).current())
        if path.endswith("failedResults"):
            return _outcomes([result_of(row.error) for row in rows_of(client.read_bytes(path)).values()])
        if "/jobs/ingest" in path:
            return f"job {BulkWriter(client, BulkJournal(_Nothing()), 'Account', 1)._state('750')}"
        if "compositeResponse" in body:
            answers = client.try_rows_of(["q"] * 2)
            return ", ".join(f"rows {len(one)}" if isinstance(one, list) else type(one).__name__ for one in answers)
        if "/query" in path and "records" in body:
            return f"rows {len(client.rows('q'))}"
        answer = client.write("POST", "sobjects", {})
    except Underway:
        return "job under way"
    except CallFailed as error:
        code = getattr(error, "code", "") or (re.findall(r"[A-Z_]{6,}|invalid_\w+", str(error)) or [""])[0]
        return f"{type(error).__name__} {code or getattr(error, 'status', '')}"
    if isinstance(answer, list):
        return _outcomes(answer)
    if "success" in answer:
        return _outcomes([answer])
    if "ids" in answer:
        return f"ids {len(answer['ids'])}"
    if "attributes" in answer:
        return "record"
    spec = field_spec(next(value for name, value in answer.items() if name.startswith("fields")))
    return f"field {spec.name} {spec.type}"


def _outcomes(results: list[Any]) -> str:
    made = [outcome("k", result, {})[0] for result in results]
    return ", ".join(
        " ".join(filter(None, (one.status, one.code, "stale" if one.stale_record else ""))) for one in made
    )


def _with_login() -> Destination:
    auth = {"method": "client_credentials", "client_id": "id", "client_secret": "secret"}
    return Destination(
        name="crm",
        kind="salesforce",
        base_url=BASE,
        api_version="67.0",
        auth=auth,
        object="Account",
        match_field="X__c",
    )


class _Nothing:
    """An unused journal."""

    def read(self, name: str) -> str | None: ...
    def write(self, name: str, text: str) -> None: ...
    def erase(self, name: str) -> None: ...
