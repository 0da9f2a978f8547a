"""Kinds of CRM by name, imported only when used."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Destination, UpdateFields
from connectors.registry import UnknownKind, connect

SALESFORCE = Destination(
    name="crm",
    kind="salesforce",
    base_url="https://acme.my.salesforce.com",
    api_version="67.0",
    auth={"method": "session", "session_id": "00Dx"},
    object="Account",
    match_field="Plgsync_Account_Id__c",
)


def test_a_destination_gets_the_connector_of_its_kind() -> None:
    connector = connect(SALESFORCE)
    assert (connector.name, connector.batch_size(UpdateFields, waiting=1)) == ("crm", 200)
    assert (connector.usage().calls, connector.usage().write_calls) == (0, 0)


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(UnknownKind, match=r"'pipedrive'.*hubspot, salesforce"):
        connect(replace(SALESFORCE, kind="pipedrive"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"base_url": "acme.my.salesforce.com"}, "base_url"),
        ({"auth": {"method": "password"}}, "client_credentials, jwt, session"),
        ({"auth": {"method": "jwt", "client_id": "x"}}, "username, private_key"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_sent(change: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        connect(replace(SALESFORCE, **change))


def test_naming_the_kinds_imports_no_crm_client() -> None:
    code = "import sys, connectors.registry; sys.exit(any(m in sys.modules for m in ('simple_salesforce', 'hubspot')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
