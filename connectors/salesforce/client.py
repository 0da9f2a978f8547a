"""The wire: every request to Salesforce goes through here, is counted, and fails in our own words."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, cast
from urllib.parse import quote, urlsplit

import requests
import structlog
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from urllib3.exceptions import MaxRetryError, NewConnectionError

from connectors.base import AccessDenied, Destination, Unavailable
from connectors.salesforce.auth import CONNECT_SECONDS, Tokens
from connectors.salesforce.errors import NEVER_REFRESHED, Refused, Unanswered, failure, first_error, redact

Row = dict[str, Any]

URI_LIMIT = 15_000
"""Bytes of an encoded query: URI and headers together may have 16,384.

https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_api.htm
"""
COMPOSITE_QUERIES = 5
BLIP_SECONDS = 5.0
QUOTA_MEMORY_S = 600.0

_USAGE = re.compile(r"(?:^|[;\s])api-usage=(\d+)/(\d+)")

log = structlog.get_logger(__name__)


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
    """One thread's connection; ``writes`` and ``refreshed`` are about the call under way."""

    def __init__(self) -> None:
        self.salesforce: Salesforce | None = None
        self.writes = False
        self.refreshed = False


class Client:
    """Requests to one Salesforce org. Safe to share between threads."""

    def __init__(self, destination: Destination) -> None:
        parts = urlsplit(destination.base_url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"{destination.name}: base_url is not a URL like https://acme.my.salesforce.com")
        self._destination = destination
        self._scheme = parts.scheme
        self._tokens = Tokens(destination)
        self._line = Line()
        self._lock = threading.Lock()
        self._sessions: list[requests.Session] = []
        self._usage: deque[tuple[float, int, int]] = deque(maxlen=64)
        self.calls = 0
        self.write_calls = 0
        self.refused = 0

    # ------------------------------------------------------------------ requests

    def read(self, method: str, path: str, body: object = None) -> Any:
        """The decoded answer of a call that changes nothing; a blip is bridged by asking again.

        ``path`` is relative to ``/services/data/vNN.0/``, or absolute with a leading slash. Raises
        `CallFailed`; `Unavailable` also when no answer came.
        """
        attempts = Retrying(
            retry=retry_if_exception(_is_blip),
            stop=stop_after_attempt(3),
            wait=wait_random_exponential(multiplier=0.1, max=1.0),
            reraise=True,
        )
        try:
            return attempts(self._send, method, path, body, False)
        except Unanswered as error:
            raise Unavailable(str(error), BLIP_SECONDS) from None

    def write(self, method: str, path: str, body: object) -> Any:
        """The decoded answer of a call that changes records; sent once. Raises `CallFailed` and `Unanswered`."""
        return self._send(method, path, body, True)

    def rows(self, soql: str, deleted: bool = False) -> list[Row]:
        """All rows of one query; with ``deleted`` also those in the recycle bin and the archive."""
        return self.rows_of([soql], deleted)[0]

    def rows_of(self, queries: Sequence[str], deleted: bool = False) -> list[list[Row]]:
        """The rows of each query; five of them cost one call, and none is limited by the length of a URI."""
        answers = self.try_rows_of(queries, deleted)
        for answer in answers:
            if isinstance(answer, Refused) and answer.code == "INVALID_FIELD":
                raise AccessDenied(f"a field is missing or hidden from this user: {answer.reason}")
            if isinstance(answer, Exception):
                raise answer
        return cast("list[list[Row]]", answers)

    def try_rows_of(self, queries: Sequence[str], deleted: bool = False) -> list[list[Row] | Exception]:
        """Like `rows_of`, but a query that is refused has its exception in its place."""
        resource = "queryAll" if deleted else "query"
        answers: list[list[Row] | Exception] = []
        for start in range(0, len(queries), COMPOSITE_QUERIES):
            some = queries[start : start + COMPOSITE_QUERIES]
            for status, body in self._pages(resource, some):
                refused = status >= 300 or not isinstance(body, dict)
                answers.append(_as_read(failure(status, body)) if refused else list(self._all_pages(body)))
        return answers

    def _pages(self, resource: str, queries: Sequence[str]) -> list[tuple[int, Any]]:
        encoded = [quote(soql, safe="") for soql in queries]
        if len(queries) == 1 and len(encoded[0]) <= URI_LIMIT:
            try:
                return [(200, self.read("GET", f"{resource}?q={encoded[0]}"))]
            except Refused as error:
                return [(error.status, [{"errorCode": error.code, "message": error.reason}])]
        subrequests = [
            {"method": "GET", "url": f"{self._root}{resource}?q={soql}", "referenceId": f"q{n}"}
            for n, soql in enumerate(encoded)
        ]
        answer = self.read("POST", "composite", {"allOrNone": False, "compositeRequest": subrequests})
        found = {part["referenceId"]: part for part in answer["compositeResponse"]}
        return [(found[f"q{n}"]["httpStatusCode"], found[f"q{n}"]["body"]) for n in range(len(queries))]

    def _all_pages(self, page: Row) -> Iterator[Row]:
        yield from page["records"]
        while not page["done"]:
            page = self.read("GET", page["nextRecordsUrl"])
            yield from page["records"]

    # ------------------------------------------------------------------ what is known of the org

    @property
    def user_id(self) -> str | None:
        """The id of the user we are logged in as, when the login told."""
        return self._tokens.current().user_id

    def quota(self) -> tuple[int | None, int | None]:
        """(calls left, limit) by the answers of the last ten minutes; (None, None) before the first.

        Salesforce's counter wavers between its servers, so the highest recent reading counts.
        """
        recent = [(used, limit) for at, used, limit in self._usage if time.monotonic() - at < QUOTA_MEMORY_S]
        if not recent:
            return None, None
        limit = recent[-1][1]
        return max(0, limit - max(used for used, _ in recent)), limit

    def close(self) -> None:
        """Close every thread's connections."""
        for session in self._sessions:
            session.close()

    # ------------------------------------------------------------------ inside

    @property
    def _root(self) -> str:
        return f"/services/data/v{self._destination.api_version}/"

    def _send(self, method: str, path: str, body: object, writes: bool) -> Any:
        line = self._line
        line.writes, line.refreshed = writes, False
        salesforce = self._salesforce()
        url = f"https://{salesforce.sf_instance}{path if path.startswith('/') else self._root + path}"
        headers = {"X-PrettyPrint": "0"}
        if writes:
            headers["Sforce-Auto-Assign"] = "FALSE"
        data = None if body is None else json.dumps(body, separators=(",", ":"))
        try:
            response = salesforce._call_salesforce(method, url, headers=headers, data=data, allow_redirects=False)  # noqa: SLF001
        except SalesforceError as error:
            results = _results(error.content)
            if results is not None:
                return results
            raise failure(error.status, error.content) from None
        except requests.RequestException as error:
            raise self._network(error) from None
        try:
            return json.loads(response.content) if response.content else None
        except ValueError:
            raise Unanswered("Salesforce's answer was cut short") from None

    def _network(self, error: requests.RequestException) -> Exception:
        host = urlsplit(self._destination.base_url).netloc
        if _never_sent(error):
            return Unavailable(f"{host} cannot be reached: {type(error).__name__}", 30.0)
        return Unanswered(f"no answer from {host}: {type(error).__name__}")

    def _salesforce(self) -> Salesforce:
        if self._line.salesforce is None:
            token = self._tokens.current()
            session = requests.Session()
            session.auth = _keep_header
            session.headers["User-Agent"] = "plgsync"
            session.hooks["response"].append(self._inspect)
            session.mount("https://", Wire(self._scheme, self._destination.timeout_s, self._count))
            salesforce = Salesforce(
                instance_url=token.instance_url,
                session_id=token.access,
                version=self._destination.api_version,
                session=session,
            )
            salesforce._salesforce_login_partial = partial(self._refresh)  # noqa: SLF001
            self._line.salesforce = salesforce
            with self._lock:
                self._sessions.append(session)
        return self._line.salesforce

    def _refresh(self) -> tuple[str, str]:
        """A new token for the call under way, once: simple-salesforce would try four times."""
        if self._line.refreshed or self._line.salesforce is None:
            raise AccessDenied(f"{self._destination.name}: Salesforce refuses a token it has just given")
        self._line.refreshed = True
        log.info("salesforce_token_refused", destination=self._destination.name)
        token = self._tokens.replace(self._line.salesforce.session_id)
        return token.access, urlsplit(token.instance_url).netloc

    def _count(self) -> None:
        with self._lock:
            self.calls += 1
            self.write_calls += self._line.writes

    def _inspect(self, response: requests.Response, **_: Any) -> requests.Response:
        usage = _USAGE.search(response.headers.get("Sforce-Limit-Info", ""))
        if usage:
            self._usage.append((time.monotonic(), int(usage[1]), int(usage[2])))
        with self._lock:
            self.refused += response.status_code == 429
        if response.status_code >= 400:
            _settle_401(response)
        return response


