"""A client of the HubSpot sandbox and of its control API, over HTTP alone."""

from __future__ import annotations

from typing import Any

import requests

TOKEN = "pat-test"


KEY = {
    "name": "our_key",
    "label": "Our key",
    "type": "string",
    "fieldType": "text",
    "groupName": "integrationcreatedproperties",
    "hasUniqueValue": True,
}


class Portal:
    """A client that knows nothing but HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"Bearer {TOKEN}"

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.http.request(method, self.url + path, json=body, timeout=10, **more)

    def post(self, path: str, body: Any = None) -> requests.Response:
        return self.call("POST", path, body)

    def get(self, path: str, /, **query: str) -> requests.Response:
        return self.call("GET", path, params=query)

    def batch(self, action: str, inputs: list[Any], kind: str = "companies", **more: Any) -> requests.Response:
        return self.post(f"/crm/objects/2026-03/{kind}/batch/{action}", {"inputs": inputs, **more})

    def create(self, kind: str = "companies", **properties: str) -> str:
        answer = self.post(f"/crm/v3/objects/{kind}", {"properties": properties})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def search(self, kind: str = "companies", *filters: dict[str, Any], **more: Any) -> requests.Response:
        groups = [{"filters": list(filters)}] if filters else []
        return self.post(f"/crm/v3/objects/{kind}/search", {"filterGroups": groups, **more})

    def define(self, kind: str = "companies", **definition: Any) -> requests.Response:
        return self.post(f"/crm/v3/properties/{kind}", {**KEY, **definition})

    # ---- control
    def control(self, path: str, body: Any) -> Any:
        answer = self.post(f"/__sim/{path}", body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stored(self, kind: str = "companies") -> dict[str, dict[str, Any]]:
        found = self.get("/__sim/state", object=kind).json()["objects"][kind]
        return {record["id"]: record for record in found}

    def values(self, record_id: str, kind: str = "companies") -> Any:
        return self.stored(kind)[record_id]["properties"]

    def arm(self, kind: str, **fault: Any) -> None:
        self.control("faults", {"kind": kind, **fault})

    def pass_time(self, seconds: float) -> None:
        self.control("clock", {"advance_s": seconds})
