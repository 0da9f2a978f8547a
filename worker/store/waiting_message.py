"""The message of a process that waits for the state database."""

from __future__ import annotations

import logging
import sys

import structlog
from tenacity import RetryCallState

BUSY = "another process upgrades the state database or writes to it"
_SAY_AFTER_S = 2


class WaitingMessage:
    """Says once that this process waits, after a moment: on stderr for people, in the log for machines."""

    _printed = False

    def __call__(self, state: RetryCallState) -> None:
        if self._printed or (state.seconds_since_start or 0.0) < _SAY_AFTER_S:
            return
        self._printed = True
        log = structlog.get_logger()
        if log.is_enabled_for(logging.WARNING):
            log.warning("waiting for the state database", reason=BUSY)
        else:
            sys.stderr.write(f"{BUSY}; waiting for it\n")
            sys.stderr.flush()
