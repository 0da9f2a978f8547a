"""A worker that dies by its own hand whenever it is to send the CRM task whose key is in CHAOS_POISON."""

import os
import signal
from collections.abc import Sequence

from connectors.base import Operation, Outcome
from connectors.salesforce.connector import SalesforceConnector
from worker.app import app as app

_write = SalesforceConnector.write


def _die_or_write(self: SalesforceConnector, operations: Sequence[Operation]) -> Sequence[Outcome]:
    if any(operation.key == os.environ["CHAOS_POISON"] for operation in operations):
        os.kill(os.getpid(), signal.SIGKILL)
    return _write(self, operations)


SalesforceConnector.write = _die_or_write  # type: ignore[method-assign]
