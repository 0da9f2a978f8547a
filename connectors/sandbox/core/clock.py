"""The clock of a sandbox: real time, shifted time, or frozen until a test advances it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connectors.clock import now


class Clock:
    """The time of the sandbox. It follows the machine until `freeze`; `advance` moves it forward in both cases."""

    def __init__(self) -> None:
        self._frozen: datetime | None = None
        self._shift = timedelta()

    @property
    def manual(self) -> bool:
        """Whether the clock is frozen between two calls of `advance`."""
        return self._frozen is not None

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return self._frozen if self._frozen is not None else now() + self._shift

    def timestamp(self) -> float:
        """The current time in seconds since 1970."""
        return self.now().timestamp()

    def freeze(self, at: datetime | None = None) -> None:
        """Freeze the clock at ``at``, or at the current time."""
        self._frozen = (at or self.now()).astimezone(UTC)

    def advance(self, seconds: float) -> None:
        """Move forward by ``seconds``; ValueError when negative, because the time of a CRM never goes back."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        if self._frozen is not None:
            self._frozen += timedelta(seconds=seconds)
        else:
            self._shift += timedelta(seconds=seconds)

    def catch_up(self, moment: datetime) -> None:
        """Move forward to ``moment`` if it is in the future."""
        self.advance(max(0.0, (moment - self.now()).total_seconds()))

    def run(self) -> None:
        """Follow the machine's clock again, without any shift."""
        self._frozen = None
        self._shift = timedelta()
