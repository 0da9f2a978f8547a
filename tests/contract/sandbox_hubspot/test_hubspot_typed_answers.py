"""The vendor's Python client turns every kind of answer into its typed models, which check what must not be missing.

Its models are made from HubSpot's own API descriptions: a key that is absent or null where it must not be, or a word
that is none of the allowed ones, raises ValueError there.
"""

from __future__ import annotations

from typing import Any

import pytest
import urllib3
from hubspot import HubSpot
from hubspot.crm import associations, companies, contacts, objects, properties
from hubspot.oauth import ApiException

from tests.contract.sandbox_hubspot.client import TOKEN, Portal

PLAIN = "HUBSPOT_DEFINED"


@pytest.fixture
def client(portal: Portal) -> Any:
    return HubSpot(access_token=TOKEN, host=portal.url, base_url=portal.url, retry=urllib3.Retry(0))


@pytest.fixture
def acme(portal: Portal) -> str:
    return portal.create(name="Acme", domain="acme.com")


@pytest.fixture
def ann(portal: Portal) -> str:
    contact = portal.create("contacts", email="ann@example.com")
    portal.control("mutate", {"action": "add_address", "id": contact, "email": "ash@example.com"})
    return contact


def test_contacts_by_any_address(client: Any, ann: str) -> None:
    basic, batch = client.crm.contacts.basic_api, client.crm.contacts.batch_api
    assert basic.get_by_id("ash@example.com", id_property="email", properties=["email"]).id == ann
    read = batch.read(
        contacts.BatchReadInputSimplePublicObjectId(
            inputs=[{"id": "ASH@example.com"}, {"id": "no@example.com"}],
            id_property="email",
            properties=["email"],
            properties_with_history=[],
        )
    )
    assert ([one.id for one in read.results], read.num_errors) == ([ann], 1)
    upserts = [
        contacts.SimplePublicObjectBatchInputUpsert(id=address, id_property="email", properties={"city": "Oslo"})
        for address in ("ash@example.com", "new@example.com")
    ]
    upserted = batch.upsert(contacts.BatchInputSimplePublicObjectBatchInputUpsert(inputs=upserts))
    assert sorted(one.new for one in upserted.results) == [False, True]


def test_contacts_merged_and_forgotten(client: Any, portal: Portal, ann: str) -> None:
    basic = client.crm.contacts.basic_api
    bob = portal.create("contacts", email="bob@example.com")
    merged = basic.merge(contacts.PublicMergeInput(primary_object_id=bob, object_id_to_merge=ann))
    assert merged.id == basic.get_by_id(ann).id == bob
    basic.purge(contacts.PublicGdprDeleteInput(object_id="ash@example.com", id_property="email"))
    assert portal.stored("contacts") == {}


def test_a_record_with_all_that_can_be_asked_for(client: Any, portal: Portal, acme: str, ann: str) -> None:
    portal.call("PUT", f"/crm/v4/objects/contacts/{ann}/associations/default/companies/{acme}")
    api = client.crm.companies.basic_api
    whole = api.get_by_id(
        acme, properties=["name", "phone"], properties_with_history=["name"], associations=["contacts"]
    )
    assert (whole.properties["name"], whole.properties["phone"]) == ("Acme", None)
    assert [change.source_type for change in whole.properties_with_history["name"]] == ["INTEGRATION"]
    assert [one.id for one in whole.associations["contacts"].results] == [ann]
    page = api.get_page(limit=1, properties=["name"])
    assert [one.id for one in page.results] == [acme]
    api.archive(acme)
    (gone,) = api.get_page(archived=True).results
    assert (gone.archived, gone.archived_at is not None) == (True, True)


def test_batches_that_fail_in_part(client: Any, portal: Portal, acme: str) -> None:
    portal.define()
    batch = client.crm.companies.batch_api
    inputs = [
        companies.SimplePublicObjectBatchInput(id=acme, properties={"nope": "1"}, object_write_trace_id="a"),
        companies.SimplePublicObjectBatchInput(id="404", properties={"name": "x"}, object_write_trace_id="b"),
    ]
    answer = batch.update(companies.BatchInputSimplePublicObjectBatchInput(inputs=inputs))
    assert {error.category for error in answer.errors} == {"VALIDATION_ERROR", "OBJECT_NOT_FOUND"}
    assert {error.status for error in answer.errors} == {"error"}
    assert (answer.status, answer.num_errors, answer.results) == ("COMPLETE", 2, [])
    new = companies.SimplePublicObjectBatchInputUpsert(
        id="k", id_property="our_key", properties={"nope": "1"}, object_write_trace_id="c"
    )
    upserted = batch.upsert(companies.BatchInputSimplePublicObjectBatchInputUpsert(inputs=[new]))
    assert upserted.errors[0].context == {"objectWriteTraceId": ["c"]}


def test_tasks_as_objects_of_any_kind(client: Any, portal: Portal, acme: str, ann: str) -> None:
    to = [
        {"to": {"id": record}, "types": [{"associationCategory": PLAIN, "associationTypeId": number}]}
        for record, number in ((acme, 192), (ann, 204))
    ]
    api = client.crm.objects
    inputs = [
        objects.SimplePublicObjectBatchInputForCreate(properties={"hs_timestamp": "0"}, associations=to),
    ]
    made = api.batch_api.create(
        "tasks", objects.BatchInputSimplePublicObjectBatchInputForCreate(inputs=inputs)
    ).results[0]
    read = api.tasks.basic_api.get_by_id(made.id, associations=["companies", "contacts"])
    assert set(read.associations) == {"companies", "contacts"}
    portal.pass_time(10)
    found = api.search_api.do_search("tasks", objects.PublicObjectSearchRequest(limit=1, properties=["hs_task_status"]))
    assert (found.total, found.results[0].properties["hs_task_status"]) == (1, "NOT_STARTED")


