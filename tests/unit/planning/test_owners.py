"""The people of the CRMs."""

from __future__ import annotations

from collections import Counter
from zoneinfo import ZoneInfo

from connectors.base import Owner
from worker.planning.owners import People, zone_of_person


def crm(zone: str, email: str = "Ann@example.com", *, active: bool = True) -> People:
    return People([Owner("1", email, "Ann", active, zone)], {}, Counter())


def test_the_zone_of_a_person_is_that_of_the_first_crm_which_tells_one() -> None:
    crms = [crm("Asia/Tokyo", "bob@example.com"), crm(""), crm("Nowhere/Else"), crm("Asia/Tokyo", active=False)]
    assert zone_of_person(crms, "ann@example.com") is None
    found = zone_of_person([*crms, crm("Europe/Berlin"), crm("Asia/Tokyo")], "ann@example.com")
    assert found == ZoneInfo("Europe/Berlin")
