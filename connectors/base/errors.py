"""The errors of a whole call, by who acts next."""

from __future__ import annotations

from datetime import datetime


class CallFailed(Exception):
    """The whole call failed: none of its operations has an outcome. The message may be shown and logged."""


class AccessDenied(CallFailed):
    """An admin must act: the credential is rejected, or the named scope or permission is missing."""


class QuotaExhausted(CallFailed):
    """The CRM's quota is used up; nothing more is sent before ``until`` (UTC)."""

    def __init__(self, message: str, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class Unavailable(CallFailed):
    """The CRM cannot answer now; try again after ``retry_after`` seconds. Nothing was applied."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Underway(CallFailed):
    """The CRM has accepted the operations and still works on them.

    The same operations, sent after ``retry_after`` seconds, get their outcomes. They may be applied meanwhile.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
