"""The session that simple-salesforce uses: with timeouts, without retries, with corrected statuses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import requests
from simple_salesforce.api import Salesforce
from urllib3.exceptions import MaxRetryError, NewConnectionError

from connectors.base import AccessDenied, Permit
from connectors.bounded import BoundedAdapter
from connectors.salesforce.auth import CONNECT_SECONDS
from connectors.salesforce.errors import NEVER_REFRESHED, are_results, first_error, redact

Inspect = Callable[[requests.Response], None]


class ConfiguredAdapter(BoundedAdapter):
    """Sends with the configured scheme and limits; simple-salesforce always uses ``https://`` and no timeout."""

    def __init__(self, scheme: str, timeout_s: float, on_send: Callable[[], None]) -> None:
        self._scheme = scheme
        self._timeout = (CONNECT_SECONDS, timeout_s)
        self._on_send = on_send
        super().__init__(max_retries=0)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if request.url and self._scheme == "http":
            request.url = "http" + request.url.removeprefix("https")
        kwargs["timeout"] = self._timeout
        self._on_send()
        return super().send(request, *args, **kwargs)


class ThreadState(threading.local):
    """The connection of one thread; ``writes``, ``refreshed`` and ``permit`` are about the current call."""

    def __init__(self) -> None:
        self.salesforce: Salesforce | None = None
        self.writes = False
        self.refreshed = False
        self.permit: Permit | None = None


def open_session(instance_url: str, adapter: ConfiguredAdapter, inspect: Inspect) -> requests.Session:
    """A session that sends through ``adapter`` and passes every answer to ``inspect``.

    Proxies and certificates of the environment are read once, here, not at every request; ~/.netrc, which would replace
    our bearer token, is never read.
    """

    def call_inspect(response: requests.Response, **_: Any) -> requests.Response:
        inspect(response)
        return response

    session = requests.Session()
    found = session.merge_environment_settings(instance_url, {}, None, None, None)
    session.proxies, session.verify = found["proxies"], found["verify"]
    session.trust_env = False
    session.headers["User-Agent"] = "plgsync"
    session.hooks["response"].append(call_inspect)
    session.mount("https://", adapter)
    return session


def normalize_status(response: requests.Response) -> None:
    """Set the status by which simple-salesforce handles an error answer correctly.

    Results of single records are no error, although real orgs also send them with status 400. Only an expired session
    may be a 401: simple-salesforce renews the token on every 401, and reads ``[0]`` of every error body.
    """
    try:
        body = response.json()
    except ValueError:
        body = None
    if are_results(body):
        response.status_code = 200
        return
    code, words = first_error(body)
    if code == "INVALID_SESSION_ID" and not any(text in words for text in NEVER_REFRESHED):
        response.status_code = 401
    elif response.status_code == 401:
        raise AccessDenied(f"Salesforce denied access: {code or 401} {redact(words)}".rstrip())


def never_sent(error: requests.RequestException) -> bool:
    """Whether no part of a request can have arrived."""
    cause = error.args[0] if error.args else None
    return isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError) or (
        isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
    )
