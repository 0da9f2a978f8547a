"""Renews leases from a thread while their holder works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from connectors.clock import stopwatch

log = structlog.get_logger()


@contextmanager
def renewed(
    engine: Engine, renew: Callable[[Connection], bool], every_s: float, *, at_most_s: float = float("inf")
) -> Iterator[None]:
    """Renew until the block ends, until ``renew`` answers that the lease is lost, or for ``at_most_s`` seconds.

    A database that is away for one renewal costs no lease, as a lease lasts for three.
    """
    done = threading.Event()
    until = stopwatch() + at_most_s

    def renew_again_and_again() -> None:
        while not done.wait(every_s) and stopwatch() < until:
            try:
                with engine.begin() as connection:
                    if not renew(connection):
                        log.warning("lease lost to another worker")
                        return
            except DBAPIError as error:
                log.warning("lease not renewed", error=type(error).__name__)

    renewing = threading.Thread(target=renew_again_and_again, name="lease", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        done.set()
        renewing.join()
