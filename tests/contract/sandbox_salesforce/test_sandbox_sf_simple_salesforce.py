"""simple-salesforce, an independent client, works against the sandbox: logins, CRUD, paging, metadata."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)

from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME


class ToSandbox(HTTPAdapter):
    """Sends what is meant for any https host to the sandbox."""

    def __init__(self, url: str) -> None:
        self.target = urlsplit(url)
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        url = urlsplit(request.url or "")
        request.url = urlunsplit((self.target.scheme, self.target.netloc, url.path, url.query, ""))
        return super().send(request, *args, **more)


@pytest.fixture
def http(api: Api) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.mount("https://", ToSandbox(api.url))
        yield session


@pytest.fixture
def sf(api: Api, http: requests.Session) -> Salesforce:
    return Salesforce(session=http, consumer_key=api.client_id, consumer_secret=api.client_secret, domain="acme.my")


def test_it_logs_in_with_client_credentials_and_knows_its_instance(api: Api, sf: Any) -> None:
    assert sf.sf_instance == urlsplit(api.url).netloc
    assert sf.query("SELECT count() FROM Account")["totalSize"] == 3


def test_it_logs_in_with_a_signed_assertion(api: Api, http: requests.Session) -> None:
    key = api.private_key.decode()
    sf = Salesforce(session=http, username=api.username, consumer_key=api.client_id, privatekey=key)
    assert sf.query("SELECT count() FROM Account")["totalSize"] == 3


def test_it_says_why_a_login_was_rejected(api: Api, http: requests.Session) -> None:
    with pytest.raises(SalesforceAuthenticationFailed, match="invalid_client"):
        Salesforce(session=http, consumer_key=api.client_id, consumer_secret="wrong", domain="acme.my")


def test_it_creates_reads_changes_and_deletes(api: Api, sf: Any) -> None:
    made = sf.Account.create({"Name": "New"})
    assert made["success"] is True
    assert sf.Account.get(made["id"])["Name"] == "New"
    assert sf.Account.update(made["id"], {"Name": "Newer"}) == 204
    assert api.stored("Account", made["id"])["Name"] == "Newer"
    assert sf.Account.upsert("Sync_Ext__c/x-1", {"Name": "Upserted"}) == 201
    assert sf.Account.upsert("Sync_Ext__c/x-1", {"Name": "Again"}) == 200
    assert sf.Account.get_by_custom_id("Sync_Ext__c", "X-1")["Name"] == "Again"
    assert sf.Account.delete(made["id"]) == 204
    assert api.stored("Account", made["id"])["IsDeleted"]


def test_it_pages_through_long_results(api: Api, sf: Any) -> None:
    for _ in range(11):
        api.batch("POST", "Account", [{"Name": f"A{n}"} for n in range(200)])
    assert len(sf.query_all("SELECT Id FROM Account")["records"]) == 2203
    assert sum(1 for _ in sf.query_all_iter("SELECT Id FROM Account")) == 2203


def test_it_raises_its_own_errors(api: Api, sf: Any) -> None:
    with pytest.raises(SalesforceMalformedRequest):
        sf.query("SELECT nothing at all")
    with pytest.raises(SalesforceResourceNotFound):
        sf.Account.get("0015f00000zzzzzAAA")
    api.batch("POST", "Contact", [{"LastName": "One", "Email": "x@y.com"}, {"LastName": "Two", "Email": "x@y.com"}])
    with pytest.raises(SalesforceMoreThanOneRecord):
        sf.Contact.upsert("Email/x@y.com", {"LastName": "Three"})


def test_it_meets_an_expired_session(api: Api, http: requests.Session) -> None:
    sf = Salesforce(instance_url=api.url, session_id=api.login(), session=http)
    assert sf.limits()["DailyApiRequests"]["Max"] > 0
    api.ui_action(do="expire_sessions")
    with pytest.raises(SalesforceExpiredSession):
        sf.query("SELECT Id FROM Account")


def test_it_describes_objects_and_counts_calls(sf: Any) -> None:
    fields = {field["name"] for field in sf.Account.describe()["fields"]}
    assert {"Id", "Name", "OwnerId"} <= fields
    assert "Account" in {one["name"] for one in sf.describe()["sobjects"]}
    sf.query("SELECT Id FROM Account")
    assert sf.api_usage["api-usage"].used > 0


def test_it_makes_a_custom_field_through_the_tooling_api(api: Api, sf: Any) -> None:
    body = {
        "FullName": "Account.Health_Score__c",
        "Metadata": {"label": "Health", "type": "Number", "precision": 3, "scale": 0},
    }
    made = sf.toolingexecute("sobjects/CustomField", method="POST", data=body)
    assert made["success"] is True
    assert [one["FullName"] for one in api.stored("CustomField")] == ["Account.Health_Score__c"]


def test_it_reads_what_was_updated(api: Api, sf: Any) -> None:
    import datetime as dt

    end = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)
    assert ACME in sf.Account.updated(end - dt.timedelta(hours=1), end)["ids"]


def test_it_reads_what_was_deleted(api: Api, sf: Any) -> None:
    import datetime as dt

    api.ui_action(do="delete", id=ACME)
    end = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)
    gone = sf.Account.deleted(end - dt.timedelta(hours=1), end)["deletedRecords"]
    assert [one["id"] for one in gone] == [ACME]


def test_its_bulk_2_inserts_updates_and_upserts_and_downloads_what_became_of_each(
    api: Api, sf: Any, tmp_path: Path
) -> None:
    bulk = sf.bulk2.Account
    (job,) = bulk.insert(records=[{"Name": f"A{n}", "Sync_Ext__c": f"k{n}"} for n in range(250)], wait=0)
    assert (job["numberRecordsTotal"], job["numberRecordsFailed"]) == (250, 0)
    rows = [{"Sync_Ext__c": "k1", "Rating": "Hot"}, {"Sync_Ext__c": "k2", "NumberOfEmployees": "many"}]
    (job,) = bulk.upsert(records=rows[:1], external_id_field="Sync_Ext__c", wait=0)
    assert job["numberRecordsProcessed"] == 1
    (job,) = bulk.upsert(records=rows[1:], external_id_field="Sync_Ext__c", wait=0)
    assert "many" in bulk.get_failed_records(job["job_id"])
    assert bulk.get_unprocessed_records(job["job_id"]).splitlines()[1:] == []
    assert '"sf__Id","sf__Created"' in bulk.get_successful_records(job["job_id"])
    bulk.get_failed_records(job["job_id"], file=str(tmp_path / "failed.csv"))
    assert "many" in (tmp_path / "failed.csv").read_text()
    assert [one.get("Rating") for one in api.stored("Account") if one.get("Sync_Ext__c") == "k1"] == ["Hot"]


def test_its_bulk_2_queries_and_downloads(sf: Any, tmp_path: Path) -> None:
    parts = list(sf.bulk2.Account.query("SELECT Id, Name FROM Account ORDER BY Name", max_records=2, wait=0))
    assert [part.splitlines()[0] for part in parts] == ['"Id","Name"'] * 2
    assert f'"{ACME}","Acme"' in parts[0]
    made = sf.bulk2.Account.download("SELECT Id FROM Account", path=str(tmp_path), max_records=1000, wait=0)
    assert sum(one["number_of_records"] for one in made) == 3


def test_its_password_login_over_soap_is_rejected_in_words(http: requests.Session) -> None:
    with pytest.raises(SalesforceAuthenticationFailed, match="SOAP API login"):
        Salesforce(session=http, username="u", password="p", security_token="t", domain="acme.my")
