"""Setup believes what HubSpot shows afterwards, not the status it answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connectors.base import FieldNeed, SetupStep
from connectors.hubspot.describe import Schema
from connectors.hubspot.setup import setup
from connectors.hubspot.transport import HttpResponse
from tests.unit.connectors.hubspot.scripted import Clock, Sent, answer, client, destination

KEY = FieldNeed(object="account", name="plgsync_account_id", label="Account ID", type="string", unique=True)
BAND = FieldNeed(object="account", name="plgsync_band", label="Band", type="enum", options=("a", "b"))


def described(name: str, type_: str = "string", unique: bool = False, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, "fieldType": "text", "groupName": "g", "hasUniqueValue": unique, **more}


class Portal:
    """Properties by name; ``keeps_unique`` false is a HubSpot that ignores the flag."""

    def __init__(self, *properties: dict[str, Any], keeps_unique: bool = True, slow_reads: int = 0) -> None:
        self.properties = {one["name"]: one for one in properties}
        self.keeps_unique, self.slow_reads = keeps_unique, slow_reads
        self.hubspot, self.wire = client(self.reply)

    def reply(self, sent: Sent) -> HttpResponse:
        last = sent.path.rsplit("/", 1)[1]
        if sent.method == "POST" and last == "groups":
            return answer(201, {})
        if sent.method == "POST":
            made = sent.body | {"hasUniqueValue": sent.body["hasUniqueValue"] and self.keeps_unique}
            self.properties[made["name"]] = made
            return answer(201, made)
        if last == "companies":
            return answer(200, {"results": list(self.properties.values())})
        if self.slow_reads:
            self.slow_reads -= 1
            return answer(404, {"category": "OBJECT_NOT_FOUND"})
        return answer(200, self.properties[last])

    def setup(self, *needs: FieldNeed, dry_run: bool = False) -> list[SetupStep]:
        return setup(self.hubspot, Schema(self.hubspot), destination(), needs, dry_run, Clock().sleep)

    def writes(self) -> list[str]:
        return [sent.path for sent in self.wire.sent if sent.method != "GET"]


def test_a_flag_that_hubspot_ignored_is_seen() -> None:
    [step] = Portal(described("name"), keeps_unique=False).setup(KEY)
    assert step.status == "wrong"
    assert "unique" in step.detail


def test_a_property_that_shows_late_is_waited_for() -> None:
    [step] = Portal(described("name"), slow_reads=3).setup(KEY)
    assert step.status == "created"


def test_a_property_that_never_shows_is_left_to_a_person() -> None:
    [step] = Portal(described("name"), slow_reads=99).setup(KEY)
    assert step.status == "todo"
    assert "plgsync_account_id" in step.detail


def test_what_exists_but_is_not_unique_is_wrong_and_untouched() -> None:
    portal = Portal(described("plgsync_account_id"))
    [step] = portal.setup(KEY)
    assert step.status == "wrong"
    assert portal.writes() == []


def test_missing_options_are_named() -> None:
    options = [{"value": "a", "label": "a"}]
    [step] = Portal(described("plgsync_band", "enumeration", options=options)).setup(BAND)
    assert step.status == "wrong"
    assert "add the options b" in step.detail


def test_a_read_only_property_is_wrong() -> None:
    locked = described("plgsync_account_id", unique=True, modificationMetadata={"readOnlyValue": True})
    [step] = Portal(locked).setup(KEY)
    assert (step.status, "read only" in step.detail) == ("wrong", True)


def test_a_missing_scope_becomes_words_on_what_to_click() -> None:
    scopes = {"errors": [{"context": {"requiredGranularScopes": ["crm.schemas.companies.write"]}}]}

    def reply(sent: Sent) -> HttpResponse:
        return answer(403, scopes) if sent.method == "POST" else answer(200, {"results": [described("name")]})

    hubspot, _ = client(reply)
    [step] = setup(hubspot, Schema(hubspot), destination(), [KEY], dry_run=False)
    assert step.status == "todo"
    assert "crm.schemas.companies.write" in step.detail
    assert "Settings > Properties" in step.detail


def test_a_yes_no_field_has_exactly_the_options_hubspot_wants() -> None:
    portal = Portal(described("name"))
    portal.setup(replace(BAND, name="plgsync_flag", type="bool", options=()))
    assert [option["value"] for option in portal.properties["plgsync_flag"]["options"]] == ["true", "false"]


def test_a_group_is_made_once_for_many_fields() -> None:
    portal = Portal(described("name"))
    portal.setup(KEY, BAND)
    assert len([path for path in portal.writes() if path.endswith("/groups")]) == 1


def test_a_property_somebody_just_made_is_read_not_refused() -> None:
    portal = Portal(described("name"))

    def reply(sent: Sent) -> HttpResponse:
        if sent.method == "POST" and not sent.path.endswith("groups"):
            portal.reply(sent)
            return answer(409, {"category": "OBJECT_ALREADY_EXISTS"})
        return portal.reply(sent)

    hubspot, _ = client(reply)
    [step] = setup(hubspot, Schema(hubspot), destination(), [KEY], dry_run=False)
    assert step.status == "created"
