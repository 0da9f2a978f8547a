"""The sandbox answers the recorded requests of real orgs: same status, same keys, same types, same codes.

Recordings of v42 are asked for as v46, the oldest version the sandbox has. Where an answer differs, the
difference is named here with its reason.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.contract.sandbox_salesforce.client import Api
from tests.contract.sandbox_salesforce.seeded_ids import ACME, CYCO, GLOBEX

RECORDED = Path(__file__).parents[4] / "shared" / "crm" / "recorded" / "salesforce.json"
pytestmark = pytest.mark.skipif(not RECORDED.exists(), reason="no recorded answers here")


def recorded(source: str, note: str = "") -> Any:
    """The recorded answer whose source and note contain these words."""
    exchanges = json.loads(RECORDED.read_text())
    found = [one for one in exchanges if source in one["source"] and note in one["note"]]
    assert found, (source, note)
    return found[0]["response"]


def shape(value: Any) -> Any:
    """Keys and types all the way down; of a list the shape of its first element."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def codes(body: Any) -> list[str]:
    """Every error code in an answer, in order."""
    if isinstance(body, list):
        return [code for one in body for code in codes(one)]
    if not isinstance(body, dict):
        return []
    own = [body[key] for key in ("statusCode", "errorCode") if key in body]
    return own + [code for one in body.values() for code in codes(one)]


def assert_alike(answer: requests.Response, theirs: dict[str, Any], status: int | None = None) -> None:
    ours = answer.json()
    assert answer.status_code == (status or theirs["status"])
    assert shape(ours) == shape(theirs["body"])
    assert codes(ours) == codes(theirs["body"])
    for name in ("Content-Type", "Cache-Control"):
        if name in theirs["headers"]:
            assert answer.headers[name] == theirs["headers"][name]
    if "Sforce-Limit-Info" in theirs["headers"]:
        assert answer.headers["Sforce-Limit-Info"].startswith("api-usage=")


def collection(
    api: Api, method: str, kind: str, records: list[dict[str, Any]], path: str = "", version: str = "46.0", **more: bool
) -> requests.Response:
    body = {"allOrNone": False, "records": [{**one, "attributes": {"type": kind}} for one in records], **more}
    return api.call(method, f"/services/data/v{version}/composite/sobjects{path}", body)


def test_describe_has_every_recorded_key(api: Api) -> None:
    theirs = recorded("enrich", "describe")
    answer = api.call("GET", "/services/data/v46.0/sobjects/Account/describe")
    ours = answer.json()
    (wanted,) = [value for key, value in theirs["body"].items() if key.startswith("fields[")]
    first = ours["fields"][0]
    # Newer versions of the API have keys the recorded one has not; none may be missing or of another type.
    assert set(wanted) <= set(first)
    assert {key: first[key] for key in wanted} == wanted
    for name in ("ETag", "Last-Modified"):
        assert name in answer.headers


def test_queries_with_and_without_a_result(api: Api) -> None:
    api.batch("PATCH", "Account", [{"id": ACME, "AccountNumber": "x@demo.com"}])
    url = "/services/data/v46.0/query?q=SELECT%20Id%20FROM%20Account%20WHERE%20AccountNumber%20%3D%20%27{}%27"
    assert_alike(api.call("GET", url.format("none")), recorded("additive", "('query', False)"))
    assert_alike(api.call("GET", url.format("x@demo.com")), recorded("additive", "('query', True)"))


def test_collections_create_update_and_delete(api: Api) -> None:
    made = collection(api, "POST", "Account", [{"AccountNumber": "a", "Name": "Smith"}])
    assert_alike(made, recorded("additive", "('coll', 'POST', ())"))
    changed = collection(api, "PATCH", "Account", [{"id": ACME, "Name": "Jones", "Site": "https://www.example.com"}])
    assert_alike(changed, recorded("additive", "('coll', 'PATCH', ())"))
    url = f"/services/data/v46.0/composite/sobjects?ids={ACME}%2C{GLOBEX}%2C{CYCO}&allOrNone=true"
    assert_alike(api.call("DELETE", url), recorded("additive", "('coll', 'DELETE', ())"))
    assert [one["IsDeleted"] for one in api.stored("Account")] == [True, True, True, False]


