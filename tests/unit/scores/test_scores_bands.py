"""Bands change when something changed, not when a number trembles."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from tests.unit.scores.scores_kit import day
from worker.scores.bands import next_band, plain_band
from worker.scores.memory import BandMemory
from worker.settings.scores_health import BandSettings

SETTINGS = BandSettings()


def walk(scores: list[float], band: BandMemory | None = None, using: BandSettings = SETTINGS) -> list[str | None]:
    memory = band or BandMemory()
    bands: list[str | None] = []
    for on, score in enumerate(scores):
        memory = next_band(using, memory, score, day(on))
        bands.append(memory.band)
    return bands


@pytest.mark.parametrize(
    ("score", "band"), [(0, "red"), (39, "red"), (40, "yellow"), (69, "yellow"), (70, "green"), (100, "green")]
)
def test_first_band_is_the_plain_threshold(score: float, band: str) -> None:
    assert walk([score]) == [band]


def test_worse_band_must_last_two_runs() -> None:
    assert walk([50, 39, 41, 39, 38]) == ["yellow", "yellow", "yellow", "yellow", "red"]


def test_two_runs_of_one_day_count_once() -> None:
    first = next_band(SETTINGS, BandMemory("yellow"), 30, day(1))
    again = next_band(SETTINGS, first, 30, day(1.001), new_day=False)
    assert (again.band, next_band(SETTINGS, again, 30, day(2)).band) == ("yellow", "red")


def test_better_band_needs_the_gap_and_two_runs() -> None:
    assert walk([30, 45, 49, 49, 50, 49, 50, 50]) == ["red"] * 7 + ["yellow"]


def test_fall_through_two_bands_takes_the_band_every_run_asked_for() -> None:
    assert walk([80, 60, 20, 20, 20]) == ["green", "green", "yellow", "yellow", "red"]
    assert walk([80, 20, 20]) == ["green", "green", "red"]


def test_turning_round_starts_a_new_streak() -> None:
    assert walk([50, 39, 85, 85]) == ["yellow", "yellow", "yellow", "green"]


def test_hold_counts_its_runs() -> None:
    patient = BandSettings.model_validate({"hold": "3 runs"})
    assert walk([50, 30, 30, 30], using=patient) == ["yellow", "yellow", "yellow", "red"]


def test_hold_can_be_a_time() -> None:
    timed = BandSettings.model_validate({"hold": "3d"})
    assert walk([50, 30, 30, 30, 30], using=timed) == ["yellow"] * 4 + ["red"]


def test_noise_around_a_threshold_rarely_rings_the_bell() -> None:
    chance = random.Random(11)
    raw_entries = held_entries = 0
    for _ in range(20):
        noise = [chance.gauss(42, 6) for _ in range(365)]
        smooth = [sum(noise[max(0, i - 6) : i + 1]) / len(noise[max(0, i - 6) : i + 1]) for i in range(365)]
        raw_entries += entries([plain_band(SETTINGS, score) for score in noise])
        held_entries += entries(walk(smooth))
    assert raw_entries / 20 > 50
    assert held_entries / 20 < 3


def entries(bands: list[str | None]) -> int:
    return sum(now == "red" != before for before, now in pairwise(bands))
