"""A running Salesforce sandbox with two people and two accounts, and a logged-in client."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from seeded_ids import ACME, CYCO, GLOBEX

from connectors.sandbox.serve import Credentials, running

SEED = {
    "records": {
        "User": [
            {"Email": "ann@example.com", "Name": "Ann Lee", "_ref": "ann"},
            {"Email": "bob@example.com", "Name": "Bob Ray", "_ref": "bob"},
        ],
        "Account": [
            {"Id": ACME, "Name": "Acme", "Website": "https://acme.com", "OwnerId": "@ann", "_ref": "acme"},
            {"Id": GLOBEX, "Name": "Globex", "Sync_Ext__c": "G-1", "OwnerId": "@bob", "_ref": "globex"},
            {"Id": CYCO, "Name": "Cyco"},
        ],
        "Contact": [{"Name": "Cleo Cash", "Email": "cleo@acme.com", "AccountId": "@acme"}],
        "Lead": [{"Name": "Lou Lead", "Company": "Initech", "Email": "lou@initech.com"}],
        "Opportunity": [
            {
                "Name": "Renewal",
                "AccountId": "@acme",
                "StageName": "Prospecting",
                "CloseDate": "2026-12-31",
                "Amount": 10,
            }
        ],
    }
}


@dataclass
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

    def human(self, **action: Any) -> Any:
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


@pytest.fixture(scope="session")
def key_pair() -> tuple[bytes, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public.decode()


@pytest.fixture(scope="session")
def sandbox(key_pair: tuple[bytes, str]) -> Iterator[dict[str, str]]:
    credentials = Credentials("client-1", "secret-1", "unused", salesforce_public_key=key_pair[1])
    with running({"salesforce": SEED}, hubspot_port=None, credentials=credentials) as addresses:
        yield addresses["salesforce"]


@pytest.fixture
def api(sandbox: dict[str, str], key_pair: tuple[bytes, str]) -> Iterator[Api]:
    """A client logged in to an org that is as it was seeded, on the machine's clock."""
    client = Api(**sandbox, private_key=key_pair[0])
    client.sim("clock", {"run": True})
    client.sim("reset", {})
    client.login()
    yield client
    client.http.close()
