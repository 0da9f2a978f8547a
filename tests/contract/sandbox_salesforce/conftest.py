"""A running Salesforce sandbox with two people and two accounts, and a logged-in client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.sandbox.serve import Credentials, running
from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME, CYCO, GLOBEX

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


@pytest.fixture(scope="session")
def key_pair() -> tuple[bytes, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public.decode()


@pytest.fixture(scope="session")
def sandbox(key_pair: tuple[bytes, str]) -> Iterator[dict[str, Any]]:
    credentials = Credentials("client-1", "secret-1", "unused", salesforce_public_key=key_pair[1])
    with running({"salesforce": SEED}, hubspot_port=None, credentials=credentials) as addresses:
        yield addresses["salesforce"]


@pytest.fixture
def api(sandbox: dict[str, Any], key_pair: tuple[bytes, str]) -> Iterator[Api]:
    """A client logged in to an org that is as it was seeded, on the machine's clock."""
    client = Api(**sandbox, private_key=key_pair[0])
    client.sim("clock", {"run": True})
    client.sim("reset", {})
    client.login()
    yield client
    client.http.close()
