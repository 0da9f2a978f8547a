"""Requests to Salesforce: all of them are sent, counted and their errors translated here."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import quote, urlsplit

import requests
import structlog
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from connectors.base import AccessDenied, Bucket, Budget, Destination, RateLimitStatus, Unavailable
from connectors.bounded import refusal_in
from connectors.clock import stopwatch
from connectors.rate_limiter import RateLimiter
from connectors.salesforce.auth import Tokens
from connectors.salesforce.errors import Forbidden, RequestRejected, Unanswered, failure, wrong_address
from connectors.salesforce.soql import URI_LIMIT
from connectors.salesforce.transport import ConfiguredAdapter, ThreadState, never_sent, normalize_status, open_session
from connectors.server_clock import ServerClock
from connectors.wire import compact_json, parse_json

Row = dict[str, Any]

COMPOSITE_QUERIES = 5
PACKED = 5
"""The most Collections calls in one composite call.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite.htm
"""
NO_RULES = {"Sforce-Auto-Assign": "FALSE"}
"""Turns off the org's assignment rules for our writes; by default they would assign the record to an owner."""
READS = {"X-PrettyPrint": "0"}
WRITES = {
    **READS,
    **NO_RULES,
    "Accept-Encoding": "identity",
}  # decompressing a few kB of results costs more than it saves
CALLS = Bucket("calls")
"""Salesforce has no limit per second; it limits the day, and the concurrent requests of over 20 seconds."""
BLIP_SECONDS = 5.0
READING_VALID_S = 600.0

_USAGE = re.compile(r"(?:^|[;\s])api-usage=(\d+)/(\d+)")


log = structlog.get_logger(__name__)


