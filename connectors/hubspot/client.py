"""Calls to one portal: API versions, rate limits, tokens, counting, and the errors of a whole call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay

from connectors.base import AccessDenied, Bucket, Budget, Destination, QuotaExhausted, Unavailable, Usage
from connectors.base.values import finite_number
from connectors.clock import now, stopwatch
from connectors.hubspot import errors
from connectors.hubspot.auth import credential
from connectors.hubspot.limits import ASSOCIATIONS, BURST, SEARCH, rate_limit_status
from connectors.hubspot.transport import HttpResponse, HubSpotTransport, NoAnswer, NoEnd, NotSent, Transport
from connectors.rate_limiter import RateLimiter
from connectors.server_clock import ServerClock

log = structlog.get_logger(__name__)

ATTEMPTS = 4
LONGEST_WAIT_S = 20.0
BLIP_S = 0.5
RETRY_AFTER_S = 30.0
ASK_AGAIN = timedelta(hours=1)
"""The longest pause for a used-up quota while the portal's time zone, and so the end of its day, is unknown."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The path of each family of calls in one API version."""

    objects: str
    properties: str
    associations: str
    owners: str
    account: str
    login: str


def _dated(version: str) -> Paths:
    return Paths(
        objects=f"/crm/objects/{version}",
        properties=f"/crm/properties/{version}",
        associations=f"/crm/associations/{version}",
        owners=f"/crm/owners/{version}",
        account=f"/account-info/{version}/details",
        login=f"/oauth/{version}/token",
    )


VERSIONS: Mapping[str, Paths] = {
    # https://developers.hubspot.com/docs/api-reference/legacy/migration-guide
    "v3": Paths(
        objects="/crm/v3/objects",
        properties="/crm/v3/properties",
        associations="/crm/v4/associations",
        owners="/crm/v3/owners",
        account="/account-info/v3/details",
        login="/oauth/v1/token",
    ),
    "2026-03": _dated("2026-03"),
    "2026-09": _dated("2026-09"),
}


class TokenRejected(AccessDenied):
    """HubSpot rejects every token that our source has."""


class _Retry(Exception):
    """This call may be sent again after ``seconds``; the last attempt raises ``instead``."""

    def __init__(self, seconds: float, instead: Exception) -> None:
        super().__init__()
        self.seconds = seconds
        self.instead = instead


