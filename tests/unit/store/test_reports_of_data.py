"""The newest look at the product's data is the one to show, whether the run took the data or refused it."""

from __future__ import annotations

from sqlalchemy import Engine

from worker.store.state import last_report, save_refused_report, save_volume

EARLY, LATE = "2026-07-01T05:00:00Z", "2026-07-02T05:00:00Z"


def taken(store: Engine, as_of: str, name: str) -> None:
    with store.begin() as connection:
        save_volume(connection, as_of, 1, 1, {"name": name})


def refused(store: Engine, as_of: str, name: str) -> None:
    with store.begin() as connection:
        save_refused_report(connection, as_of, "old", {"name": name})


def shown(store: Engine) -> object:
    with store.begin() as connection:
        return (last_report(connection) or {}).get("name")


def test_the_newest_look_is_shown(store: Engine) -> None:
    assert shown(store) is None
    refused(store, EARLY, "refused first")
    assert shown(store) == "refused first"
    taken(store, EARLY, "taken as the data was right")
    assert shown(store) == "taken as the data was right"
    refused(store, EARLY, "refused again")
    assert shown(store) == "refused again"
    refused(store, LATE, "refused later")
    assert shown(store) == "refused later"


def test_a_run_that_refused_the_data_of_a_later_moment_hides_no_run_after_it(store: Engine) -> None:
    refused(store, "2027-07-01T05:00:00Z", "a moment in the future by mistake")
    taken(store, EARLY, "taken")
    assert shown(store) == "taken"
