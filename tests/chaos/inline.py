"""``python -m tests.chaos.inline``: delivers what is due, again and again, in this process and without a broker."""

from __future__ import annotations

import sys
import time

from sqlalchemy.exc import DBAPIError

from worker.runtime.open_jobs import open_jobs
from worker.store.engine import StoreError
from worker.telemetry.logs import log_for_machines

_PAUSE_S = 0.3


def main() -> None:
    """What cron does with ``plgsync tick``, without the waiting between."""
    log_for_machines()
    while True:
        try:
            with open_jobs() as jobs:
                jobs.deliver(None)
        except (DBAPIError, StoreError) as error:
            sys.stderr.write(f"inline: {error}\n")
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main()