def test_a_record_read_by_id(api: Api) -> None:
    theirs = recorded("additive", "('get',)")
    answer = api.call("GET", f"/services/data/v46.0/sobjects/Account/{ACME}")
    ours = answer.json()
    # The recording was cut short; MasterRecordId and the first fields stand in the recorded order.
    wanted = {"attributes", "Id", "IsDeleted", "MasterRecordId", "Name", "Type", "ParentId", "BillingStreet"}
    assert set(theirs["body"]) == wanted <= set(ours)
    assert shape({key: ours[key] for key in wanted}) == shape(theirs["body"])
    assert answer.headers["ETag"]
    assert answer.headers["Last-Modified"]


def test_an_invalid_address_among_good_records(api: Api) -> None:
    api.make_field("Account.email_field__c", type="Email", label="email_field")
    records = [{"Name": "Test", "id": ACME}, {"Name": "Simpson", "email_field__c": "badone", "id": GLOBEX}]
    answer = collection(api, "PATCH", "Account", records)
    theirs = recorded("additive", "INVALID_EMAIL_ADDRESS")
    assert_alike(answer, theirs)
    assert answer.json()[1] == theirs["body"][1]
    assert api.stored("Account", GLOBEX)["Name"] == "Globex"


def test_a_record_that_is_not_there(api: Api) -> None:
    answer = api.call("GET", "/services/data/v46.0/sobjects/Account/0014S000007Ny26QAC")
    theirs = recorded("records-custom", "('404',)")
    assert_alike(answer, theirs)
    assert answer.json() == theirs["body"]


def test_a_required_field_that_is_null(api: Api) -> None:
    answer = collection(api, "POST", "Account", [{"AccountNumber": "x", "Name": None}])
    theirs = recorded("records-reference", "REQUIRED_FIELD_MISSING")
    assert_alike(answer, theirs)
    assert answer.json() == theirs["body"]


def test_a_single_create(api: Api) -> None:
    # The recorded object is a Topic, which the sandbox does not have.
    answer = api.call("POST", "/services/data/v46.0/sobjects/Account", {"Name": "(test) High Value2"})
    assert_alike(answer, recorded("custom-float", "('201',)"))
    assert answer.headers["Location"] == f"/services/data/v46.0/sobjects/Account/{answer.json()['id']}"


def test_a_converted_lead(api: Api) -> None:
    (lead,) = api.stored("Lead")
    api.ui_action(do="convert_lead", id=lead["Id"])
    answer = collection(api, "PATCH", "Lead", [{"LastName": "NoEdit", "Company": "C", "id": lead["Id"]}])
    theirs = recorded("objects__export-records-lead", "CANNOT_UPDATE_CONVERTED_LEAD")
    assert_alike(answer, theirs)
    assert answer.json() == theirs["body"]


def test_no_records_at_all(api: Api) -> None:
    answer = api.call("POST", "/services/data/v60.0/composite/sobjects", {"records": []})
    theirs = recorded("create/contacts/err-bad-request")
    assert_alike(answer, theirs)
    assert answer.json() == theirs["body"]


def test_all_or_none_on_create(api: Api) -> None:
    records = [{"FirstName": "no last name"}, {"LastName": "good"}]
    answer = collection(api, "POST", "Contact", records, version="60.0", allOrNone=True)
    theirs = recorded("create/contacts/partial-but-allOrNone")
    # Salesforce documents 200 for a well-formed request; the 400 of the recording is its test's own pairing.
    assert_alike(answer, theirs, status=200)
    assert answer.json() == theirs["body"]
    assert len(api.stored("Contact")) == 1


def test_updates_without_ids(api: Api) -> None:
    answer = collection(api, "PATCH", "Contact", [{"LastName": "a"}, {"LastName": "b"}], version="60.0")
    theirs = recorded("err-each-no-ids")
    assert_alike(answer, theirs, status=200)  # as above
    assert answer.json() == theirs["body"]


def test_all_or_none_on_update_with_an_unknown_field(api: Api) -> None:
    (contact,) = api.stored("Contact")
    (other,) = api.batch("POST", "Contact", [{"LastName": "Other"}])
    records = [{"id": contact["Id"], "LastName": "x"}, {"id": other["id"], "unknownField_LastName": "y"}]
    answer = collection(api, "PATCH", "Contact", records, version="60.0", allOrNone=True)
    theirs = recorded("update/contacts/partial-but-allOrNone")
    assert_alike(answer, theirs)
    assert answer.json() == theirs["body"]
    assert api.stored("Contact", contact["Id"]) == contact


