"""Field writes: merge of nothing, creation of nothing, one input per record."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.base import Destination, Outcome, UpdateFields
from connectors.hubspot.batch import Input, wire, write_batch
from connectors.hubspot.client import Client


def update_fields(client: Client, destination: Destination, operations: Sequence[UpdateFields]) -> dict[str, Outcome]:
    """Set fields of companies by record id, at most 100; one outcome per operation key.

    ``batch/update`` never creates, unlike ``upsert``, so a record that is gone stays gone (``stale_record``).
    """
    inputs = [
        Input(one.key, one.record_id, {name: wire(value) for name, value in one.values.items()}) for one in operations
    ]
    return write_batch(client, destination.object, "update", inputs)