class Client:
    """Requests to one Salesforce org. Safe to share between threads."""

    def __init__(self, destination: Destination, budget: Budget | None = None) -> None:
        parts = urlsplit(destination.base_url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"{destination.name}: base_url is not a URL like https://acme.my.salesforce.com")
        self.packed = PACKED if destination.options.get("composite") else 1
        """The Collections calls in one request."""
        self.root = f"/services/data/v{destination.api_version}/"
        self._destination = destination
        self._budget = budget or RateLimiter()
        self._scheme = parts.scheme
        self._tokens = Tokens(destination)
        self._thread = ThreadState()
        self._lock = threading.Lock()
        self._sessions: list[requests.Session] = []
        self._usage: deque[tuple[float, int, int]] = deque(maxlen=64)
        self.server_clock = ServerClock()
        self.calls = 0
        self.write_calls = 0

    # ------------------------------------------------------------------ requests

    def read(self, method: str, path: str, body: object = None) -> Any:
        """The decoded answer to a call that changes nothing; short outages are bridged by another attempt.

        ``path`` is relative to ``/services/data/vNN.0/``, or absolute with a leading slash. Raises
        `CallFailed`; `Unavailable` also when no answer came.
        """
        return self._bridged(lambda: self._send(method, path, body, False))

    def read_bytes(self, path: str) -> bytes:
        """The undecoded answer to a GET, such as a result file. Raises like `read`."""
        return bytes(self._bridged(lambda: self._answer("GET", path, None, False).content))

    def write(self, method: str, path: str, body: object) -> Any:
        """The decoded answer to a call that changes records; sent once. Raises `CallFailed` and `Unanswered`."""
        return self._send(method, path, body, True)

    def upload(self, path: str, lines: Iterable[bytes]) -> None:
        """Send a CSV in pieces, once; ``lines`` can be iterated more than once. Raises like `write`."""
        self._answer("PUT", path, lines, True, {"Content-Type": "text/csv; charset=UTF-8"})

    def rows(self, soql: str, deleted: bool = False) -> list[Row]:
        """All rows of one query; with ``deleted`` also those in the recycle bin and the archive."""
        return self.all_rows([soql], deleted)

    def all_rows(self, queries: Sequence[str], deleted: bool = False) -> list[Row]:
        """The rows of all queries together; see `rows_of`."""
        return [row for rows in self.rows_of(queries, deleted) for row in rows]

    def rows_of(self, queries: Sequence[str], deleted: bool = False) -> list[list[Row]]:
        """The rows of each query; five queries cost one call, and their length is not limited by that of a URI."""
        answers = self.try_rows_of(queries, deleted)
        for answer in answers:
            if isinstance(answer, RequestRejected) and answer.code == "INVALID_FIELD":
                raise AccessDenied(f"a field is missing or hidden from this user: {answer.reason}")
            if isinstance(answer, RequestRejected) and answer.status in (404, 405):
                raise wrong_address(answer.status, answer.code, answer.reason)
            if isinstance(answer, Exception):
                raise answer
        return cast("list[list[Row]]", answers)

    def try_rows_of(self, queries: Sequence[str], deleted: bool = False) -> list[list[Row] | Exception]:
        """Like `rows_of`, but a rejected query has its exception in the list."""
        resource = "queryAll" if deleted else "query"
        answers: list[list[Row] | Exception] = []
        for start in range(0, len(queries), COMPOSITE_QUERIES):
            some = queries[start : start + COMPOSITE_QUERIES]
            pages = self._first_pages(resource, some)
            answers += [page if isinstance(page, Exception) else list(chain(*self._following(page))) for page in pages]
        return answers

    def pages(self, soql: str, deleted: bool = False) -> Iterator[list[Row]]:
        """The rows of one query, page by page; a page costs its call when it is taken. Raises `CallFailed`."""
        [page] = self._first_pages("queryAll" if deleted else "query", [soql])
        if isinstance(page, Exception):
            raise page
        yield from self._following(page)

    def _first_pages(self, resource: str, queries: Sequence[str]) -> list[Any]:
        """The first page of each query, or the exception of a rejected one."""
        encoded = [quote(soql, safe="") for soql in queries]
        if len(queries) == 1 and len(encoded[0]) <= URI_LIMIT:
            try:
                return [self.read("GET", f"{resource}?q={encoded[0]}")]
            except (RequestRejected, Forbidden) as error:
                return [error]
        subrequests = [
            {"method": "GET", "url": f"{self.root}{resource}?q={soql}", "referenceId": f"q{n}"}
            for n, soql in enumerate(encoded)
        ]
        answer = self.read("POST", "composite", {"allOrNone": False, "compositeRequest": subrequests})
        try:
            found = {part["referenceId"]: part for part in answer["compositeResponse"]}
            parts = [(found[f"q{n}"]["httpStatusCode"], found[f"q{n}"]["body"]) for n in range(len(queries))]
        except (LookupError, TypeError):
            raise Unavailable("Salesforce's answer does not name every query", BLIP_SECONDS) from None
        return [body if status < 300 else _as_read(failure(status, body)) for status, body in parts]

    def _following(self, page: Row) -> Iterator[list[Row]]:
        """The rows of a page and of each after it. Raises `Unavailable` for what is no page or was read before."""
        read = set[str]()
        try:
            yield list(page["records"])
            while not page["done"]:
                path = page["nextRecordsUrl"]
                if path in read:
                    raise Unavailable("Salesforce's answers repeat a page", BLIP_SECONDS)
                read.add(path)
                page = self.read("GET", path)
                yield list(page["records"])
        except (LookupError, TypeError):
            raise Unavailable("Salesforce's answer is no page of records", BLIP_SECONDS) from None

    # ------------------------------------------------------------------ the org

    def our_user_id(self) -> str:
        """The id of the user we are logged in as; a call where the login did not return it."""
        return self._tokens.current().user_id or str(self.read("GET", "/services/oauth2/userinfo")["user_id"])

    def quota(self) -> tuple[int | None, int | None]:
        """(calls left, limit) from the answers of the last ten minutes; (None, None) before the first answer.

        Salesforce's servers differ in their counts, so the highest recent reading counts.
        """
        recent = [(used, limit) for at, used, limit in self._usage if stopwatch() - at < READING_VALID_S]
        if not recent:
            return None, None
        limit = recent[-1][1]
        return max(0, limit - max(used for used, _ in recent)), limit

    def close(self) -> None:
        """Close every thread's connections."""
        for session in self._sessions:
            session.close()
        self._budget.close()

    # ------------------------------------------------------------------ inside

    def _bridged(self, ask: Callable[[], Any]) -> Any:
        attempts = Retrying(
            retry=retry_if_exception(_is_blip),
            stop=stop_after_attempt(3),
            wait=wait_random_exponential(multiplier=0.1, max=1.0),
            reraise=True,
        )
        try:
            return attempts(ask)
        except Unanswered as error:
            raise Unavailable(str(error), BLIP_SECONDS) from None

    def _send(self, method: str, path: str, body: object, writes: bool) -> Any:
        data = None if body is None else compact_json(body)
        try:
            content = self._answer(method, path, data, writes).content
            return parse_json(content) if content else None
        except ValueError:
            raise Unanswered("Salesforce's answer was cut short") from None

    def _answer(
        self, method: str, path: str, data: object, writes: bool, more: Mapping[str, str] = MappingProxyType({})
    ) -> requests.Response:
        thread = self._thread
        thread.writes, thread.refreshed = writes, False
        salesforce = self._salesforce()
        url = f"https://{salesforce.sf_instance}{path if path.startswith('/') else self.root + path}"
        headers = {**(WRITES if writes else READS), **more}
        try:
            return salesforce._call_salesforce(method, url, headers=headers, data=data, allow_redirects=False)  # noqa: SLF001
        except SalesforceError as error:
            raise failure(error.status, error.content) from None
        except requests.RequestException as error:
            raise self._network(error) from None

    def _network(self, error: requests.RequestException) -> Exception:
        host = urlsplit(self._destination.base_url).netloc
        if never_sent(error):
            return Unavailable(f"{host} cannot be reached: {type(error).__name__}", 30.0)
        return Unanswered(f"no answer from {host}: {refusal_in(error) or type(error).__name__}")

    def _salesforce(self) -> Salesforce:
        if self._thread.salesforce is None:
            token = self._tokens.current()
            adapter = ConfiguredAdapter(self._scheme, self._destination.timeout_s, self._count)
            session = open_session(token.instance_url, adapter, self._inspect)
            salesforce = Salesforce(
                instance_url=token.instance_url,
                session_id=token.access,
                version=self._destination.api_version,
                session=session,
            )
            salesforce._salesforce_login_partial = partial(self._refresh)  # noqa: SLF001
            self._thread.salesforce = salesforce
            with self._lock:
                self._sessions.append(session)
        return self._thread.salesforce

    def _refresh(self) -> tuple[str, str]:
        """A new token for the current call, once: simple-salesforce would try four times."""
        if self._thread.refreshed or self._thread.salesforce is None:
            raise AccessDenied(f"{self._destination.name}: Salesforce rejects a token that it has just issued")
        self._thread.refreshed = True
        log.info("salesforce_token_rejected", destination=self._destination.name)
        token = self._tokens.replace(self._thread.salesforce.session_id)
        return token.access, urlsplit(token.instance_url).netloc

    def _count(self) -> None:
        self._thread.permit = self._budget.acquire(CALLS)
        with self._lock:
            self.calls += 1
            self.write_calls += self._thread.writes

    def _inspect(self, response: requests.Response) -> None:
        self.server_clock.observe(response.headers.get("Date"))
        usage = _USAGE.search(response.headers.get("Sforce-Limit-Info", ""))
        if usage:
            self._usage.append((stopwatch(), int(usage[1]), int(usage[2])))
            if self._thread.permit:
                self._budget.observe(
                    self._thread.permit, RateLimitStatus(day_used=int(usage[1]), day_limit=int(usage[2]))
                )
        if response.status_code >= 400:
            normalize_status(response)


def _is_blip(error: BaseException) -> bool:
    return isinstance(error, Unanswered) or (isinstance(error, Unavailable) and error.retry_after <= BLIP_SECONDS)


def _as_read(error: Exception) -> Exception:
    return Unavailable(str(error), BLIP_SECONDS) if isinstance(error, Unanswered) else error
