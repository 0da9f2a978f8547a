"""The kinds of accounts that a product-led company has: each function fills the life of one account."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from worker.demo.habits import (
    FREE_SEATS,
    IMPORTED,
    INVITED,
    TRIAL_DAYS,
    TRIAL_SEATS,
    answer,
    ask_for_help,
    gather,
    hit_the_limit,
    look_at_prices,
    paid,
    reach,
    trial,
)
from worker.demo.life import LAST_DAY, Curve, Happening, Life, Term

Persona = Callable[[Life, Random], None]


# ---------------------------------------------------------------------------- the first weeks


def activating(life: Life, chance: Random) -> None:
    """A successful trial: milestones in time, colleagues join."""
    gather(life, chance, chance.randint(3, 7), until=min(LAST_DAY, life.created + 20), rate=0.6)
    reach(life, chance, 4)
    life.curve = ((life.created, 0.7), (life.created + 14, 1.1))
    then = chance.choices(("free", "pro", "trial"), (5, 4, 3))[0]
    if then == "trial":
        trial(life, "free", days=30)
    else:
        trial(life, then, FREE_SEATS if then == "free" else chance.choice((8, 10, 12)))
    if then == "free":
        for member in life.members[FREE_SEATS:]:
            member.left = life.created + TRIAL_DAYS
    if life.created < -6 and chance.random() < 0.45:
        look_at_prices(life, chance, chance.randint(1, 3))


def stalling(life: Life, chance: Random) -> None:
    """A trial that stalled after a good start: members still use it, no milestone follows."""
    gather(life, chance, chance.randint(1, 4), until=life.created + 8, rate=0.5)
    reach(life, chance, chance.choice((0, 1, 1, 2, 2)))
    life.curve = ((life.created, 0.9), (life.created + 7, 0.45))
    trial(life, "free", days=chance.choice((14, 14, 30)))
    ask_for_help(life, chance, chance.randint(0, 2), urgent=0.3)


def stuck_now(life: Life, chance: Random) -> None:
    """Invited and imported in time, used every day, about to miss the third milestone."""
    gather(life, chance, chance.randint(2, 4), until=life.created + 8, rate=0.7)
    reach(life, chance, 2, by=(2, 5, 9, 12))
    life.curve = ((life.created, 0.9),)
    trial(life, "free", days=30)


def vanishing(life: Life, chance: Random) -> None:
    """Signed up and stopped within days."""
    gather(life, chance, chance.randint(1, 2), until=life.created + 2, rate=0.5)
    reach(life, chance, chance.choice((0, 0, 1)), by=(1, 2, 3, 4))
    life.curve = ((life.created, 0.9), (life.created + 3, 0.0))
    trial(life, "free")


def slow(life: Life, chance: Random) -> None:
    """Late: the last milestone is days old and the next one is overdue."""
    gather(life, chance, chance.randint(2, 4), until=life.created + 10, rate=0.5)
    life.milestones[INVITED] = life.created + chance.randint(2, 5)
    life.milestones[IMPORTED] = min(-1, max(life.created + 6, -chance.randint(1, 5)))
    life.curve = ((life.created, 0.6),)
    trial(life, "free", days=30)


def fresh(life: Life, chance: Random) -> None:
    """Signed up this week."""
    gather(life, chance, chance.randint(1, 3), until=LAST_DAY, rate=0.7)
    reach(life, chance, chance.choice((1, 2, 3)), by=(1, 2, 3, 9))
    life.curve = ((life.created, 0.9),)
    trial(life, "free")


# ---------------------------------------------------------------------------- free


def hobby(life: Life, chance: Random) -> None:
    """Free, one to three members, light use every week."""
    gather(life, chance, chance.randint(1, 3), until=life.created + 40, rate=0.35)
    reach(life, chance, 4)
    life.curve = ((life.created, 0.7), (-20, chance.uniform(0.5, 0.8)))
    trial(life, "free")


def ripening(life: Life, chance: Random) -> None:
    """Free, fits the ideal customer, uses every seat, opens the pricing page often."""
    gather(life, chance, chance.choice((4, 5, 5)), until=min(-20, life.created + 60), rate=0.75)
    reach(life, chance, 4)
    life.curve = ((life.created, 0.6), (-40, 0.8), (-5, 1.3))
    life.employees = life.employees and chance.choice((60, 90, 120, 180, 240, 420))
    trial(life, "free")
    look_at_prices(life, chance, chance.randint(2, 4))
    hit_the_limit(life, chance, 2, chance.randint(1, 3), within=7)


def asking(life: Life, chance: Random) -> None:
    """Asked to talk to sales this week, perhaps later on day 0."""
    gather(life, chance, chance.randint(2, 5), until=-10, rate=0.6)
    reach(life, chance, 4)
    life.curve = ((life.created, 0.6), (0, 1.0))
    trial(life, "free")
    look_at_prices(life, chance, chance.randint(1, 3))
    life.happenings.append(Happening(-chance.randint(0, 5), "Contact Sales Clicked"))


def quiet(life: Life, chance: Random) -> None:
    """Free, without use for months."""
    gather(life, chance, chance.randint(1, 2), until=life.created + 10, rate=0.4)
    reach(life, chance, chance.choice((1, 2, 2)), by=(2, 4, 8, 12))
    life.curve = ((life.created, 0.6), (life.created + 30, 0.1), (life.created + 40, 0.0))
    trial(life, "free")


# ---------------------------------------------------------------------------- paying


def _customer(life: Life, chance: Random, people: int, seats: int, roles: int = 1, rate: float = 0.42) -> None:
    plan = "enterprise" if seats >= 20 else "pro"
    gather(life, chance, people, until=max(life.created + 30, -30), rate=rate, roles=roles)
    reach(life, chance, 4)
    trial(life, plan, seats)
    ask_for_help(life, chance, chance.randint(0, 4))


def steady(life: Life, chance: Random) -> None:
    """Paying, with steady use."""
    people = chance.randint(5, 14)
    _customer(life, chance, people, round(people / chance.uniform(0.55, 0.8)))
    life.curve = ((life.created, 0.6), (life.created + 60, chance.uniform(0.9, 1.1)))
    answer(life, chance, 8.4)


def growing(life: Life, chance: Random) -> None:
    """Grows towards its seat limit: new members every month, who now reach the limit."""
    seats = chance.choice((8, 10, 12, 15, 20))
    people = seats - chance.randint(0, max(1, seats // 10))
    _customer(life, chance, people, seats)
    for member in life.members[seats // 2 :]:
        member.joined = max(life.created, -chance.randint(3, 120))
    life.curve = ((life.created, 0.6), (-90, 0.9), (0, 1.25))
    answer(life, chance, 9.0)
    if chance.random() < 0.6:
        hit_the_limit(life, chance, chance.choice((1, 2, 3)), chance.randint(1, 4))


def outgrowing(life: Life, chance: Random) -> None:
    """Had spare seats until this week, when new members take the last ones."""
    seats = chance.choice((10, 12, 14))
    _customer(life, chance, seats - 1, seats)
    newcomers = seats // 4
    arrival = chance.randint(-7, 1)
    for member in life.members[:-newcomers]:
        member.joined = min(member.joined, -90)
    for member in life.members[-newcomers:]:
        member.joined = arrival
    life.curve = ((life.created, 0.8), (0, 1.1))
    answer(life, chance, 8.8)


def new_team(life: Life, chance: Random) -> None:
    """A second and a third department start to use the product."""
    people = chance.randint(8, 14)
    _customer(life, chance, people, round(people / 0.65), roles=3)
    for member in life.members[people // 2 :]:
        member.joined = max(life.created, -chance.randint(10, 40))
    life.curve = ((life.created, 0.7), (0, 1.1))
    answer(life, chance, 8.6)


def fading(life: Life, chance: Random) -> None:
    """Declining use: the champion left and the others follow."""
    people = chance.randint(5, 12)
    _customer(life, chance, people, round(people / chance.uniform(0.6, 0.9)))
    turn = -chance.randint(40, 75)
    life.curve = ((life.created, 0.9), (turn, 1.0), (turn + 35, chance.uniform(0.0, 0.2)))
    for member in life.members[: people * 2 // 3]:
        member.left = min(LAST_DAY, turn + chance.randint(10, 60))
    answer(life, chance, 5.5)
    if chance.random() < 0.4:
        life.tickets.append((-chance.randint(1, 9), None, "urgent"))


def solo(life: Life, chance: Random) -> None:
    """Steady use, nearly all of it by one member."""
    people = chance.randint(5, 8)
    _customer(life, chance, people, people + 1, rate=0.08)
    life.members[0].rate, life.members[0].busy = 0.9, 6.0
    life.curve = ((life.created, 1.0),)
    answer(life, chance, 8.0)


def late_payer(life: Life, chance: Random) -> None:
    """Steady use with an unpaid invoice."""
    steady(life, chance)
    life.late_invoice = -chance.choice((13, 14, 15, 16, 17, 25, 40))


def comeback(life: Life, chance: Random) -> None:
    """Nearly without use for months, then active again."""
    people = chance.randint(5, 10)
    _customer(life, chance, people, round(people / 0.75))
    away = -chance.randint(110, 160)
    back = -chance.randint(30, 60)
    life.curve = ((away, 1.0), (away + 15, 0.05), (back, 0.1), (back + 25, 1.1))
    answer(life, chance, 7.5)


def churned(life: Life, chance: Random) -> None:
    """Declined and cancelled."""
    people = chance.randint(3, 8)
    cancelled = -chance.randint(5, 150)
    gather(life, chance, people, until=life.created + 60)
    reach(life, chance, 4)
    trial_end = life.created + TRIAL_DAYS
    life.terms.append(Term("trial", life.created, trial_end, TRIAL_SEATS))
    paid(life, "pro", people + 2, trial_end, cancelled=cancelled)
    fade: Curve = ((cancelled - 90, 0.9), (cancelled - 20, 0.15), (cancelled, 0.05), (cancelled + 1, 0.0))
    life.curve = fade
    answer(life, chance, 4.0)


def renewing(life: Life, chance: Random) -> None:
    """A steady account whose contract ends within three months."""
    steady(life, chance)


def handshake(life: Life, chance: Random) -> None:
    """An old contract without seats, so that too little is known for a health score."""
    steady(life, chance)
    life.start_known = chance.random() < 0.4
    life.seats_agreed = False
    life.answers.clear()


def internal(life: Life, chance: Random) -> None:
    """The company's own test account."""
    life.internal = True
    steady(life, chance)


# (persona, accounts of 300, youngest and oldest age in days)
MIX: tuple[tuple[Persona, int, int, int], ...] = (
    (activating, 36, 3, 50),
    (stalling, 16, 19, 55),
    (stuck_now, 8, 16, 21),
    (vanishing, 12, 20, 60),
    (slow, 14, 9, 26),
    (fresh, 14, 0, 5),
    (hobby, 28, 70, 640),
    (ripening, 22, 80, 400),
    (asking, 5, 40, 300),
    (quiet, 18, 90, 600),
    (steady, 36, 90, 900),
    (growing, 18, 150, 700),
    (outgrowing, 10, 200, 700),
    (new_team, 6, 150, 600),
    (fading, 29, 200, 800),
    (solo, 5, 120, 500),
    (late_payer, 9, 120, 800),
    (comeback, 8, 250, 800),
    (churned, 10, 200, 700),
    (renewing, 10, 290, 362),
    (handshake, 7, 150, 600),
    (internal, 2, 200, 400),
)
