"""What both client benches share: a sandbox CRM in another process, our write, and the CPU a call costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import process_time

from connectors.base import Connector, Scalar, UpdateFields
from connectors.sandbox.serve import serve

Call = Callable[[], None]


def our_call(connector: Connector, records: list[str], fields: Mapping[str, Scalar]) -> Call:
    """One write of the connector: operations in, outcomes out."""
    operations = [UpdateFields(f"key-{record}", "account", record, fields) for record in records]

    def call() -> None:
        outcomes = connector.write(operations)
        assert all(outcome.status == "applied" for outcome in outcomes)

    return call


def cpu_of(call: Call) -> float:
    """Seconds of CPU this process spends in a call."""
    start = process_time()
    call()
    return process_time() - start


@contextmanager
def sandbox(crm: str) -> Iterator[dict[str, str]]:
    """One sandbox CRM in another process."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(crm, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()[crm]
    finally:
        process.terminate()
        process.join()


def _serve(crm: str, told: Connection) -> None:
    if crm == "salesforce":
        serve(hubspot_port=None, on_ready=told.send)
    else:
        serve(salesforce_port=None, on_ready=told.send)