def select(columns: Iterable[str], object: str, *clauses: str) -> str:
    """A SOQL query of these columns, each once. Values inside the clauses have been through `format_soql`."""
    return " ".join(("SELECT", ", ".join(dict.fromkeys(columns)), "FROM", object, *clauses))


def _settle_401(response: requests.Response) -> None:
    """Only an expired session may reach simple-salesforce as a 401: it refreshes on any, and reads ``[0]`` of all."""
    try:
        code, words = first_error(response.json())
    except ValueError:
        code, words = "", ""
    if code == "INVALID_SESSION_ID" and not any(text in words for text in NEVER_REFRESHED):
        response.status_code = 401
    elif response.status_code == 401:
        raise AccessDenied(f"Salesforce refused access: {code or 401} {redact(words)}".rstrip())


def _results(content: object) -> list[Any] | None:
    """A Collections answer, which real orgs also send with status 400."""
    if isinstance(content, list) and content and all(isinstance(item, dict) and "success" in item for item in content):
        return content
    return None


def _is_blip(error: BaseException) -> bool:
    return isinstance(error, Unanswered) or (isinstance(error, Unavailable) and error.retry_after <= BLIP_SECONDS)


def _as_read(error: Exception) -> Exception:
    return Unavailable(str(error), BLIP_SECONDS) if isinstance(error, Unanswered) else error


def _never_sent(error: requests.RequestException) -> bool:
    cause = error.args[0] if error.args else None
    return isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError) or (
        isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
    )


def _keep_header(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without an ``auth`` requests would replace our bearer token by what ~/.netrc has for the host."""
    return request
