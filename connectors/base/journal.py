"""What a connector stores for the time after a crash."""

from __future__ import annotations

from typing import Protocol


class Journal(Protocol):
    """Stores what a connector must know after a crash, such as the id of a running bulk job.

    Names are the connector's own; every call is durable when it returns.
    """

    def read(self, name: str) -> str | None:
        """The text stored under a name, or None."""

    def write(self, name: str, text: str) -> None:
        """Store a text under a name, instead of the text there."""

    def erase(self, name: str) -> None:
        """Delete a name; an unknown name changes nothing."""