def test_a_read_only_field(api: Api) -> None:
    answer = api.call("PATCH", "/sobjects/Account/Sync_Ext__c/new", {"Name": "n", "MasterRecordId": ACME})
    theirs = recorded("invalid-field-upsert")
    assert_alike(answer, theirs)
    assert answer.json() == theirs["body"]


def test_an_unknown_field_in_a_query(api: Api) -> None:
    answer = api.query("SELECT AccountNumer FROM Account")
    theirs = recorded("unknown-field.json")
    # The recorded words are those of a write; a SOQL query of a real org adds the place of the error.
    assert_alike(answer, theirs)
    assert "No such column 'AccountNumer' on entity 'Account'" in answer.json()[0]["message"]


def test_an_unknown_object_in_a_query(api: Api) -> None:
    answer = api.query("SELECT Id,Name,BillingCity,IsDeleted FROM Accout")
    theirs = recorded("unknown-object.json")
    assert_alike(answer, theirs)
    assert answer.json() == theirs["body"]


def test_deleting_what_was_deleted(api: Api) -> None:
    api.ui_action(do="delete", id=ACME)
    answer = api.call("DELETE", f"/sobjects/Account/{ACME}")
    theirs = recorded("crm/delete/not-found")
    assert_alike(answer, theirs)
    assert answer.json() == theirs["body"]


def test_upsert_by_email_mixes_created_and_not(api: Api) -> None:
    records = [{"Email": "cleo@acme.com", "LastName": "Cash"}, {"Email": "new@acme.com", "LastName": "New"}]
    answer = collection(api, "PATCH", "Contact", records, "/Contact/Email")
    theirs = recorded("TestUpsert")
    assert_alike(answer, theirs)
    assert [one["created"] for one in answer.json()] == [one["created"] for one in theirs["body"]]


def test_composite_with_one_bad_request(api: Api) -> None:
    base = "/services/data/v50.0/query?q=select+count()+from+"
    parts = [{"method": "GET", "url": base + name, "referenceId": f"ref{name}"} for name in ("Account", "XYZZY")]
    answer = api.call("POST", "/services/data/v50.0/composite", {"compositeRequest": parts})
    theirs = recorded("TestCountSObjects")
    assert_alike(answer, theirs)
    assert answer.json()["compositeResponse"][1] == theirs["body"]["compositeResponse"][1]


def test_logins_rejected(api: Api) -> None:
    theirs = recorded("restforce", "auth_error_response")
    answer = api.token(grant_type="password", username="u", password="wrong")
    assert answer.status_code == theirs["status"]
    assert shape(answer.json()) == shape(theirs["body"])
    assert answer.json()["error"] == theirs["body"]["error"]
    theirs = recorded("restforce", "refresh_error_response")
    answer = api.token(grant_type="refresh_token", refresh_token="5Aep")
    assert (answer.status_code, answer.json()) == (theirs["status"], theirs["body"])


def test_a_key_with_several_records(api: Api) -> None:
    api.batch("POST", "Contact", [{"LastName": "One", "Email": "x@y.com"}, {"LastName": "Two", "Email": "x@y.com"}])
    answer = api.call("PATCH", "/sobjects/Contact/Email/x@y.com", {"LastName": "Three"})
    assert_alike(answer, recorded("restforce", "upsert_multiple_error_response"))


def test_a_key_field_that_is_not_one(api: Api) -> None:
    theirs = recorded("restforce", "upsert_error_response (bad")
    answer = api.call("PATCH", "/sobjects/Account/Namez/x", {"Name": "n"})
    assert_alike(answer, theirs)
    assert answer.json() == theirs["body"]


def test_deleting_nothing(api: Api) -> None:
    theirs = recorded("restforce", "destroy_bad_request")
    answer = api.call("DELETE", "/composite/sobjects?ids=")
    assert_alike(answer, theirs)
    assert answer.json() == theirs["body"]


def test_what_was_updated(api: Api) -> None:
    query = "start=2020-01-01T00%3A00%3A00%2B00%3A00&end=2999-01-01T00%3A00%3A00%2B00%3A00"
    answer = api.call("GET", f"/sobjects/Contact/updated/?{query}")
    assert_alike(answer, recorded("restforce", "get_updated_success_response"))


def test_the_control_api_costs_no_call(api: Api) -> None:
    before = requests.get(f"{api.url}/__sim/state", timeout=10).json()["api_calls"]
    api.sim("log")
    assert requests.get(f"{api.url}/__sim/state", timeout=10).json()["api_calls"] == before
