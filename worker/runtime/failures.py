"""The message of every expected failure, for the person who can act on it; any other error is a bug."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

from sqlalchemy.exc import DBAPIError, OperationalError

from connectors.base import CallFailed
from worker.language.plural import counted
from worker.pipeline.compute import AsOfTooOld
from worker.pipeline.run import StalePlan
from worker.planning.guard import UnsafePlan
from worker.settings.environment import InvalidEnvironment
from worker.settings.problems import CommandError, ConfigError
from worker.signals.errors import DistrustedData, SourceError, StaleData
from worker.store.errors import StoreError, damage
from worker.store.lock import Busy
from worker.store.moments import InFuture

_HOW_TO_APPROVE = (
    "Nothing was queued. If you want this: plgsync plan --out plan.json, then plgsync run --apply plan.json"
)


def explain_failure(error: BaseException) -> str | None:
    """The message of an expected failure; None for a bug."""
    match error:
        case ConfigError():
            return f"{error}\n{counted(len(error.problems), 'problem')}; nothing was run"
        case UnsafePlan():
            reasons = "\n".join(f"  {reason}" for reason in error.reasons)
            return f"guard: this plan changes too much\n{reasons}\n{_HOW_TO_APPROVE}"
        case DistrustedData():
            return f"data that cannot be trusted: {error}\nNothing was scored. Run plgsync check for the data report."
        case StaleData():
            return f"stale data: {error}\nNothing was scored; the CRMs keep their values until the data is up to date."
        case SourceError():
            return f"product data: {error}"
        case CallFailed() | StoreError() | CommandError() | InvalidEnvironment():
            return str(error)
        case AsOfTooOld() | InFuture() | StalePlan() | Busy():
            return str(error)
        case DBAPIError():
            return _database_failure(error)
        case OSError():
            return _system_failure(error)
        case _:
            return None


def describe_failure(error: BaseException) -> str:
    """One line for logs and the store: the message of an expected failure, or the class and place of a bug.

    The message of a bug may hold values of records, so it is left out.
    """
    message = explain_failure(error)
    if message:
        return f"{type(error).__name__}: {' '.join(message.split())}"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def _database_failure(error: DBAPIError) -> str | None:
    if line := damage(error):
        return line
    if error.connection_invalidated:
        return "the connection to the state database was lost; nothing was half-written, run again"
    if isinstance(error, OperationalError):
        words = (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]
        return f"the state database cannot be used: {words}; nothing was half-written, fix it and run again"
    return None


def _system_failure(error: OSError) -> str | None:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "the disk is full; nothing was half-written, free some space and run again"
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR}:
        return f"{error.filename}: {error.strerror}" if error.filename else None
    return None