class Client:
    """Calls to one HubSpot portal: rate limited, counted, with a token. Raises the errors of `connectors.base`.

    Safe to share between threads.
    """

    def __init__(
        self,
        destination: Destination,
        transport: Transport | None = None,
        clock: Callable[[], float] = stopwatch,
        sleep: Callable[[float], None] = time.sleep,
        budget: Budget | None = None,
        load_zone: Callable[[], str | None] = lambda: None,
    ) -> None:
        if destination.api_version not in VERSIONS:
            raise ValueError(
                f"{destination.name}: api_version {destination.api_version!r} is not one of {', '.join(VERSIONS)}"
            )
        self.paths = VERSIONS[destination.api_version]
        self.zone = ZoneInfo(destination.time_zone)
        self.zone_known = False
        self._load_zone: Callable[[], str | None] | None = load_zone
        self._auth = credential(destination.auth, self._login, clock)
        self._transport = transport or HubSpotTransport(destination.base_url, destination.timeout_s)
        self._sleep = sleep
        self._budget = budget or RateLimiter(clock=clock, sleep=sleep)
        self._lock = threading.Lock()
        self.server_clock = ServerClock()
        self._calls = 0
        self._write_calls = 0

    def read(self, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None) -> HttpResponse:
        """The answer to a call that changes nothing; bridges short outages. A 4xx about the request is an answer."""
        return self._call(method, path, body, query or {}, writes=False)

    def pages(self, path: str, query: Mapping[str, str]) -> Iterator[HttpResponse]:
        """The answers to a list, page by page; a rejection is the last one."""
        after, read = "", set[str]()
        while after not in read:
            read.add(after)
            answer = self.read("GET", path, None, {**query, "after": after} if after else query)
            yield answer
            after = next_page(answer.body) if answer.ok else ""
            if not after:
                return
        raise Unavailable("HubSpot's answers repeat a page", RETRY_AFTER_S)

    def write(self, method: str, path: str, body: object) -> HttpResponse:
        """The answer to a call that may change records; sent again only if HubSpot certainly applied nothing.

        Raises `NoAnswer` when it may have been applied.
        """
        return self._call(method, path, body, {}, writes=True)

    def set_zone(self, name: str) -> None:
        """Take the portal's time zone. HubSpot has zone names of its own; then the configured zone stays."""
        with suppress(ZoneInfoNotFoundError, ValueError):
            self.zone = ZoneInfo(name)
            self.zone_known = True

    def usage(self) -> Usage:
        """Calls sent so far."""
        with self._lock:
            return Usage(self._calls, self._write_calls)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()
        self._budget.close()

    def _call(self, method: str, path: str, body: object, query: Mapping[str, str], writes: bool) -> HttpResponse:
        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return error.seconds if isinstance(error, _Retry) else 0.0

        attempts = Retrying(
            retry=retry_if_exception_type(_Retry),
            stop=stop_after_attempt(ATTEMPTS) | stop_before_delay(LONGEST_WAIT_S),
            wait=wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return attempts(self._once, method, path, body, query, writes)
        except _Retry as last:
            raise last.instead from None

    def _once(self, method: str, path: str, body: object, query: Mapping[str, str], writes: bool) -> HttpResponse:
        token = self._auth.token()
        answer = self._send(method, path, body, query, token, writes)
        if answer.status == 401:
            token_again = self._auth.renew(token)
            if token_again is None:
                raise TokenRejected("HubSpot rejects the token (401); its source has no other one")
            log.info("hubspot token renewed")
            answer = self._send(method, path, body, query, token_again, writes)
        if not answer.ok:
            self._raise_for_effect(answer, method, path, writes)
        return answer

    def _send(
        self, method: str, path: str, body: object, query: Mapping[str, str], token: str, writes: bool
    ) -> HttpResponse:
        bucket = self._bucket(path)
        permit = self._budget.acquire(bucket)
        with self._lock:
            self._calls += 1
            self._write_calls += writes
        try:
            answer = self._transport.send(method, path, query, body, token)
        except NotSent as error:
            raise _Retry(BLIP_S, Unavailable(f"HubSpot cannot be reached ({error})", RETRY_AFTER_S)) from None
        except NoAnswer as error:
            if writes:
                raise
            unavailable = Unavailable(f"HubSpot does not answer ({error})", RETRY_AFTER_S)
            raise (unavailable if isinstance(error, NoEnd) else _Retry(BLIP_S, unavailable)) from None
        self.server_clock.observe(answer.headers.get("Date"))
        self._budget.observe(permit, rate_limit_status(bucket, answer.headers, self._midnight()))
        return answer

    def _bucket(self, path: str) -> Bucket:
        if path.startswith(self.paths.associations):
            return ASSOCIATIONS
        return SEARCH if path.endswith("/search") else BURST

    def _login(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        with self._lock:
            self._calls += 1
        try:
            answer = self._transport.login(self.paths.login, form)
        except (NotSent, NoAnswer) as error:
            raise Unavailable(f"HubSpot's login cannot be reached ({error})", RETRY_AFTER_S) from None
        if answer.status == 429 or answer.status >= 500:
            raise Unavailable(f"HubSpot's login answered {answer.status}", RETRY_AFTER_S)
        if not answer.ok or "access_token" not in answer.body:
            raise TokenRejected(f"HubSpot's login answered {answer.status}: {errors.login_advice(answer.body)}")
        return dict(answer.body)

    def _raise_for_effect(self, answer: HttpResponse, method: str, path: str, writes: bool) -> None:
        what = f"HubSpot answered {answer.status} to {method} {path}"
        match errors.effect(answer.status, answer.body):
            case "token":
                raise TokenRejected("HubSpot rejects the token (401), also the one just read from its source")
            case "denied":
                scopes = ", ".join(errors.missing_scopes(answer.body))
                raise AccessDenied(f"{what}: missing scope {scopes}" if scopes else f"{what}: not allowed")
            case "quota":
                raise QuotaExhausted("HubSpot's daily quota is used up", self._midnight())
            case "too_fast":
                seconds = _retry_after(answer.headers, 1.0, 60.0)
                log.info("hubspot rate limit", path=path, wait_s=seconds)
                self._budget.pause(self._bucket(path), seconds)
                raise _Retry(seconds, Unavailable(f"{what}: rate limit", seconds))
            case "migrating":
                raise Unavailable(f"{what}: the portal is being moved", _retry_after(answer.headers, 600.0, 86_400.0))
            case "down":
                raise _Retry(BLIP_S, Unavailable(what, RETRY_AFTER_S))
            case "uncertain" if writes:
                raise NoAnswer(what)
            case "uncertain":
                raise _Retry(BLIP_S, Unavailable(what, RETRY_AFTER_S))
            case "locked" if not writes:
                raise _Retry(BLIP_S, Unavailable(f"{what}: locked", RETRY_AFTER_S))
            case "wrong_address":
                raise wrong_address(answer, method, path)
        if answer.status == 404 and answer.body is None:
            raise wrong_address(answer, method, path)

    def _midnight(self) -> datetime:
        """When HubSpot resets the daily count: midnight in the portal's zone, or an hour from now if it is unknown."""
        load, self._load_zone = self._load_zone, None
        if load is not None and (name := load()):
            self.set_zone(name)
        present = now()
        tomorrow = present.astimezone(self.zone).date() + timedelta(days=1)
        midnight = datetime.combine(tomorrow, datetime.min.time(), self.zone).astimezone(UTC)
        return midnight if self.zone_known else min(midnight, present + ASK_AGAIN)


def next_page(body: Mapping[str, Any]) -> str:
    """Where the next page of a list starts; empty on the last one."""
    return str(((body.get("paging") or {}).get("next") or {}).get("after") or "")


def wrong_address(answer: HttpResponse, method: str, path: str) -> AccessDenied:
    """The error of a call to an address that HubSpot does not know."""
    return AccessDenied(
        f"HubSpot answered {answer.status} to {method} {path}: check base_url and api_version of this destination"
    )


def _retry_after(headers: Mapping[str, str], default_s: float, longest_s: float) -> float:
    """HubSpot's ``Retry-After``. Its pages give seconds in one place and milliseconds in another."""
    seconds = default_s
    with suppress(ValueError):
        given = float(headers.get("Retry-After", default_s))
        seconds = given if finite_number(given) else default_s
    if longest_s <= 60 and seconds > 300:
        seconds /= 1000
    return min(max(seconds, 1.0), longest_s)
