"""Which accounts of earlier runs are missing from the product data, and which ids belong to somebody else now.

An account that is missing is unknown, not gone: nothing about it changes until it comes back, or until it was missing
for several days while the table was as large as usual.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from statistics import median
from typing import TypeVar

from worker.language.plural import counted
from worker.language.values import Fields
from worker.settings.trust import TrustSettings
from worker.signals.errors import DistrustedData
from worker.signals.table_findings import impersonal
from worker.store.moments import iso
from worker.store.sightings import Sighting, hash_of

T = TypeVar("T")
_VANISHED_LEAST = 5
_REUSED_LEAST = 3
"""Fewer missing or reused accounts never stop a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """``missing`` and ``reused``: account id → what a person should know; ``undecided``: accounts that may be deleted.

    Nothing of these accounts changes in the run.

    ``changed`` is what the run stores.
    """

    missing: Mapping[str, str] = field(default_factory=dict)
    reused: Mapping[str, str] = field(default_factory=dict)
    undecided: frozenset[str] = frozenset()
    changed: Sequence[Sighting] = ()

    def without_frozen(self, by_account: Mapping[str, T]) -> dict[str, T]:
        """What is known by account id, of the accounts that playbooks, scores and the plan look at."""
        frozen = self.frozen
        return {account_id: one for account_id, one in by_account.items() if account_id not in frozen}

    @property
    def frozen(self) -> frozenset[str]:
        """The accounts of which nothing changes."""
        return self.undecided | self.missing.keys() | self.reused.keys()


def presence_of(
    known: Mapping[str, Sighting],
    present: Collection[str],
    accounts: Mapping[str, Fields],
    sizes: Sequence[int],
    as_of: datetime,
    trust: TrustSettings,
) -> Presence:
    """Compare the account ids of the data with those of earlier runs.

    ``present`` are all ids of the accounts table, ``accounts`` the fields of those that count, ``sizes`` the numbers of
    accounts of earlier runs and, last, of this one.
    Raises `DistrustedData` when too many are missing or reused at once.
    """
    lost = [one for one in known.values() if one.account_id not in present and not one.gone]
    _refuse_vanished(known, [one for one in lost if one.missing_since is None], trust.vanished)
    usual = _is_usual(sizes, trust.vanished)
    missing = {one.account_id: _missed(one, as_of, trust.gone_after, usual=usual) for one in lost}
    seen = {one.account_id: _back(one) for one in known.values() if one.account_id in present}
    reused = {a: why for a, row in accounts.items() if a in seen and (why := _why_reused(seen[a], row))}
    _refuse_reused(reused, len(accounts), trust.reused)
    now = {a: _identified(seen.get(a), a, row, as_of) for a, row in accounts.items() if a not in reused}
    return Presence(
        missing={a: _why_missing(one, trust.gone_after) for a, one in missing.items() if not one.gone},
        reused=reused,
        changed=[one for one in {**seen, **missing, **now}.values() if known.get(one.account_id) != one],
    )


def _refuse_vanished(known: Mapping[str, Sighting], lost: Sequence[Sighting], allowed: float) -> None:
    before = sum(1 for one in known.values() if one.missing_since is None and not one.gone)
    if len(lost) >= _VANISHED_LEAST and len(lost) > allowed * before:
        one = impersonal(min(one.account_id for one in lost))
        raise DistrustedData(
            f"the product data cannot be trusted: {len(lost)} of {counted(before, 'account')} of the last run are "
            f"missing{f', such as {one}' if one else ''}; {allowed:.0%} may be missing at once. "
            "Were they deleted for good? Then allow it for one run: trust.vanished in config/product.yaml"
        )


def _is_usual(sizes: Sequence[int], allowed: float) -> bool:
    """Whether the accounts table is about as large as in the earlier runs."""
    short = median(sizes[:-1] or sizes) - sizes[-1]
    return short < _VANISHED_LEAST or short <= allowed * median(sizes[:-1])


def _missed(one: Sighting, as_of: datetime, gone_after: int, *, usual: bool) -> Sighting:
    days = tuple(sorted({*one.missing_days, as_of.date().isoformat()})) if usual else one.missing_days
    since = one.missing_since or iso(as_of)
    return replace(one, missing_since=since, missing_days=days, gone=len(days) >= gone_after)


def _back(one: Sighting) -> Sighting:
    return replace(one, missing_since=None, missing_days=(), gone=False)


def _why_missing(one: Sighting, gone_after: int) -> str:
    return f"missing since {str(one.missing_since)[:10]}, day {len(one.missing_days)} of {gone_after}"


def _why_reused(one: Sighting, fields: Fields) -> str:
    """Why the id belongs to somebody else now; empty when it does not."""
    created = fields.get("account.created_at")
    if not isinstance(created, datetime) or created <= datetime.fromisoformat(one.first_seen):
        return ""
    name, domain = _hashes(one.account_id, fields)
    other_name = bool(one.name_hash and name) and name != one.name_hash
    other_domain = bool(one.domain_hash and domain) and domain != one.domain_hash
    if not (other_name or other_domain):
        return ""
    changed = " and ".join(what for what, other in (("name", other_name), ("domain", other_domain)) if other)
    return f"created {created:%Y-%m-%d}, but seen before on {one.first_seen[:10]} with another {changed}"


def _refuse_reused(reused: Mapping[str, str], accounts: int, allowed: float) -> None:
    if len(reused) >= _REUSED_LEAST and len(reused) > allowed * accounts:
        account_id = min(reused)
        one = f"{impersonal(account_id) or 'one'} ({reused[account_id]})"
        raise DistrustedData(
            f"the product data cannot be trusted: {len(reused)} of {counted(accounts, 'account id')} belong to other "
            f"accounts than before, such as {one}; was account_id mapped to another column, or was a database "
            "restored? If the ids are right, allow it for one run: trust.reused in config/product.yaml"
        )


def _identified(one: Sighting | None, account_id: str, fields: Fields, as_of: datetime) -> Sighting:
    """The account with its present name and domain; what is not known now stays as it was."""
    first = iso(as_of)
    one = one or Sighting(account_id=account_id, first_seen=first)
    name, domain = _hashes(account_id, fields)
    return replace(one, name_hash=name or one.name_hash, domain_hash=domain or one.domain_hash)


def _hashes(account_id: str, fields: Fields) -> tuple[str, str]:
    return hash_of(account_id, fields.get("account.name")), hash_of(account_id, fields.get("account.domain"))
