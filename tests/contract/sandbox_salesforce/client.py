"""A client of the Salesforce sandbox and of its control API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import requests


@dataclass(kw_only=True)
class Api:
    """Talks to the sandbox like any client; ``sim`` requests go to the control API."""

    url: str
    client_id: str
    client_secret: str
    username: str
    private_key: bytes = b""
    version: str = "67.0"
    http: requests.Session = field(default_factory=requests.Session)

    def login(self) -> str:
        secret = {"client_id": self.client_id, "client_secret": self.client_secret}
        answer = self.token(grant_type="client_credentials", **secret)
        token: str = answer.json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        return token

    def token(self, **form: str) -> requests.Response:
        return requests.post(f"{self.url}/services/oauth2/token", data=form, timeout=10)

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        path = path if path.startswith("/services") else f"/services/data/v{self.version}{path}"
        return self.http.request(method, self.url + path, json=body, timeout=10, **more)

    def query(self, soql: str, every: bool = False) -> requests.Response:
        return self.call("GET", "/queryAll" if every else "/query", params={"q": soql})

    def rows(self, soql: str, every: bool = False) -> list[dict[str, Any]]:
        answer = self.query(soql, every)
        assert answer.status_code == 200, answer.text
        return [{key: value for key, value in row.items() if key != "attributes"} for row in answer.json()["records"]]

    def batch(self, method: str, kind: str, records: list[dict[str, Any]], path: str = "", **more: Any) -> Any:
        body = {"records": [{"attributes": {"type": kind}, **one} for one in records], **more}
        return self.call(method, f"/composite/sobjects{path}", body).json()

    def sim(self, path: str, body: Any = None) -> Any:
        method = "GET" if body is None else "POST"
        answer = requests.request(method, f"{self.url}/__sim/{path}", json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stored(self, kind: str, record_id: str | None = None) -> Any:
        """What the org holds: every record of a kind, deleted ones included, or one."""
        records = self.sim(f"state?object={kind}")["objects"][kind]
        return records if record_id is None else next(one for one in records if one["Id"] == record_id)

    def ui_action(self, **action: Any) -> Any:
        return self.sim("mutate", action)

    def make_field(self, full_name: str, grant: bool = True, **metadata: Any) -> requests.Response:
        body = {"FullName": full_name, "Metadata": {"label": full_name.partition(".")[2][:-3], **metadata}}
        answer = self.call("POST", "/tooling/sobjects/CustomField", body)
        if grant:
            assert answer.status_code == 201, answer.text
            self.grant(full_name)
        return answer

    def grant(self, full_name: str, edit: bool = True) -> Any:
        user = self.sim("state?object=User")["staff"]["integration"]
        profile = self.rows(f"SELECT ProfileId FROM User WHERE Id = '{user}'")[0]["ProfileId"]
        parent = self.rows(f"SELECT Id FROM PermissionSet WHERE ProfileId = '{profile}'")[0]["Id"]
        owner, _, name = full_name.partition(".")
        owner = "Task" if owner == "Activity" else owner
        grant = {"ParentId": parent, "SobjectType": owner, "Field": f"{owner}.{name}"}
        return self.batch("POST", "FieldPermissions", [{**grant, "PermissionsRead": True, "PermissionsEdit": edit}])
