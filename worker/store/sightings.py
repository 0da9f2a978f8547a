"""When each account was seen in the product data, who it was, and since when it is missing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, func, select, update

from worker.store.tables import account_sightings, runs
from worker.store.upsert import upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What is known of one account id. Moments are ISO texts in UTC.

    The hashes are of the name and the domain, empty while they are not known. ``missing_days`` are the days of runs
    that missed the account while the table had its usual number of rows. ``gone``: it was missing for long enough.
    """

    account_id: str
    first_seen: str
    name_hash: str = ""
    domain_hash: str = ""
    missing_since: str | None = None
    missing_days: Sequence[str] = ()
    gone: bool = False


def hash_of(account_id: str, value: object) -> str:
    """A name or domain as a hash, so that no personal value is stored; empty when there is none."""
    text = " ".join(str(value or "").lower().split())
    return hashlib.sha256(f"{account_id}\0{text}".encode()).hexdigest()[:16] if text else ""


def load_sightings(connection: Connection) -> dict[str, Sighting]:
    """Every account id that a run has seen."""
    rows = connection.execute(select(account_sightings)).mappings()
    return {row["account_id"]: Sighting(**{**row, "missing_days": tuple(row["missing_days"])}) for row in rows}


def save_sightings(connection: Connection, changed: Iterable[Sighting]) -> None:
    """Replace what is known of these accounts."""
    upsert(connection, account_sightings, [{**asdict(one), "missing_days": list(one.missing_days)} for one in changed])


def confirm_identity(connection: Connection, account_id: str) -> None:
    """The account that the last run found is the right one; the next run stores its name and domain."""
    now = {"first_seen": select(func.max(runs.c.as_of)).scalar_subquery(), "name_hash": "", "domain_hash": ""}
    connection.execute(update(account_sightings).where(account_sightings.c.account_id == account_id).values(now))
