"""Time zones by name, whatever a customer's data holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.language.zones import is_no_zone, zone_named


def test_a_name_gives_its_zone_and_anything_else_none() -> None:
    found = zone_named(" America/New_York ")
    assert found is not None
    assert found.key == "America/New_York"
    for name in ("Europe", "Europe/Berln", "/etc/passwd", "../UTC", "zone.tab", "x" * 500, "\0", 3, True):
        assert (zone_named(name), is_no_zone(name)) == (None, True)
    for unknown in (None, "", "  "):
        assert (zone_named(unknown), is_no_zone(unknown)) == (None, False)
    assert not is_no_zone("UTC")


@given(st.text())
def test_no_text_raises(name: str) -> None:
    zone_named(name)
