"""What a connector must know again after a crash."""

from __future__ import annotations

from typing import Protocol


class Journal(Protocol):
    """Where a connector keeps what it must know again after a crash, such as the id of a running bulk job.

    Names are the connector's own; every call is durable when it returns.
    """

    def read(self, name: str) -> str | None:
        """The text kept under a name, or None."""

    def write(self, name: str, text: str) -> None:
        """Keep a text under a name, instead of what was there."""

    def erase(self, name: str) -> None:
        """Forget a name; one that is not there changes nothing."""
