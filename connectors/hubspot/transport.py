"""Sends requests to HubSpot through hubspot-api-client.

Its retries are off (they send a create again after a lost answer), every call has its limits (by default it has none),
and its typed models are not used (they cost ten times the JSON parsing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ssl import SSLCertVerificationError
from typing import Any, Protocol

import requests
import urllib3
from hubspot import HubSpot
from hubspot.crm.objects.exceptions import ApiException
from requests.utils import get_auth_from_url, select_proxy
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError, ProxyError

from connectors.bounded import bound, refusal_in
from connectors.wire import parse_json

CONNECT_TIMEOUT_S = 3.05
NO_TUNNEL = "Tunnel connection failed"
"""The text of ``http.client`` when a proxy answers a CONNECT with anything but success."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One HTTP response; ``body`` is its parsed JSON, or None when it has none (HTML of a proxy, 204)."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def ok(self) -> bool:
        """Whether HubSpot accepted the call as a whole; it may still have rejected single records (207)."""
        return 200 <= self.status < 300


class NoAnswer(Exception):
    """The request was sent without a usable answer: it may have been applied."""


class NoEnd(NoAnswer):
    """The answer takes too long, or is too long, for any client of ours."""


class NotSent(Exception):
    """The request never reached HubSpot: nothing was applied."""


class Transport(Protocol):
    """Sends one request; raises `NoAnswer` or `NotSent`, never anything else."""

    def send(self, method: str, path: str, query: Mapping[str, str], body: object, token: str) -> HttpResponse: ...

    def login(self, path: str, form: Mapping[str, str]) -> HttpResponse: ...

    def close(self) -> None: ...


class HubSpotTransport:
    """hubspot-api-client's generic ``ApiClient``, built once: each access to an API object opens a new pool."""

    def __init__(self, base_url: str, timeout_s: float) -> None:
        """Reads proxies and certificates of the environment once, as ``requests`` does.

        Raises `ValueError` for a kind of proxy that cannot be used.
        """
        # A redirect is an answer: followed, it would lose the body; forbidden, it would look like no answer.
        client = HubSpot(
            host=base_url.rstrip("/"), retry=urllib3.Retry(0, redirect=False), **_environment_settings(base_url)
        )
        self._api = client.crm.objects.batch_api.api_client
        bound(self._api.rest_client.pool_manager)
        self._timeout = (CONNECT_TIMEOUT_S, timeout_s)

    def send(self, method: str, path: str, query: Mapping[str, str], body: object, token: str) -> HttpResponse:
        headers = {"Accept": "application/json", "Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        return self._request(method, path, headers, query_params=list(query.items()), body=body)

    def login(self, path: str, form: Mapping[str, str]) -> HttpResponse:
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        return self._request("POST", path, headers, post_params=list(form.items()))

    def close(self) -> None:
        self._api.rest_client.pool_manager.clear()

    def _request(self, method: str, path: str, headers: dict[str, str], **content: Any) -> HttpResponse:
        # `ApiClient.call_api` does this and walks through the whole body in Python, which costs more than JSON itself.
        try:
            response = self._api.request(
                method,
                self._api.configuration.host + path,
                headers=self._api.default_headers | headers,
                _preload_content=False,
                _request_timeout=self._timeout,
                **content,
            )
            return _response(response.status, response.headers, response.data)
        except ApiException as error:
            if not error.status:
                raise NotSent("TLS to HubSpot failed") from None
            return _response(error.status, error.headers or {}, error.body or b"")
        except MaxRetryError as error:
            if why := _not_sent_reason(error.reason):
                raise NotSent(why) from None
            raise _no_answer(error, error.reason) from None
        except (HTTPError, OSError) as error:
            raise _no_answer(error, error) from None


def _environment_settings(url: str) -> dict[str, Any]:
    """The SDK's settings for the proxy and the certificates of the environment, for this address."""
    with requests.Session() as session:
        found = session.merge_environment_settings(url, {}, None, None, None)
    settings: dict[str, Any] = {"ssl_ca_cert": found["verify"]} if isinstance(found["verify"], str) else {}
    address = select_proxy(url, found["proxies"])
    if not address:
        return settings
    proxy = address if "://" in address else f"http://{address}"
    kind = proxy.partition("://")[0]
    if kind not in ("http", "https"):
        raise ValueError(f"HubSpot cannot be reached through a {kind} proxy: name one of http or leave the host out")
    user, password = get_auth_from_url(proxy)
    headers = urllib3.make_headers(proxy_basic_auth=f"{user}:{password}") if user else None
    return settings | {"proxy": proxy, "proxy_headers": headers}


def _no_answer(error: Exception, cause: Exception | None) -> NoAnswer:
    refusal = refusal_in(error)
    return NoEnd(refusal) if refusal else NoAnswer(type(cause).__name__)


def _not_sent_reason(reason: Exception | None) -> str:
    """Why no part of the request was sent; empty where it may have been."""
    # `ProxyError` alone is not enough: urllib3 raises it also when a proxy has the request and loses the answer.
    cause = reason.original_error if isinstance(reason, ProxyError) else reason
    causes = () if cause is None else (cause, *cause.args)
    if any(isinstance(one, SSLCertVerificationError) for one in causes):
        return "its certificate is not trusted: check base_url, and REQUESTS_CA_BUNDLE where a proxy has its own one"
    no_tunnel = any(isinstance(one, OSError) and str(one).startswith(NO_TUNNEL) for one in causes)
    if not no_tunnel and not isinstance(cause, NewConnectionError | ConnectTimeoutError):
        return ""
    if no_tunnel or isinstance(reason, ProxyError):
        return "the proxy of HTTPS_PROXY or HTTP_PROXY opens no connection: check it, and NO_PROXY"
    return type(cause).__name__


def _response(status: int, headers: Mapping[str, str], data: bytes) -> HttpResponse:
    try:
        body = parse_json(data) if data else None
    except ValueError:
        body = None
    if 200 <= status < 300 and status != 204 and not isinstance(body, dict):
        raise NoAnswer("the answer is cut off or not JSON")
    return HttpResponse(status, headers, body)
