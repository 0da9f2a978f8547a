"""One call at a time: which error it raises, how often it is sent, and what is counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.base import AccessDenied, QuotaExhausted, Unavailable
from connectors.hubspot.client import ASK_AGAIN, Client
from connectors.hubspot.transport import NoAnswer, NotSent
from tests.unit.connectors.hubspot.scripted import Clock, answer, client, destination

BURST = {"policyName": "TEN_SECONDLY_ROLLING", "message": "You have reached your ten_secondly_rolling limit."}


@pytest.mark.parametrize(
    ("version", "objects", "associations"),
    [
        ("v3", "/crm/v3/objects", "/crm/v4/associations"),
        ("2026-03", "/crm/objects/2026-03", "/crm/associations/2026-03"),
        ("2026-09", "/crm/objects/2026-09", "/crm/associations/2026-09"),
    ],
)
def test_one_setting_moves_every_path(version: str, objects: str, associations: str) -> None:
    paths = client(answer(), api_version=version)[0].paths
    assert (paths.objects, paths.associations) == (objects, associations)


def test_a_version_hubspot_does_not_have_is_refused_before_any_call() -> None:
    with pytest.raises(ValueError, match="2025-01"):
        Client(destination(api_version="2025-01"))


@pytest.mark.parametrize(
    "auth", [{"method": "magic"}, {"method": "oauth"}, {"method": "token"}, {"method": "token", "token": "clear"}]
)
def test_credentials_that_cannot_work_are_refused_before_any_call(auth: Any) -> None:
    with pytest.raises(ValueError, match="HubSpot auth"):
        Client(destination(auth=auth))


def test_a_refused_token_is_read_again_and_the_call_sent_once_more() -> None:
    tokens = iter(["pat-old", "pat-new"])
    hubspot, wire = client(answer(401), answer(200, {}), auth={"method": "token", "token": lambda: next(tokens)})
    assert hubspot.read("GET", "/x").ok
    assert [sent.token for sent in wire.sent] == ["pat-old", "pat-new"]


def test_the_same_token_again_is_not_sent_a_second_time() -> None:
    hubspot, wire = client(answer(401))
    with pytest.raises(AccessDenied):
        hubspot.write("POST", "/x", {})
    assert len(wire.sent) == 1


def test_a_source_that_only_has_bad_tokens_costs_two_calls() -> None:
    tokens = iter(f"pat-{n}" for n in range(9))
    hubspot, wire = client(answer(401), auth={"method": "token", "token": lambda: next(tokens)})
    with pytest.raises(AccessDenied):
        hubspot.read("GET", "/x")
    assert len(wire.sent) == 2


def test_calls_refused_at_the_same_time_read_the_source_once() -> None:
    tokens = iter(["pat-old", "pat-new", "pat-never"])
    hubspot, _ = client(answer(), auth={"method": "token", "token": lambda: next(tokens)})
    hubspot.read("GET", "/x")
    assert [hubspot._auth.renew("pat-old"), hubspot._auth.renew("pat-old")] == ["pat-new", "pat-new"]


def test_an_empty_token_is_never_sent() -> None:
    hubspot, wire = client(answer(), auth={"method": "token", "token": lambda: " "})
    with pytest.raises(AccessDenied, match="empty"):
        hubspot.read("GET", "/x")
    assert wire.sent == []


def test_a_missing_scope_is_named() -> None:
    body = {"category": "MISSING_SCOPES", "errors": [{"context": {"requiredGranularScopes": ["crm.objects.x.write"]}}]}
    with pytest.raises(AccessDenied, match=r"crm\.objects\.x\.write"):
        client(answer(403, body))[0].read("GET", "/x")


def test_a_used_up_day_ends_at_the_portals_midnight() -> None:
    hubspot, wire = client(answer(429, {"policyName": "DAILY"}))
    hubspot.set_zone("Asia/Kathmandu")
    with pytest.raises(QuotaExhausted) as caught:
        hubspot.write("POST", "/x", {})
    assert hubspot.zone.key == "Asia/Kathmandu"
    until = caught.value.until.astimezone(hubspot.zone)
    assert (until.hour, until.minute) == (0, 0)
    assert caught.value.until > datetime.now(UTC)
    assert len(wire.sent) == 1


@pytest.mark.parametrize("told", ["", "Mars/Olympus_Mons"])
def test_a_used_up_day_is_asked_about_again_within_the_hour_where_its_end_is_not_known(told: Any) -> None:
    hubspot, _ = client(answer(429, {"policyName": "DAILY"}))
    hubspot.set_zone(told)
    with pytest.raises(QuotaExhausted) as caught:
        hubspot.write("POST", "/x", {})
    assert caught.value.until <= datetime.now(UTC) + ASK_AGAIN


@pytest.mark.parametrize(
    ("header", "seconds"), [("", 1.0), ("3", 3.0), ("2500", 2.5), ("junk", 1.0), ("nan", 1.0), ("0", 1.0)]
)
def test_too_fast_waits_as_long_as_hubspot_says_and_goes_on(header: str, seconds: float) -> None:
    clock = Clock()
    slow = answer(429, BURST, **({"Retry_After": header} if header else {}))
    hubspot, wire = client(slow, answer(200, {}), clock=clock)
    assert hubspot.write("POST", "/x", {}).ok
    assert clock.slept == [seconds]
    assert hubspot.usage().calls == hubspot.usage().write_calls == len(wire.sent) == 2


def test_too_fast_for_long_is_unavailable_and_not_waited_for() -> None:
    clock = Clock()
    hubspot, wire = client(answer(429, BURST, Retry_After="55"), clock=clock)
    with pytest.raises(Unavailable) as caught:
        hubspot.read("GET", "/x")
    assert caught.value.retry_after == 55
    assert len(wire.sent) == 1
    assert clock.slept == []


def test_a_page_that_names_itself_as_the_next_one_is_not_read_for_ever() -> None:
    hubspot, wire = client(*[answer(200, {"paging": {"next": {"after": "7"}}})] * 9)
    with pytest.raises(Unavailable, match="repeat a page"):
        list(hubspot.pages("/x", {}))
    assert len(wire.sent) == 2


def test_a_read_bridges_a_blip() -> None:
    hubspot, wire = client(answer(502), NoAnswer("reset"), answer(200, {}))
    assert hubspot.read("POST", "/x", {}).ok
    assert len(wire.sent) == 3


def test_a_read_of_a_crm_that_is_down_gives_up() -> None:
    hubspot, wire = client(answer(503))
    with pytest.raises(Unavailable):
        hubspot.read("GET", "/x")
    assert len(wire.sent) == 4


@pytest.mark.parametrize("lost", [answer(500), answer(502), answer(504), answer(524), NoAnswer("timeout")])
def test_a_write_without_an_answer_is_never_sent_twice(lost: Any) -> None:
    hubspot, wire = client(lost)
    with pytest.raises(NoAnswer):
        hubspot.write("POST", "/x", {})
    assert len(wire.sent) == 1


def test_a_write_that_never_left_is_unavailable() -> None:
    hubspot, wire = client(NotSent("refused"))
    with pytest.raises(Unavailable):
        hubspot.write("POST", "/x", {})
    assert len(wire.sent) == 4


def test_a_portal_being_moved_is_left_alone_for_as_long_as_it_says() -> None:
    with pytest.raises(Unavailable) as caught:
        client(answer(477, None, Retry_After="7200"))[0].read("GET", "/x")
    assert caught.value.retry_after == 7200


def test_a_path_hubspot_does_not_know_points_to_the_settings() -> None:
    with pytest.raises(AccessDenied, match="base_url and api_version"):
        client(answer(404, None))[0].read("GET", "/x")


def test_search_keeps_to_five_a_second_and_association_batches_are_free() -> None:
    clock = Clock()
    hubspot, _ = client(answer(200, {}), clock=clock)
    for _ in range(6):
        hubspot.read("POST", "/crm/objects/2026-03/companies/search", {})
    assert sum(clock.slept) >= 1.0
    clock.slept.clear()
    for _ in range(300):
        hubspot.read("POST", "/crm/associations/2026-03/deals/companies/batch/read", {})
    assert clock.slept == []
