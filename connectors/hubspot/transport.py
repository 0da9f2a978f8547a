"""Bytes to HubSpot and back, through hubspot-api-client.

Its own retries are off (they re-send a create after a lost answer), every call has a timeout (it has none
by itself) and its typed models are never built (they cost ten times the JSON parsing).
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

from connectors.wire import parse_json

CONNECT_TIMEOUT_S = 3.05
NO_TUNNEL = "Tunnel connection failed"
"""What Python's ``http.client`` says when a proxy answers a CONNECT with anything but success."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; ``body`` is its parsed JSON, or None when it has none (HTML of a proxy, 204)."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def ok(self) -> bool:
        """Whether HubSpot accepted the call as a whole; single records may still be refused (207)."""
        return 200 <= self.status < 300


class NoAnswer(Exception):
    """The request was sent and no usable answer came back: it may have been applied."""


class NotSent(Exception):
    """The request never reached HubSpot: nothing was applied."""


class Transport(Protocol):
    """What carries one request; raises `NoAnswer` or `NotSent`, never anything else."""

    def send(self, method: str, path: str, query: Mapping[str, str], body: object, token: str) -> Answer: ...

    def login(self, path: str, form: Mapping[str, str]) -> Answer: ...

    def close(self) -> None: ...


class HubSpotTransport:
    """hubspot-api-client's generic ``ApiClient``, built once: each access to an api object opens a new pool."""

    def __init__(self, base_url: str, timeout_s: float) -> None:
        """Proxies and certificates of the environment are looked up once, here, as ``requests`` understands them.

        Raises `ValueError` for a kind of proxy that cannot be used.
        """
        # A redirect comes back as the answer it is: followed it would lose the body, refused it would look unanswered.
        client = HubSpot(host=base_url.rstrip("/"), retry=urllib3.Retry(0, redirect=False), **_surroundings(base_url))
        self._api = client.crm.objects.batch_api.api_client
        self._timeout = (CONNECT_TIMEOUT_S, timeout_s)

    def send(self, method: str, path: str, query: Mapping[str, str], body: object, token: str) -> Answer:
        headers = {"Accept": "application/json", "Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        return self._request(method, path, headers, query_params=list(query.items()), body=body)

    def login(self, path: str, form: Mapping[str, str]) -> Answer:
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        return self._request("POST", path, headers, post_params=list(form.items()))

    def close(self) -> None:
        self._api.rest_client.pool_manager.clear()

    def _request(self, method: str, path: str, headers: dict[str, str], **content: Any) -> Answer:
        # `ApiClient.call_api` is this plus a walk through the whole body in Python, which costs more than JSON itself.
        try:
            response = self._api.request(
                method,
                self._api.configuration.host + path,
                headers=self._api.default_headers | headers,
                _preload_content=False,
                _request_timeout=self._timeout,
                **content,
            )
            return _answer(response.status, response.headers, response.data)
        except ApiException as error:
            if not error.status:
                raise NotSent("TLS to HubSpot failed") from None
            return _answer(error.status, error.headers or {}, error.body or b"")
        except MaxRetryError as error:
            if why := _unsent(error.reason):
                raise NotSent(why) from None
            raise NoAnswer(type(error.reason).__name__) from None
        except (HTTPError, OSError) as error:
            raise NoAnswer(type(error).__name__) from None


def _surroundings(url: str) -> dict[str, Any]:
    """The SDK's settings for the proxy and the certificates that the environment names for this address."""
    with requests.Session() as session:
        found = session.merge_environment_settings(url, {}, None, None, None)
    settings: dict[str, Any] = {"ssl_ca_cert": found["verify"]} if isinstance(found["verify"], str) else {}
    named = select_proxy(url, found["proxies"])
    if not named:
        return settings
    proxy = named if "://" in named else f"http://{named}"
    kind = proxy.partition("://")[0]
    if kind not in ("http", "https"):
        raise ValueError(f"HubSpot cannot be reached through a {kind} proxy: name one of http or leave the host out")
    user, password = get_auth_from_url(proxy)
    headers = urllib3.make_headers(proxy_basic_auth=f"{user}:{password}") if user else None
    return settings | {"proxy": proxy, "proxy_headers": headers}


def _unsent(reason: Exception | None) -> str:
    """Why nothing of the request left; empty where it may have."""
    # `ProxyError` alone says nothing: urllib3 also wraps an answer in it that a proxy lost after it had the request.
    cause = reason.original_error if isinstance(reason, ProxyError) else reason
    told = () if cause is None else (cause, *cause.args)
    if any(isinstance(one, SSLCertVerificationError) for one in told):
        return "its certificate is not trusted: check base_url, and REQUESTS_CA_BUNDLE where a proxy has one of its own"
    refused = any(isinstance(one, OSError) and str(one).startswith(NO_TUNNEL) for one in told)
    if not refused and not isinstance(cause, NewConnectionError | ConnectTimeoutError):
        return ""
    if refused or isinstance(reason, ProxyError):
        return "the proxy that HTTPS_PROXY or HTTP_PROXY names lets nothing through: check it, and NO_PROXY"
    return type(cause).__name__


def _answer(status: int, headers: Mapping[str, str], data: bytes) -> Answer:
    try:
        body = parse_json(data) if data else None
    except ValueError:
        body = None
    if 200 <= status < 300 and status != 204 and not isinstance(body, dict):
        raise NoAnswer("the answer is cut off or not JSON")
    return Answer(status, headers, body)
