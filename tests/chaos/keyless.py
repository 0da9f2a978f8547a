"""The control that doubles: Salesforce tasks made plainly, without a key and without a look for what is there."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.base import CreateTask, Outcome
from connectors.salesforce.tasks import TaskWriter
from connectors.salesforce.write import UPDATE, Entry, send
from tests.chaos import inline


def _create(self: TaskWriter, operations: Sequence[CreateTask]) -> list[Outcome]:
    plain: list[Entry] = []
    for operation in operations:
        record = self._record(operation)
        del record[self.key_field]
        plain.append((operation.key, record, operation.record_id))
    return send(self.client, "POST", UPDATE, plain)


TaskWriter.create = _create  # type: ignore[method-assign]

if __name__ == "__main__":
    inline.main()
