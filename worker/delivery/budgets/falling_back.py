"""Shared windows that may be unavailable: meanwhile each process uses its own, and logs that once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from connectors.base import Bucket
from connectors.rate_limiter import Acquisition, InProcess, Rate, Windows

log = structlog.get_logger()

RETRY_AFTER_S = 5.0
"""How long a store that was unavailable is not asked again."""

T = TypeVar("T")
_OWN = "own:"


class FallingBack:
    """The shared windows while they answer, else those of this process. Raises nothing when the store is unavailable.

    The log of this process has every call of this process at all times. While it is in use, the calls of other
    processes look like those of another app: the CRM's answers show how many to reserve for them.
    """

    def __init__(self, shared: Windows, destination: str, clock: Callable[[], float]) -> None:
        self._shared = shared
        self._destination = destination
        self._clock = clock
        self._own = InProcess(clock)
        self._ask_again_at = 0.0
        self._unavailable = False

    def try_acquire(self, bucket: Bucket, rate: Rate) -> Acquisition:
        """Log a call if one may start now."""
        shared = self._try(lambda: self._shared.try_acquire(bucket, rate))
        if shared is None:
            own = self._own.try_acquire(bucket, rate)
            return Acquisition(own.wait_s, own.used, _OWN + own.id)
        if shared.wait_s == 0:
            self._own.record(bucket)
        return shared

    def restamp(self, bucket: Bucket, call_id: str) -> None:
        """The answer to a call took longer than the margin."""
        if call_id.startswith(_OWN):
            self._own.restamp(bucket, call_id.removeprefix(_OWN))
        else:
            self._try(lambda: self._shared.restamp(bucket, call_id))

    def reserve_for_others(self, bucket: Bucket, foreign_calls: int, seconds: float) -> None:
        """Other apps used at least so many calls of the window."""
        if not self._unavailable:
            self._try(lambda: self._shared.reserve_for_others(bucket, foreign_calls, seconds))
        if self._unavailable:
            self._own.reserve_for_others(bucket, foreign_calls, seconds)

    def pause(self, bucket: Bucket, seconds: float) -> None:
        """Let no call of this bucket start for ``seconds``."""
        self._own.pause(bucket, seconds)
        self._try(lambda: self._shared.pause(bucket, seconds))

    def _try(self, call: Callable[[], T]) -> T | None:
        """What the shared windows answer, or None while they are unavailable."""
        if self._unavailable and self._clock() < self._ask_again_at:
            return None
        try:
            answer = call()
        except (RedisError, SQLAlchemyError) as error:
            if not self._unavailable:
                log.warning(
                    "call windows unavailable, each process uses its own",
                    destination=self._destination,
                    problem=type(error).__name__,
                )
            self._unavailable, self._ask_again_at = True, self._clock() + RETRY_AFTER_S
            return None
        if self._unavailable:
            log.info("call windows shared again", destination=self._destination)
            self._unavailable = False
        return answer
