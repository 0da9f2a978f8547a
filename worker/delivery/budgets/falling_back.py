"""Shared windows that may go away: meanwhile each process keeps its own, and says so once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from connectors.base import Bucket
from connectors.pace import Booking, InProcess, Rate, Windows

log = structlog.get_logger()

AGAIN_S = 5.0
"""So long a store that was away is left alone."""

T = TypeVar("T")
_OWN = "own:"


class FallingBack:
    """The shared windows while they answer, else this process's own. Never raises for a store that is away.

    Its own log knows every call of this process at all times. The calls of other processes look like another app's
    then, and are left the room they take; that is found out from the CRM's answers.
    """

    def __init__(self, shared: Windows, destination: str, clock: Callable[[], float]) -> None:
        self._shared = shared
        self._destination = destination
        self._clock = clock
        self._own = InProcess(clock)
        self._away_until = 0.0
        self._away = False

    def book(self, bucket: Bucket, rate: Rate) -> Booking:
        """Log a call if one may start now."""
        booking = self._try(lambda: self._shared.book(bucket, rate))
        if booking is None:
            own = self._own.book(bucket, rate)
            return Booking(own.wait_s, own.used, _OWN + own.id)
        if booking.wait_s == 0:
            self._own.note(bucket)
        return booking

    def late(self, bucket: Bucket, booking_id: str) -> None:
        """The answer to a call took longer than the margin."""
        if booking_id.startswith(_OWN):
            self._own.late(bucket, booking_id.removeprefix(_OWN))
        else:
            self._try(lambda: self._shared.late(bucket, booking_id))

    def crowd(self, bucket: Bucket, others: int, seconds: float) -> None:
        """Other apps took at least so much of the window."""
        if not self._away:
            self._try(lambda: self._shared.crowd(bucket, others, seconds))
        if self._away:
            self._own.crowd(bucket, others, seconds)

    def pause(self, bucket: Bucket, seconds: float) -> None:
        """Nobody starts a call for so long."""
        self._own.pause(bucket, seconds)
        self._try(lambda: self._shared.pause(bucket, seconds))

    def _try(self, ask: Callable[[], T]) -> T | None:
        """What the shared windows answer, or None while they are away."""
        if self._away and self._clock() < self._away_until:
            return None
        try:
            answer = ask()
        except (RedisError, SQLAlchemyError) as error:
            if not self._away:
                log.warning(
                    "call windows away, each process keeps its own",
                    destination=self._destination,
                    problem=type(error).__name__,
                )
            self._away, self._away_until = True, self._clock() + AGAIN_S
            return None
        if self._away:
            log.info("call windows shared again", destination=self._destination)
            self._away = False
        return answer
