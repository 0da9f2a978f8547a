"""A process that calls HubSpot as fast as its budget lets it, from "go" on stdin for so many seconds.

python -m tests.chaos.caller '{"url", "token", "database", "redis", "seconds"}'
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress

from connectors.base import Destination, Unavailable
from connectors.registry import connect
from worker.delivery.budgets.budget import open_budget
from worker.settings.crm import Quota
from worker.store.engine import open_store
from worker.telemetry.logs import log_for_machines


def main() -> None:
    """Call, and print how many calls were made."""
    order = json.loads(sys.argv[1])
    log_for_machines()
    engine = open_store(order["database"])
    destination = Destination(
        name="hubspot",
        kind="hubspot",
        base_url=order["url"],
        api_version="2026-03",
        auth={"method": "token", "token": lambda: str(order["token"])},
        object="companies",
        match_field="plgsync_account_id",
    )
    connector = connect(destination, budget=open_budget(engine, "hubspot", Quota(), order["redis"]))
    print("ready", flush=True)
    sys.stdin.readline()
    ends = time.monotonic() + order["seconds"]
    while time.monotonic() < ends:
        with suppress(Unavailable):
            connector.owners()
    print(connector.usage().calls, flush=True)
    connector.close()
    engine.dispose()


if __name__ == "__main__":
    main()
