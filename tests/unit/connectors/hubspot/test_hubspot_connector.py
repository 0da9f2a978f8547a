"""The whole connector: what was answered is kept, what is missing is named, what is refused stops."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.base import AccessDenied, Journal, QuotaExhausted, UpdateFields
from connectors.hubspot.connector import HubSpotConnector
from connectors.hubspot.transport import HttpResponse
from tests.unit.connectors.hubspot.scripted import Sent, Wire, answer, destination, done

KEY = {"type": "string", "fieldType": "text", "hasUniqueValue": True}
PROPERTIES = {
    "companies": [{"name": "plgsync_account_id", **KEY}, {"name": "score", "type": "number"}],
    "tasks": [{"name": "plgsync_key", **KEY}],
}


def connected(reply: Any, journal: Journal | None = None) -> tuple[HubSpotConnector, Wire]:
    wire = Wire([reply])
    return HubSpotConnector(destination(), wire, journal), wire


def healthy(sent: Sent) -> HttpResponse:
    if "/properties/" in sent.path:
        return answer(200, {"results": PROPERTIES[sent.path.rsplit("/", 1)[1]]})
    if sent.path.endswith("details"):
        return answer(200, {"portalId": 7, "timeZone": "US/Eastern", "uiDomain": "app-eu1.hubspot.com"})
    if sent.path.endswith("batch/update"):
        return done(*({"id": one["id"], "properties": {}} for one in sent.body["inputs"]))
    return answer(200, {"results": []})


def updates(count: int) -> list[UpdateFields]:
    return [UpdateFields(f"k{n}", "account", str(n), {"score": n}) for n in range(count)]


def test_a_quota_that_ends_in_mid_write_keeps_what_was_answered() -> None:
    def reply(sent: Sent) -> HttpResponse:
        return healthy(sent) if len(wire.sent) < 2 else answer(429, {"policyName": "DAILY"})

    hubspot, wire = connected(reply)
    outcomes = hubspot.write(updates(250))
    assert [outcome.status for outcome in outcomes] == ["applied"] * 100 + ["retry"] * 150
    assert len(wire.sent) == 2


def test_a_quota_that_is_gone_before_anything_was_answered_is_raised() -> None:
    hubspot, _ = connected(answer(429, {"policyName": "DAILY"}))
    with pytest.raises(QuotaExhausted):
        hubspot.write(updates(250))


def test_a_property_that_is_gone_makes_the_connector_look_again() -> None:
    def reply(sent: Sent) -> HttpResponse:
        if not sent.path.endswith("batch/update"):
            return healthy(sent)
        detail = '[{"error":"PROPERTY_DOESNT_EXIST","name":"score","message":"Property \\"score\\" does not exist"}]'
        context = {"objectWriteTraceId": ["0"]}
        return done(errors=[{"message": f"Property values were not valid: {detail}", "context": context}])

    hubspot, wire = connected(reply)
    hubspot.describe("account")
    assert hubspot.write(updates(1))[0].code == "PROPERTY_DOESNT_EXIST"
    hubspot.describe("account")
    assert [sent.path for sent in wire.sent].count("/crm/properties/2026-03/companies") == 2


def test_what_we_may_not_read_is_named_and_the_rest_is_checked() -> None:
    def reply(sent: Sent) -> HttpResponse:
        scopes = {"errors": [{"context": {"requiredGranularScopes": ["crm.objects.deals.read"]}}]}
        return answer(403, scopes) if sent.path.endswith("/deals") else healthy(sent)

    health = connected(reply)[0].check()
    assert len(health.problems) == 1
    assert "crm.objects.deals.read" in health.problems[0]
    assert health.identity == "HubSpot portal 7"


def test_a_token_refused_in_mid_check_is_not_a_list_of_problems() -> None:
    def reply(sent: Sent) -> HttpResponse:
        return healthy(sent) if len(wire.sent) < 3 else answer(401)

    wire: Wire
    hubspot, wire = connected(reply)
    with pytest.raises(AccessDenied):
        hubspot.check()
    assert len(wire.sent) == 3


def test_a_record_opens_in_the_portals_own_data_centre() -> None:
    hubspot, wire = connected(healthy)
    assert hubspot.record_url("42") == "https://app-eu1.hubspot.com/contacts/7/record/0-2/42"
    hubspot.record_url("43")
    assert len(wire.sent) == 1


class Notes(dict[str, str]):
    """A journal in memory."""

    def read(self, name: str) -> str | None:
        return self.get(name)

    def write(self, name: str, text: str) -> None:
        self[name] = text

    def erase(self, name: str) -> None:
        self.pop(name, None)


def test_once_the_portal_was_read_a_link_needs_no_call_in_any_later_process() -> None:
    notes = Notes()
    first, _ = connected(healthy, journal=notes)
    first.check()
    later, wire = connected(lambda _sent: answer(503), journal=notes)
    assert later.record_url("42") == "https://app-eu1.hubspot.com/contacts/7/record/0-2/42"
    assert wire.sent == []
