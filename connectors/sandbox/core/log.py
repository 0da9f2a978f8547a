"""The request log of a sandbox, for tests that count calls and read what a client sent."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ENTRIES_KEPT = 20_000
BODY_BYTES_KEPT = 32 * 1024 * 1024
_NEVER_LOGGED = {"authorization", "proxy-authorization", "cookie", "x-api-key"}


@dataclass(slots=True, kw_only=True)
class Entry:
    """One request. ``status`` is None when no answer was sent; ``records`` is None when the app did not set it."""

    number: int
    at: datetime
    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None
    body_hash: str = ""
    records: int | None = None
    status: int | None = None
    duration_ms: float = 0.0
    fault: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def to_json(self, with_body: bool) -> dict[str, Any]:
        """The entry for the control API; the body as text with ``with_body``, unless it was dropped."""
        shown: dict[str, Any] = {
            "number": self.number,
            "at": self.at.isoformat(timespec="milliseconds"),
            "method": self.method,
            "path": self.path,
            "headers": self.headers,
            "body_hash": self.body_hash or _hash(self.body or b""),
            "records": self.records,
            "status": self.status,
            "duration_ms": round(self.duration_ms, 3),
            "fault": self.fault,
            "notes": self.notes,
        }
        if with_body:
            shown["body"] = None if self.body is None else self.body.decode("utf-8", "replace")
        return shown


class RequestLog:
    """The last requests, oldest first. Old bodies are dropped before old entries."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=ENTRIES_KEPT)
        self._with_body: deque[Entry] = deque()
        self._body_bytes = 0
        self.total = 0

    def add(self, entry: Entry, secret: bool) -> None:
        """Store one finished exchange; without the body when it is ``secret`` (a login)."""
        self.total += 1
        self._entries.append(entry)
        if secret:
            entry.body, entry.body_hash = None, "secret"
        elif entry.body:
            self._with_body.append(entry)
            self._body_bytes += len(entry.body)
            self._drop_old_bodies()

    def find(self, method: str | None = None, path_regex: str | None = None, since: int = 0) -> Iterator[Entry]:
        """The stored entries after number ``since`` that match, oldest first."""
        pattern = re.compile(path_regex) if path_regex else None
        for entry in self._entries:
            if entry.number <= since or (method and entry.method != method.upper()):
                continue
            if pattern is None or pattern.search(entry.path):
                yield entry

    def clear(self) -> None:
        """Remove every entry and start counting at zero."""
        self._entries.clear()
        self._with_body.clear()
        self._body_bytes = 0
        self.total = 0

    def _drop_old_bodies(self) -> None:
        while self._body_bytes > BODY_BYTES_KEPT and self._with_body:
            oldest = self._with_body.popleft()
            body = oldest.body or b""
            oldest.body, oldest.body_hash = None, _hash(body)
            self._body_bytes -= len(body)


def loggable(headers: Mapping[str, str]) -> dict[str, str]:
    """Request headers by lower-case name, without those that carry a credential."""
    return {name: value for name, value in headers.items() if name not in _NEVER_LOGGED}


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]