def test_associations_in_batches_and_their_labels(client: Any, acme: str, ann: str) -> None:
    batch = client.crm.associations.v4.batch_api
    types = [{"associationCategory": PLAIN, "associationTypeId": number} for number in (279, 1)]
    pair = associations.v4.PublicAssociationMultiPost(types=types, _from={"id": ann}, to={"id": acme})
    made = batch.create("contacts", "companies", associations.v4.BatchInputPublicAssociationMultiPost(inputs=[pair]))
    assert made.results[0].labels == ["Primary"]
    wanted = associations.v4.BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": ann}, {"id": "404"}])
    read = batch.get_page("contacts", "companies", wanted)
    assert [one.type_id for one in read.results[0].to[0].association_types] == [1, 279]
    assert read.num_errors == 1
    labels = associations.v4.BatchInputPublicAssociationMultiPost(
        inputs=[associations.v4.PublicAssociationMultiPost(types=types[1:], _from={"id": ann}, to={"id": acme})]
    )
    batch.archive_labels("contacts", "companies", labels)
    basic = client.crm.associations.v4.basic_api
    page = basic.get_page("contacts", ann, "companies", limit=10)
    assert [one.type_id for one in page.results[0].association_types] == [279]
    basic.archive("contacts", ann, "companies", acme)
    assert basic.get_page("contacts", ann, "companies").results == []
    known = client.crm.associations.v4.schema.definitions_api.get_all("contacts", "companies").results
    assert {(one.type_id, one.category) for one in known} == {(279, PLAIN), (1, PLAIN)}


def test_property_definitions_and_groups(client: Any) -> None:
    api, groups = client.crm.properties, client.crm.properties.groups_api
    made = groups.create("tasks", properties.PropertyGroupCreate(name="plg", label="Product", display_order=-1))
    assert made.archived is False
    assert groups.update("tasks", "plg", properties.PropertyGroupUpdate(label="Growth")).label == "Growth"
    new = [
        properties.PropertyCreate(name=name, label=name, type="string", field_type="text", group_name="plg")
        for name in ("one", "two")
    ]
    created = api.batch_api.create("tasks", properties.BatchInputPropertyCreate(inputs=new))
    assert sorted(one.name for one in created.results) == ["one", "two"]
    wanted = properties.BatchReadInputPropertyName(inputs=[{"name": "one"}, {"name": "none"}], archived=False)
    assert [one.name for one in api.batch_api.read("tasks", wanted).results] == ["one"]
    changed = api.core_api.update("tasks", "one", properties.PropertyUpdate(label="First"))
    assert (changed.label, changed.modification_metadata.archivable) == ("First", True)
    api.batch_api.archive("tasks", properties.BatchInputPropertyName(inputs=[{"name": "one"}, {"name": "two"}]))
    groups.archive("tasks", "plg")
    assert "plg" not in {one.name for one in groups.get_all("tasks").results}
    for kind in ("companies", "contacts", "deals", "tasks"):
        assert all(one.created_at for one in api.core_api.get_all(kind).results)


def test_owners_pipelines_and_custom_objects(client: Any, portal: Portal) -> None:
    owner = portal.control("mutate", {"action": "add_owner", "email": "ann@example.com", "firstName": "Ann"})
    api = client.crm.owners.owners_api
    assert api.get_by_id(int(owner["id"])).user_id == owner["userId"]
    assert [one.id for one in api.get_page(email="ANN@example.com", limit=1).results] == [owner["id"]]
    portal.control("mutate", {"action": "deactivate_owner", "id": owner["id"]})
    assert api.get_page(archived=True).results[0].archived is True
    (pipeline,) = client.crm.pipelines.pipelines_api.get_all("deals").results
    stages = client.crm.pipelines.pipeline_stages_api.get_all("deals", pipeline.id).results
    assert {stage.id for stage in stages if stage.metadata["isClosed"] == "true"} == {"closedwon", "closedlost"}
    portal.control("seed", {"objects": [{"name": "cars", "singular": "car", "typeId": "2-17"}]})
    assert [one.object_type_id for one in client.crm.schemas.core_api.get_all().results] == ["2-17"]


def test_what_oauth_tokens_stand_for(portal: Portal) -> None:
    app = {"client_id": "id", "client_secret": "secret", "refresh_token": "refresh"}
    portal.control("config", {"oauth": app})
    client = HubSpot(host=portal.url)
    given = client.oauth.tokens_api.create(grant_type="refresh_token", **app)
    assert client.oauth.access_tokens_api.get(given.access_token).hub_id == 44237313
    assert client.oauth.refresh_tokens_api.get("refresh").client_id == "id"
    with pytest.raises(ApiException) as rejected:
        client.oauth.tokens_api.create(grant_type="refresh_token", **{**app, "refresh_token": "old"})
    assert rejected.value.status == 400
