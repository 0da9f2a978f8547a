"""Generates the events of one account: everyday use by workdays and weekends, and single events."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from worker.demo.life import LAST_DAY, Life, Member, level

HISTORY_DAYS = 365
# Each member has weekdays of its own, such as Mondays and Thursdays: probability of use on these and on other days.
_OWN_DAY, _OTHER_WORKDAY, _WEEKEND = 0.88, 0.08, 0.02
_LATE = 0.01

# The share of each event is the number of its entries.
_EVERYDAY = (
    *["Report Viewed"] * 9,
    *["Dashboard Shared"] * 3,
    *["Comment Added"] * 4,
    *["Export Created"] * 3,
    *["Filter Saved"] * 2,
)
# More events after the first report, and after the last milestone.
_MAKING = ("Report Created",) * 4
_FEEDING = ("Data Imported",) * 2

Event = tuple[str, str, int, int, int]
"""(user id, name, day, second of the day, seconds until it arrives)."""


def events(life: Life, chance: Random, weekday_of_day_0: int) -> Iterator[Event]:
    """All events of the account within the year before as_of and the days after it, in no particular order."""
    first = max(life.created, -HISTORY_DAYS)
    last = LAST_DAY if life.deleted is None else life.deleted
    busy = {day: level(life.curve, day) for day in range(first, last + 1)}
    for member in life.members:
        end = last if member.left is None else min(last, member.left)
        likely = _week(member, chance)
        for day in range(max(first, member.joined), end + 1):
            if chance.random() < likely[(weekday_of_day_0 + day) % 7] * busy[day]:
                yield from _workday(life, member, chance, day)
    yield from _once(life, chance, first)


def _week(member: Member, chance: Random) -> list[float]:
    """The probability that the member uses the product on each weekday, Monday first."""
    own = chance.sample(range(5), min(5, round(member.rate * 5)))
    return [_OWN_DAY if day in own else _OTHER_WORKDAY if day < 5 else _WEEKEND for day in range(7)]


def _workday(life: Life, member: Member, chance: Random, day: int) -> Iterator[Event]:
    second = (32_000 if day == member.joined else 25_200) + int(chance.random() * 21_600)
    yield member.user_id, "Signed In", day, second, 0
    can_do = _EVERYDAY
    if life.milestones.get("Report Created", day) < day:
        can_do = (*can_do, *_MAKING)
    if len(life.milestones) == 4 and max(life.milestones.values()) < day:
        can_do = (*can_do, *_FEEDING)
    for _ in range(int(member.busy * (0.5 + chance.random()))):
        second += 60 + int(chance.random() * 3_000)
        name = can_do[int(chance.random() * len(can_do))]
        late = 3_600 * chance.randint(2, 40) if chance.random() < _LATE else 0
        yield member.user_id, name, day, min(second, 86_399), late


def _once(life: Life, chance: Random, first: int) -> Iterator[Event]:
    founder = life.members[0]
    if life.created >= first:
        yield founder.user_id, "Signed Up", life.created, 28_000, 0
        yield founder.user_id, "Signed In", life.created, 28_030, 0
    for name, day in life.milestones.items():
        yield founder.user_id, name, day, 36_000 + int(chance.random() * 20_000), 0
    for happening in life.happenings:
        if happening.day >= first:
            someone = life.members[happening.member % len(life.members)]
            if someone.joined >= happening.day:
                someone = founder
            second = 30_000 + int(chance.random() * 24_000)
            yield someone.user_id, happening.event, happening.day, second, 0
