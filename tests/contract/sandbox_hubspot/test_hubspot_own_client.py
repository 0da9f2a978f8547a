"""The vendor's own Python client, an independent client, works against the sandbox with its high-level calls."""

from __future__ import annotations

from typing import Any

import pytest
import urllib3
from hubspot import HubSpot
from hubspot.crm import associations, companies, contacts, deals, objects, properties

from tests.contract.sandbox_hubspot.client import TOKEN, Portal


@pytest.fixture
def client(portal: Portal) -> Any:
    return HubSpot(access_token=TOKEN, host=portal.url, base_url=portal.url, retry=urllib3.Retry(0))


def company(**values: str) -> Any:
    return companies.SimplePublicObjectInputForCreate(properties=values, associations=[])


def test_one_company_through_its_life(client: Any, portal: Portal) -> None:
    api = client.crm.companies.basic_api
    made = api.create(company(name="Acme", domain="acme.com"))
    assert api.get_by_id(made.id, properties=["name"]).properties["name"] == "Acme"
    changed = companies.SimplePublicObjectInput(properties={"name": "Acme Inc"})
    assert api.update(made.id, changed).properties["name"] == "Acme Inc"
    assert [one.id for one in api.get_page().results] == [one.id for one in client.crm.companies.get_all()] == [made.id]
    api.archive(made.id)
    assert portal.stored()[made.id]["archived"] is True
    with pytest.raises(companies.ApiException) as gone:
        api.get_by_id(made.id)
    assert gone.value.status == 404


def test_batches_come_back_typed(client: Any, portal: Portal) -> None:
    api = client.crm.companies.batch_api
    portal.define()
    inputs = [company(name=f"C{number}", our_key=f"k{number}") for number in range(3)]
    made = api.create(companies.BatchInputSimplePublicObjectBatchInputForCreate(inputs=inputs))
    assert sorted(one.properties["name"] for one in made.results) == ["C0", "C1", "C2"]
    wanted = companies.SimplePublicObjectBatchInput
    updates = [wanted(id=by_key(made, "k0").id, properties={"name": "new"}, object_write_trace_id="a")]
    updates += [wanted(id="404", properties={"name": "new"}, object_write_trace_id="b")]
    updated = api.update(companies.BatchInputSimplePublicObjectBatchInput(inputs=updates))
    assert (updated.num_errors, updated.errors[0].context) == (1, {"ids": ["404"]})
    upserts = [
        companies.SimplePublicObjectBatchInputUpsert(
            id=key, id_property="our_key", properties={"name": key, "our_key": key}
        )
        for key in ("k1", "k9")
    ]
    upserted = api.upsert(companies.BatchInputSimplePublicObjectBatchInputUpsert(inputs=upserts))
    assert {one.properties["our_key"]: one.new for one in upserted.results} == {"k1": False, "k9": True}
    read = api.read(
        companies.BatchReadInputSimplePublicObjectId(
            inputs=[{"id": "k1"}], id_property="our_key", properties=["name"], properties_with_history=["name"]
        )
    )
    (one,) = read.results
    assert one.properties["name"] == "k1"
    assert [change.value for change in one.properties_with_history["name"]] == ["k1", "C1"]
    api.archive(companies.BatchInputSimplePublicObjectId(inputs=[{"id": one.id}]))
    assert portal.stored()[one.id]["archived"] is True


def by_key(made: Any, key: str) -> Any:
    return next(one for one in made.results if one.properties["our_key"] == key)


def test_search_and_other_kinds(client: Any, portal: Portal) -> None:
    contact = client.crm.contacts.basic_api.create(
        contacts.SimplePublicObjectInputForCreate(properties={"email": "a@b.co"}, associations=[])
    )
    deal = {"dealname": "D", "dealstage": "closedwon", "pipeline": "default"}
    client.crm.deals.basic_api.create(deals.SimplePublicObjectInputForCreate(properties=deal, associations=[]))
    portal.pass_time(10)
    request = contacts.PublicObjectSearchRequest(
        filter_groups=[{"filters": [{"propertyName": "email", "operator": "EQ", "value": "a@b.co"}]}]
    )
    assert [one.id for one in client.crm.contacts.search_api.do_search(request).results] == [contact.id]
    won = {"filterGroups": [{"filters": [{"propertyName": "hs_is_closed_won", "operator": "EQ", "value": "true"}]}]}
    assert client.crm.deals.search_api.do_search(won).total == 1


def test_tasks_and_their_associations(client: Any, portal: Portal) -> None:
    made = client.crm.companies.basic_api.create(company(name="A"))
    task = client.crm.objects.basic_api.create(
        "tasks",
        objects.SimplePublicObjectInputForCreate(properties={"hs_timestamp": "2026-12-01T00:00:00Z"}, associations=[]),
    )
    v4 = client.crm.associations.v4
    v4.basic_api.create_default("tasks", task.id, "companies", made.id)
    assert [one.to_object_id for one in v4.basic_api.get_page("tasks", task.id, "companies").results] == [made.id]
    pairs = associations.v4.BatchInputPublicDefaultAssociationMultiPost(
        inputs=[{"from": {"id": task.id}, "to": {"id": made.id}}]
    )
    answer = v4.batch_api.create_default("tasks", "companies", pairs)
    assert {one.association_spec.association_type_id for one in answer.results} == {191, 192}


def test_properties_owners_and_errors(client: Any, portal: Portal) -> None:
    core = client.crm.properties.core_api
    made = core.create(
        "companies",
        properties.PropertyCreate(
            name="tier", label="Tier", type="number", field_type="number", group_name="companyinformation"
        ),
    )
    assert (made.name, made.has_unique_value) == ("tier", False)
    assert "tier" in {one.name for one in core.get_all("companies").results}
    with pytest.raises(properties.ApiException) as conflict:
        core.create("companies", properties.PropertyCreate(**made_again()))
    assert conflict.value.status == 409
    portal.control("mutate", {"action": "add_owner", "email": "ann@example.com", "firstName": "Ann"})
    (owner,) = client.crm.owners.get_all()
    assert (owner.email, owner.first_name, owner.archived) == ("ann@example.com", "Ann", False)
    stranger = HubSpot(access_token="wrong", host=portal.url, retry=urllib3.Retry(0))
    with pytest.raises(companies.ApiException) as rejected:
        stranger.crm.companies.basic_api.get_page()
    assert rejected.value.status == 401


def made_again() -> dict[str, str]:
    return {
        "name": "tier",
        "label": "Tier",
        "type": "number",
        "field_type": "number",
        "group_name": "companyinformation",
    }


def test_an_oauth_token_can_be_refreshed(portal: Portal) -> None:
    app = {"client_id": "id", "client_secret": "secret", "refresh_token": "refresh"}
    portal.control("config", {"oauth": app})
    client = HubSpot(host=portal.url)
    token = client.oauth.tokens_api.create(grant_type="refresh_token", **app)
    assert token.expires_in == 1800
    client.access_token = token.access_token
    assert client.crm.companies.basic_api.get_page().results == []
