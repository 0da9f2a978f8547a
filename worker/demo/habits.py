"""The parts of an account's life: members, plans, milestones, survey answers, tickets and single events."""

from __future__ import annotations

from random import Random

from worker.demo.life import LAST_DAY, Happening, Life, Member, Term
from worker.demo.names import person

INVITED = "Invite Sent"
IMPORTED = "Data Imported"
REPORTED = "Report Created"
CONNECTED = "Integration Connected"
_MILESTONES = (INVITED, IMPORTED, REPORTED, CONNECTED)

FREE_SEATS, TRIAL_SEATS, TRIAL_DAYS = 5, 10, 14
_ROLES = ("analyst", "manager", "engineer", "marketer", "finance")


def gather(life: Life, chance: Random, number: int, *, until: int = 0, rate: float = 0.45, roles: int = 1) -> None:
    """Add ``number`` members: the founder first, the others join between the first day and ``until``."""
    span = max(1, until - life.created)
    joins = sorted([life.created] + [life.created + int(span * chance.random() ** 1.5) for _ in range(number - 1)])
    kinds = chance.sample(_ROLES, roles)
    for index, joined in enumerate(joins):
        given, family = person(chance)
        life.members.append(
            Member(
                user_id=f"{life.account_id}-u{index + 1}",
                given=given,
                family=family,
                email=f"{given}.{family}{index + 1 if index else ''}@{life.domain}".lower(),
                role="admin" if index == 0 else kinds[index % roles] if chance.random() < 0.9 else None,
                joined=joined,
                rate=min(0.9, max(0.08, chance.gauss(rate, 0.12))),
                opted_out=chance.random() < 0.04,
            )
        )


def reach(life: Life, chance: Random, reached: int, by: tuple[int, ...] = (2, 5, 9, 12)) -> None:
    """Set the first ``reached`` milestones, each near its day of ``by``."""
    for name, day in list(zip(_MILESTONES, by, strict=True))[:reached]:
        life.milestones[name] = min(LAST_DAY, life.created + max(0, day + chance.randint(-2, 1)))


def trial(life: Life, then: str | None, seats: int = FREE_SEATS, days: int = TRIAL_DAYS) -> None:
    """Add a trial from the first day, and after it the plan ``then`` (None: no plan)."""
    end = life.created + days
    life.terms.append(Term("trial", life.created, end, TRIAL_SEATS))
    if then == "free":
        life.terms.append(Term("free", end, None, seats))
    elif then is not None:
        paid(life, then, seats, end)


def paid(life: Life, plan: str, seats: int, start: int, *, cancelled: int | None = None) -> None:
    """Add annual terms from ``start`` on; the last one ends on the day ``cancelled``."""
    while start <= LAST_DAY:
        end = start + 365
        if cancelled is not None and cancelled < end:
            life.terms.append(Term(plan, start, cancelled, seats, cancelled, "low_usage"))
            return
        life.terms.append(Term(plan, start, end, seats))
        start = end


def answer(life: Life, chance: Random, mean: float, share: float = 0.55) -> None:
    """Add NPS answers of the last 300 days; each member of day 0 answers with half the probability ``share``."""
    for index, member in enumerate(life.members):
        if chance.random() < share / 2 and member.joined <= 0:
            day = chance.randint(max(member.joined, -300), 0)
            life.answers.append((day, index, min(10, max(0, round(chance.gauss(mean, 1.3))))))


def ask_for_help(life: Life, chance: Random, number: int, urgent: float = 0.1) -> None:
    """Add ``number`` tickets, a share ``urgent`` of them urgent, each closed within a week."""
    for _ in range(number):
        opened = chance.randint(max(life.created, -200), LAST_DAY)
        life.tickets.append((opened, opened + chance.randint(0, 6), "urgent" if chance.random() < urgent else "normal"))


def look_at_prices(life: Life, chance: Random, times: int, within: int = 6) -> None:
    """The founder or the second member opens the pricing page ``times`` times in the last ``within`` days."""
    for _ in range(times):
        life.happenings.append(Happening(-chance.randint(0, within), "Pricing Viewed", chance.randrange(2)))


def hit_the_limit(life: Life, chance: Random, people: int, times: int, within: int = 12) -> None:
    """The first ``people`` members reach a limit in turn, ``times`` times in the last ``within`` days."""
    for n in range(times):
        life.happenings.append(Happening(-chance.randint(0, within), "Limit Reached", n % max(1, people)))
