"""One sandbox CRM of the contract suite: its server, its control API, its log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

import requests

from connectors.base import Connector, Destination, FieldNeed
from connectors.registry import connect
from connectors.sandbox.serve import Addresses
from tests.contract.connectors.harness import Call


class SandboxCrm(ABC):
    """What the harnesses of both CRMs share. The sandbox runs in a thread of this process."""

    kind: str

    def __init__(self, server: AbstractContextManager[Addresses]) -> None:
        self._server = server
        self.address = server.__enter__()[self.kind]
        self.url = self.address["url"]
        self.http = requests.Session()
        self._controls = 0
        self._records_at = (0, 0)
        self._records: dict[str, dict[str, Any]] = {}

    @abstractmethod
    def destination(self) -> Destination: ...

    @abstractmethod
    def needs(self) -> Sequence[FieldNeed]: ...

    @abstractmethod
    def is_write(self, method: str, path: str) -> bool: ...

    def reset(self) -> None:
        self.control("reset", {})

    def set_up(self) -> Self:
        """An empty CRM with our fields set up; the call log starts after that."""
        self.reset()
        connector = self.connect()
        connector.setup(self.needs(), dry_run=False)
        connector.close()
        self.forget_calls()
        return self

    def connect(self) -> Connector:
        return connect(self.destination())

    def stop(self) -> None:
        self.http.close()
        self._server.__exit__(None, None, None)

    def calls(self) -> Sequence[Call]:
        return [
            Call(one["method"], one["path"], one["status"] or 0, self.is_write(one["method"], one["path"]))
            for one in self.log()["entries"]
        ]

    def forget_calls(self) -> None:
        self.control("reset", {"only": ["log"]})

    def pass_time(self, seconds: float) -> None:
        self.control("clock", {"advance_s": seconds})

    # ---- the control API
    def control(self, what: str, body: Any) -> Any:
        self._controls += 1
        answer = self.http.post(f"{self.url}/__sim/{what}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def mutate(self, **action: Any) -> Any:
        return self.control("mutate", action)

    def state(self, **query: str) -> Any:
        return self.http.get(f"{self.url}/__sim/state", params=query, timeout=30).json()

    def log(self, **query: str) -> Any:
        return self.http.get(f"{self.url}/__sim/log", params=query, timeout=30).json()

    def records(self, object: str) -> list[dict[str, Any]]:
        return list(self.state(object=object)["objects"][object])

    def records_by_id(self, object: str, id_field: str) -> dict[str, dict[str, Any]]:
        """All records of one object, fetched again only when something was sent since: 450 fetches take long."""
        sent = (self.log(limit="1")["total"], self._controls)
        if self._records_at != sent:
            self._records = {one[id_field]: one for one in self.records(object)}
            self._records_at = sent
        return self._records
