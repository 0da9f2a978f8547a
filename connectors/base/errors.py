"""Why a whole call failed, by who acts next."""

from __future__ import annotations

from datetime import datetime


class CallFailed(Exception):
    """The whole call failed: no operation of it has an outcome. Its text may be shown and logged."""


class AccessDenied(CallFailed):
    """An admin has to act: the credential is refused, or a scope or permission is missing (it is named)."""


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
    """The CRM has taken the operations and still works on them; the same again later gets their outcomes.

    Hand over the same operations after ``retry_after`` seconds. They may have been applied meanwhile.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
