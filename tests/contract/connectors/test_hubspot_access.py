"""Signing in to HubSpot: apps, both families of paths, rotated tokens, and scopes that are missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from connectors.base import AccessDenied, Connector, Secret
from connectors.registry import connect
from tests.contract.connectors.drive import companies, match_key, statuses, task, update, values
from tests.contract.connectors.harness_hubspot import HubSpotCrm, start

APP = {"client_id": "1b2c", "client_secret": "hush-secret", "refresh_token": "na1-refresh"}
EVERYTHING = [
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.deals.read",
    "crm.objects.owners.read",
]
"""What docs/hubspot.md asks for; setup needs the two others as well."""
FOR_SETUP = ["crm.schemas.companies.write", "crm.schemas.contacts.write"]
PAGE = Path(__file__).parents[3] / "docs/hubspot.md"


@pytest.fixture(scope="module")
def running_portal() -> Iterator[HubSpotCrm]:
    portal = start()
    yield portal
    portal.stop()


@pytest.fixture
def portal(running_portal: HubSpotCrm) -> HubSpotCrm:
    return running_portal.set_up()


def as_app(portal: HubSpotCrm, version: str = "2026-03", **secrets: str) -> Connector:
    portal.control("config", {"oauth": APP})
    shown = {name: partial(str, value) for name, value in (APP | secrets).items()}
    auth: dict[str, str | Secret] = {"method": "oauth", **shown, "client_id": (APP | secrets)["client_id"]}
    return connect(replace(portal.destination(), auth=auth, api_version=version))


@pytest.mark.parametrize(
    ("version", "login"),
    [("v3", "/oauth/v1/token"), ("2026-03", "/oauth/2026-03/token"), ("2026-09", "/oauth/2026-09/token")],
)
def test_an_app_signs_in_once_and_does_everything_on_each_family_of_paths(
    portal: HubSpotCrm, version: str, login: str
) -> None:
    records = companies(portal, 3)
    portal.pass_time(60)
    portal.forget_calls()
    hubspot = as_app(portal, version)
    assert statuses(hubspot.write([update(portal, record, score=4) for record in records])) == ["applied"] * 3
    assert statuses(hubspot.write([task(record) for record in records])) == ["applied"] * 3
    assert [one.record_id for one in hubspot.match([match_key(f"a{n}") for n in range(3)], [])] == records
    assert hubspot.people(["nobody@c0.example"])[0].status == "missing"
    assert hubspot.read_back({}, [], {}).cursor
    assert hubspot.check().problems == ()
    assert [call.path for call in portal.calls()].count(login) == 1
    assert values(portal, records, "score") == [4] * 3
    hubspot.close()


@pytest.mark.parametrize(
    ("wrong", "says"), [({"refresh_token": "old"}, "install the app again"), ({"client_secret": "no"}, "Auth page")]
)
def test_a_refused_login_shows_an_admin_what_to_do_and_shows_no_secret(
    portal: HubSpotCrm, wrong: dict[str, str], says: str
) -> None:
    [record] = companies(portal, 1)
    portal.forget_calls()
    with pytest.raises(AccessDenied) as caught:
        as_app(portal, **wrong).write([update(portal, record, score=4)])
    assert says in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("hush", "na1", "old", "1b2c"))
    assert len(portal.calls()) == 1


def test_a_secret_replaced_at_its_source_is_used_at_the_next_login(portal: HubSpotCrm) -> None:
    [record] = companies(portal, 1)
    source = {"refresh_token": "na1-refresh"}
    portal.control("config", {"oauth": APP})
    auth: dict[str, str | Secret] = {
        "method": "oauth",
        "client_id": APP["client_id"],
        "client_secret": lambda: APP["client_secret"],
        "refresh_token": lambda: source["refresh_token"],
    }
    hubspot = connect(replace(portal.destination(), auth=auth))
    assert statuses(hubspot.write([update(portal, record, score=1)])) == ["applied"]
    portal.control("config", {"oauth": APP | {"refresh_token": "na1-newer"}, "expire_tokens": True})
    source["refresh_token"] = "na1-newer"
    assert statuses(hubspot.write([update(portal, record, score=2)])) == ["applied"]
    assert portal.company(record)["score"] == 2


def test_the_scopes_of_the_guide_are_enough_and_setup_needs_two_more(running_portal: HubSpotCrm) -> None:
    portal = running_portal
    portal.reset()
    section = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"crm\.(?:objects|schemas)\.\w+\.\w+", section)) == {*EVERYTHING, *FOR_SETUP}
    portal.control("config", {"scopes": EVERYTHING})
    steps = portal.connect().setup(portal.needs(), dry_run=False)
    assert {step.status for step in steps} == {"todo"}
    assert all("crm.schemas." in step.detail and "Settings > Properties" in step.detail for step in steps)
    portal.control("config", {"scopes": [*EVERYTHING, *FOR_SETUP]})
    assert {step.status for step in portal.connect().setup(portal.needs(), dry_run=False)} == {"created"}
    portal.control("config", {"scopes": EVERYTHING})
    records, ann = companies(portal, 2), portal.human_adds_person("ann@c0.example")
    hubspot = portal.connect()
    assert hubspot.check().problems == ()
    assert [person.person_id for person in hubspot.people(["ann@c0.example"])] == [ann]
    assert statuses(hubspot.write([update(portal, record, score=1) for record in records])) == ["applied"] * 2
    assert statuses(hubspot.write([replace(task(record), person_id=ann) for record in records])) == ["applied"] * 2
    assert hubspot.match([match_key("a0")], [])[0].record_id == records[0]
    assert hubspot.read_back({}, [], {}).cursor
    assert [seen.person_id for seen in portal.tasks()] == [ann, ann]


@pytest.mark.parametrize(
    ("scope", "stopped"),
    [
        ("crm.objects.contacts.write", "tasks"),
        ("crm.objects.companies.write", "fields"),
        ("crm.objects.deals.read", "read_back"),
        ("crm.objects.owners.read", "owners"),
        ("crm.objects.contacts.read", "people"),
    ],
)
def test_a_missing_scope_is_named_and_stops_only_its_own_work(portal: HubSpotCrm, scope: str, stopped: str) -> None:
    records = companies(portal, 2)
    portal.control("config", {"scopes": [one for one in EVERYTHING if one != scope]})
    hubspot = portal.connect()
    work: dict[str, Callable[[], object]] = {
        "fields": lambda: hubspot.write([update(portal, record, score=3) for record in records]),
        "owners": hubspot.owners,
        "match": lambda: hubspot.match([match_key("a0", records[0])], []),
    }
    work |= {"people": lambda: hubspot.people(["ann@c0.example"])} if stopped != "tasks" else {}
    work |= {"tasks": lambda: hubspot.write([task(record) for record in records])} if stopped != "people" else {}
    work |= {"read_back": lambda: hubspot.read_back({}, [], {})}
    with pytest.raises(AccessDenied, match=scope):
        work.pop(stopped)()
    for rest in work.values():
        rest()
    assert stopped == "fields" or values(portal, records, "score") == [3, 3]
    assert stopped in ("tasks", "people") or len(portal.tasks()) == 2
