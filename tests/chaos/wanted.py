"""What the CRMs must hold in the end, written down beside the outbox in the same transaction, and the verdict on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, Text, select

from worker.store.tables import ledger, outbox
from worker.store.upsert import upsert

tables = MetaData()
wanted = Table(
    "chaos_wanted",
    tables,
    Column("destination", Text, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
rounds = Table(
    "chaos_rounds", tables, Column("producer", Text, primary_key=True), Column("round", Integer, nullable=False)
)
"""How far each producer has come, so that one that was killed goes on where it stopped."""


def want(connection: Connection, destination: str, what: str, values: Mapping[str, str]) -> None:
    """The CRM has to hold these in the end; ``what`` is ``field`` (by record id) or ``task`` (by key)."""
    rows = [{"destination": destination, "what": what, "name": name, "value": v} for name, v in values.items()]
    upsert(connection, wanted, rows)


@dataclass(frozen=True, slots=True)
class Held:
    """What one CRM holds: by record id the text of our field, and the subject of every task, one for each."""

    texts: Mapping[str, str | None]
    subjects: Iterable[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was wanted, and what of it is wrong."""

    effects: int
    wrong: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    doubled: dict[str, int] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return self.effects > 0 and not self.wrong and not self.lost and not self.doubled

    def figures(self) -> dict[str, Any]:
        """The counts, for the table of figures."""
        return {
            "effects": self.effects,
            "wrong": len(self.wrong),
            "lost": len(self.lost),
            "doubled": sum(self.doubled.values()),
        }


def judge(engine: Engine, held: Mapping[str, Held], spared: Iterable[str] = ()) -> Verdict:
    """Compare all that was wanted with what the CRMs hold; ``spared`` records and keys are not looked at."""
    with engine.begin() as connection:
        rows = [row for row in connection.execute(select(wanted)).all() if row.name not in set(spared)]
    verdict = Verdict(len(rows))
    made = {name: Counter(one.subjects) for name, one in held.items()}
    for row in rows:
        if row.what == "field":
            found = held[row.destination].texts.get(row.name)
            if found != row.value:
                verdict.wrong[f"{row.destination} {row.name}"] = (row.value, found)
        elif not made[row.destination][row.name]:
            verdict.lost.add(f"{row.destination} {row.name}")
    for name, counts in made.items():
        verdict.doubled.update({f"{name} {subject}": n - 1 for subject, n in counts.items() if n > 1})
    return verdict


def unsettled(engine: Engine) -> dict[str, int]:
    """Outbox rows that are not done, by state and reason."""
    with engine.begin() as connection:
        rows = connection.execute(select(outbox.c.state, outbox.c.last_code).where(outbox.c.state != "done")).all()
    return dict(Counter(f"{row.state} {row.last_code}".strip() for row in rows))


def waiting(engine: Engine, destination: str, code: str | None = None) -> int:
    """How many rows of a destination are not done, all or those that wait for one reason."""
    with engine.begin() as connection:
        rows = connection.execute(
            select(outbox.c.last_code).where(outbox.c.destination == destination, outbox.c.state != "done")
        ).scalars()
        return sum(code in {None, last_code} for last_code in rows)


def sent(engine: Engine) -> Counter[str]:
    """Answers in the ledger by destination and status."""
    with engine.begin() as connection:
        rows = connection.execute(select(ledger.c.destination, ledger.c.status)).all()
    return Counter(f"{row.destination} {row.status}" for row in rows)
