"""What simple-salesforce sends with: a session with timeouts, no retries, and statuses that mean what they say."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from urllib3.exceptions import MaxRetryError, NewConnectionError

from connectors.base import AccessDenied, Permit
from connectors.salesforce.auth import CONNECT_SECONDS
from connectors.salesforce.errors import NEVER_REFRESHED, are_results, first_error, redact

Inspect = Callable[[requests.Response], None]


class Wire(HTTPAdapter):
    """simple-salesforce writes ``https://`` and no timeout whatever it is given; this sends what was configured."""

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


class Line(threading.local):
    """One thread's connection; ``writes``, ``refreshed`` and ``permit`` are about the call under way."""

    def __init__(self) -> None:
        self.salesforce: Salesforce | None = None
        self.writes = False
        self.refreshed = False
        self.permit: Permit | None = None


def open_session(instance_url: str, wire: Wire, inspect: Inspect) -> requests.Session:
    """A session that sends through ``wire`` and shows every answer to ``inspect``.

    Proxies and certificates of the environment are looked up once, here, not at every request; ~/.netrc, which
    would replace our bearer token, never is.
    """

    def look(response: requests.Response, **_: Any) -> requests.Response:
        inspect(response)
        return response

    session = requests.Session()
    found = session.merge_environment_settings(instance_url, {}, None, None, None)
    session.proxies, session.verify = found["proxies"], found["verify"]
    session.trust_env = False
    session.headers["User-Agent"] = "plgsync"
    session.hooks["response"].append(look)
    session.mount("https://", wire)
    return session


def settle(response: requests.Response) -> None:
    """Give a refusal the status that simple-salesforce takes it for what it is by.

    Results of single records, which real orgs also send with status 400, are no refusal. Only an expired session may
    be a 401: simple-salesforce refreshes on any, and reads ``[0]`` of all.
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
        raise AccessDenied(f"Salesforce refused access: {code or 401} {redact(words)}".rstrip())


def never_sent(error: requests.RequestException) -> bool:
    """Whether no byte of a request can have arrived."""
    cause = error.args[0] if error.args else None
    return isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError) or (
        isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
    )
