"""A worker process for the crash tests: writes field updates, and is killed before or after its nth request.

python -m tests.contract.connectors.bulk_process JOURNAL_FOLDER < order.json
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import requests

from connectors.base import Destination, Underway, UpdateFields
from connectors.registry import connect
from connectors.salesforce.transport import ConfiguredAdapter
from tests.contract.connectors.paper_journal import PaperJournal


def main() -> None:
    """Deliver until done, or until killed; the outcomes go to stdout."""
    order = json.load(sys.stdin)
    _die_at(order["request"], order["moment"])
    destination = Destination(**order["destination"])
    operations = [UpdateFields(**one) for one in order["operations"]]
    connector = connect(destination, PaperJournal(Path(sys.argv[1])))
    for _ in range(5):
        with contextlib.suppress(Underway):
            outcomes = connector.write(operations)
            print(json.dumps([[one.key, one.status] for one in outcomes]))
            return


def _die_at(number: int, moment: str) -> None:
    send, made = ConfiguredAdapter.send, 0

    def counted(
        wire: ConfiguredAdapter, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        nonlocal made
        made += 1
        if (made, moment) == (number, "before"):
            os.kill(os.getpid(), signal.SIGKILL)
        answer = send(wire, request, *args, **kwargs)
        if (made, moment) == (number, "after"):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(ConfiguredAdapter, "send", counted)  # noqa: B010 - a plain assignment has no type that fits


if __name__ == "__main__":
    main()
