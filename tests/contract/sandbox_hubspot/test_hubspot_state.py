"""A portal with a state file goes on after a kill as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.contract.sandbox_hubspot.client import KEY, Portal

ROOT = Path(__file__).parents[3]
APP = {"client_id": "id", "client_secret": "secret", "refresh_token": "refresh"}
CARS = {"name": "cars", "singular": "car", "typeId": "2-17", "shown": ["make"]}
SEED = {
    "owners": [{"_ref": "ann", "id": "501", "email": "ann@example.com"}],
    "objects": [CARS],
    "properties": {"companies": [KEY]},
    "records": {
        "companies": [{"properties": {"name": name, "our_key": name}} for name in "abcd"],
        "contacts": [{"properties": {"email": "ann@example.com"}, "company": 0}],
    },
}


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


@pytest.fixture
def killed(tmp_path: Path, state_file: Path) -> Callable[[], AbstractContextManager[Portal]]:
    """Serves one portal with a state file, and kills it at the end of each block."""
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({"hubspot": SEED}))

    @contextmanager
    def serve() -> Iterator[Portal]:
        command = [sys.executable, "-m", "connectors.sandbox", "--only", "hubspot"]
        command += ["--seed", str(seed), "--state", str(state_file)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            where = json.loads(process.stdout.readline())["hubspot"]
            portal = Portal(where["url"])
            portal.http.headers["Authorization"] = f"Bearer {where['token']}"
            yield portal
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()

    return serve


def held(portal: Portal) -> dict[str, Any]:
    state = portal.get("/__sim/state").json()
    associations = sorted(state["associations"], key=json.dumps)
    return {**{name: state[name] for name in ("objects", "owners", "properties")}, "associations": associations}


def ids(portal: Portal) -> dict[str, str]:
    return {record["properties"]["name"]: record["id"] for record in portal.stored().values()}


def test_every_answered_write_is_there_after_a_kill(
    killed: Callable[[], AbstractContextManager[Portal]],
) -> None:
    with killed() as first:
        a, b, c, d = ids(first).values()
        first.batch("update", [{"id": one, "properties": {"city": "Oslo"}} for one in (a, b)])
        first.batch("upsert", [{"id": "new", "idProperty": "our_key", "properties": {"name": "new"}}])
        first.call("DELETE", f"/crm/v3/objects/companies/{d}")
        first.control("mutate", {"action": "merge", "type": "companies", "survivor": a, "loser": b})
        first.control("mutate", {"action": "delete", "type": "companies", "id": c})
        contact = next(iter(first.stored("contacts")))
        first.control("mutate", {"action": "add_address", "id": contact, "email": "ash@example.com"})
        first.call("DELETE", f"/crm/v4/objects/contacts/{contact}/associations/companies/{a}")
        task = first.create("tasks", hs_timestamp="0")
        first.call("PUT", f"/crm/v4/objects/tasks/{task}/associations/default/contacts/{contact}")
        first.post("/crm/v3/properties/cars/groups", {"name": "plg", "label": "P"})
        first.define("cars", name="make", groupName="plg", hasUniqueValue=False)
        first.create("cars", make="Volvo")
        first.control("mutate", {"action": "deactivate_owner", "id": "501"})
        first.control("config", {"oauth": APP, "plan_max": 77})
        form = {**APP, "grant_type": "refresh_token"}
        token = requests.post(f"{first.url}/oauth/v1/token", data=form, timeout=10).json()["access_token"]
        history = first.get(f"/crm/v3/objects/companies/{a}", propertiesWithHistory="city").json()
        before, left = held(first), left_today(first)
    with killed() as again:
        assert held(again) == before
        assert left_today(again) == left - 1
        assert again.get(f"/crm/v3/objects/companies/{a}", propertiesWithHistory="city").json() == history
        assert again.get(f"/crm/v3/objects/companies/{b}").json()["id"] == a
        assert again.get("/crm/v3/objects/contacts/ash@example.com", idProperty="email").json()["id"] == contact
        assert again.get("/crm/v3/properties/cars/groups/plg").status_code == 200
        assert again.control("config", {})["plan_max"] == 77
        headers = {"Authorization": f"Bearer {token}"}
        assert requests.get(f"{again.url}/crm/v3/owners", headers=headers, timeout=10).status_code == 200
        assert int(again.create(name="later")) > max(map(int, ids(again).values())) - 1
        assert again.post("/crm/v3/objects/companies", {"properties": {"name": "x", "our_key": "a"}}).status_code == 400
        after = held(again)
    with killed() as third:
        assert held(third) == after


def left_today(portal: Portal) -> int:
    return int(portal.get("/crm/v3/objects/deals").headers["X-HubSpot-RateLimit-Daily-Remaining"])


def test_what_was_applied_without_an_answer_is_kept_too(killed: Callable[[], AbstractContextManager[Portal]]) -> None:
    inputs = [{"properties": {"name": name}, "objectWriteTraceId": name} for name in ("x", "y")]
    with killed() as first:
        for fault in ({"kind": "drop_after"}, {"kind": "partial_apply", "args": {"n": 1, "drop": True}}):
            first.control("faults", fault)
            with pytest.raises(requests.ConnectionError):
                first.batch("create", inputs)
    with killed() as again:
        assert sorted(record["properties"]["name"] for record in again.stored().values()) == list("abcdxxy")


def test_a_reset_leads_back_to_the_last_start_and_reading_writes_nothing(
    killed: Callable[[], AbstractContextManager[Portal]], state_file: Path
) -> None:
    with killed() as first:
        first.create(name="kept")
    with killed() as again:
        before = held(again)
        again.create(name="gone")
        again.control("reset", {})
        assert held(again) == before
        written = rows(state_file)
        again.get("/__sim/state")
        assert rows(state_file) == written
    with killed() as third:
        assert held(third) == before


def rows(file: Path) -> list[tuple[str, str, bytes]]:
    with sqlite3.connect(file) as db:
        return sorted(db.execute("select part, key, value from state where crm = 'hubspot'"))
