"""Builds the product data of the demo company: one DuckDB file, the same for the same seed."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import duckdb

from worker.demo.activity import events
from worker.demo.life import LAST_DAY, Life
from worker.demo.names import companies
from worker.demo.personas import MIX, Persona
from worker.demo.rows import TABLES, Calendar
from worker.demo.staff import GONE, SELLERS, SUCCESS

_COUNTRIES = (
    ("US", "America/New_York"),
    ("US", "America/Los_Angeles"),
    ("GB", "Europe/London"),
    ("DE", "Europe/Berlin"),
    ("FR", "Europe/Paris"),
    ("IN", "Asia/Kolkata"),
    ("BR", "America/Sao_Paulo"),
    ("AU", "Australia/Sydney"),
)
_EMPLOYEES = (4, 9, 18, 35, 60, 90, 140, 240, 420, 900, 2400)
_EMPLOYEE_WEIGHTS = (6, 9, 12, 14, 14, 13, 11, 9, 6, 4, 2)

_EVENTS = "event_id TEXT, account_id TEXT, user_id TEXT, name TEXT, occurred_at TIMESTAMP, received_at TIMESTAMP"


@dataclass(frozen=True, slots=True)
class Company:
    """The demo company: the file of its data, and its accounts in the order of their ids."""

    path: Path
    as_of: datetime
    seed: int
    accounts: tuple[Life, ...]


def build_company(path: Path, accounts: int = 300, seed: int = 7, *, as_of: datetime) -> Company:
    """Write the DuckDB file at ``path``, in place of an earlier one, and return its accounts.

    The file holds about ``accounts`` accounts over the twelve months before ``as_of`` (aware) and a few days after
    it, so that a later run finds new data; a reader as of a moment must ignore later rows. The same arguments always
    give the same rows. Raises OSError when the file cannot be written.
    """
    lives = tuple(make_lives(accounts, seed))
    when = Calendar(as_of.astimezone(UTC))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, duckdb.connect(str(path)) as connection:
        file = Path(folder) / "rows.csv"
        for table, (columns, rows) in TABLES.items():
            with file.open("w", newline="", encoding="utf-8") as out:
                csv.writer(out).writerows(rows(lives, when))
            _load(connection, table, columns, file)
        with file.open("w", newline="", encoding="utf-8") as out:
            out.writelines(_event_lines(lives, seed, when))
        _load(connection, "events", _EVENTS, file)
    return Company(path, as_of, seed, lives)


def make_lives(accounts: int, seed: int) -> Iterator[Life]:
    """The lives of ``accounts`` accounts, the same for the same ``seed``."""
    cast = _cast(accounts)
    _chance(seed, "cast").shuffle(cast)
    names = companies(_chance(seed, "names"))
    for index, (persona, youngest, oldest) in enumerate(cast):
        chance = _chance(seed, f"life/{index}")
        name, domain, industry = next(names)
        country, zone = chance.choice(_COUNTRIES)
        life = Life(
            account_id=f"acc-{index + 1001}",
            name=name,
            domain=domain,
            persona=persona.__name__,
            created=-chance.randint(youngest, oldest),
            industry=industry if chance.random() < 0.9 else None,
            employees=chance.choices(_EMPLOYEES, _EMPLOYEE_WEIGHTS)[0] if chance.random() < 0.88 else None,
            country=country if chance.random() < 0.95 else None,
            tz=zone if chance.random() < 0.9 else None,
            owner=_owner(chance, SELLERS, 0.85),
            csm=_owner(chance, SUCCESS, 0.75),
        )
        persona(life, chance)
        yield life


def _chance(seed: int, what: str) -> Random:
    """A random generator per purpose, so that a change to one account leaves the others unchanged."""
    return Random(f"{seed}/{what}")  # noqa: S311 - sample data, not a secret


def _cast(accounts: int) -> list[tuple[Persona, int, int]]:
    """Personas in the proportions of `MIX`, at least one of each where there is room."""
    total = sum(share for _, share, _, _ in MIX)
    cast = [
        (persona, youngest, oldest)
        for persona, share, youngest, oldest in MIX
        for _ in range(max(1, round(accounts * share / total)))
    ]
    return cast[:accounts]


def _owner(chance: Random, team: tuple[str, ...], share: float) -> str | None:
    """A member of the team, rarely the colleague who has left, sometimes None."""
    roll = chance.random()
    if roll > share:
        return None
    return GONE.email if roll < 0.03 else chance.choice(team)


def _event_lines(lives: Iterable[Life], seed: int, when: Calendar) -> Iterator[str]:
    """CSV lines without the csv module: no text needs quotes, and several hundred thousand lines are written."""
    days = {day: when.date(day).isoformat() for day in range(-1_100, LAST_DAY + 4)}
    clock = [f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}" for second in range(86_400)]
    number = 0
    for life in lives:
        for user, name, day, second, late in events(life, _chance(seed, life.account_id), when.weekday):
            number += 1
            happened = arrived = f"{days[day]} {clock[second]}"
            if late:
                arrived = f"{days[day + (second + late) // 86_400]} {clock[(second + late) % 86_400]}"
            yield f"e{number},{life.account_id},{user},{name},{happened},{arrived}\n"


def _load(connection: duckdb.DuckDBPyConnection, table: str, columns: str, file: Path) -> None:
    connection.execute(f"CREATE TABLE {table} ({columns})")
    quoted = str(file).replace("'", "''")
    connection.execute(f"COPY {table} FROM '{quoted}' (FORMAT csv, HEADER false, NULLSTR '')")
