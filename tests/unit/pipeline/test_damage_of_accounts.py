"""Accounts that are missing, or whose ids others got, stay as they are; the others go on as on clean data."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pipeline.pipeline_kit import SCORES, START, Project
from worker.pipeline.presence import presence_of
from worker.settings.trust import TrustSettings
from worker.signals.errors import DistrustedData
from worker.store.moments import iso
from worker.store.sightings import Sighting, hash_of
from worker.store.tables import account_sightings, crm_tasks, enrollments, outbox, score_memory, score_values

CALL = """\
when: {enters: seats_used >= 50}
leaves: seats_used < 50
repeat: {already_matching: include, wait: 1h}
do:
  - create_task: {key: call, subject: Call, to: account_owner, due: 1d, close_when_leaves: true}
"""
ACCOUNTS = [f"acme-{number:03}" for number in range(120)]
LATER = START + timedelta(hours=12)
OTHERS: list[dict[str, Any]] = [
    {"account.name": "Nova", "account.created_at": LATER},
    {"account.domain": "nova.example", "account.created_at": LATER},
    {"account.name": "Nova", "account.domain": "nova.example", "account.created_at": LATER},
]
"""What is known of an account that got the id of another."""
SAME: list[dict[str, Any]] = [
    {"account.name": "Nova", "account.domain": "nova.example"},
    {"account.created_at": LATER},
    {"account.name": None, "account.domain": None, "account.created_at": None},
]
"""What may be known of an account that is the same as before."""


def clean(number: int, day: int) -> dict[str, Any]:
    """What is known of an account on a day; its seats, and so its health, are others every day."""
    known = {"account.name": f"Acme {number}", "account.domain": f"c{number}.example", "account.is_internal": False}
    seats = (number * (7 + 4 * day) + 31 * day) % 101
    return {**known, "account.created_at": START - timedelta(days=90), "seats_used": seats}


def company(day: int) -> dict[str, dict[str, Any]]:
    return {account: clean(number, day) for number, account in enumerate(ACCOUNTS)}


def in_crm(project: Project) -> dict[str, Any]:
    """What the CRM has of each account: its health and how many of its tasks are open."""
    tasks = Counter(task.record_id for key, task in project.crm.tasks.items() if key not in project.crm.done)
    return {a: (project.crm.records[f"R-{a}"].get("health"), tasks[f"R-{a}"]) for a in ACCOUNTS}


def state_of(project: Project) -> dict[str, Any]:
    with project.store.begin() as connection:
        tables = (account_sightings, crm_tasks, enrollments, outbox, score_memory, score_values)
        return {table.name: connection.execute(table.select()).all() for table in tables}


@pytest.fixture
def project(project: Project) -> Project:
    """The company after a clean first run."""
    project.write("config/scores.yaml", SCORES.replace("publish_step: 5", "publish_step: 1"))
    project.playbook(CALL)
    project.facts = company(0)
    project.run(0)
    return project


@pytest.mark.parametrize("seed", range(2))
def test_a_few_missing_and_reused_accounts_stay_as_they_are_and_the_others_go_on(project: Project, seed: int) -> None:
    rng = random.Random(seed)
    chosen = rng.sample(ACCOUNTS, 14)
    missing, reused, same = chosen[:6], chosen[6:8], chosen[8:]
    before, project.facts = in_crm(project), company(1)
    for account, change in zip([*reused, *same], [*rng.sample(OTHERS, 2), *SAME, *SAME], strict=True):
        project.facts[account] |= change
    for account in missing:
        del project.facts[account]
    plan = project.run(1).computed.plan
    assert (sorted(plan.missing), sorted(plan.reused)) == (sorted(missing), sorted(reused))
    after = in_crm(project)
    assert {a: after[a] for a in (*missing, *reused)} == {a: before[a] for a in (*missing, *reused)}
    assert_clean(after, 1, without={*missing, *reused})

    project.facts = company(2)
    plan = project.run(2).computed.plan
    assert plan.missing == plan.reused == {}
    assert_clean(in_crm(project), 2)


def assert_clean(found: dict[str, Any], day: int, without: Collection[str] = ()) -> None:
    """Each account has the health of its own seats, and an open task where these are many."""
    for account, facts in company(day).items():
        if account not in without:
            assert found[account] == (facts["seats_used"], int(facts["seats_used"] >= 50)), account


@pytest.mark.parametrize("seed", range(2))
def test_of_too_many_missing_or_reused_accounts_nothing_changes(project: Project, seed: int) -> None:
    rng = random.Random(seed)
    before, stored, project.facts = in_crm(project), state_of(project), company(1)
    chosen = rng.sample(ACCOUNTS, rng.randrange(7, 60))
    for account in chosen:
        if seed:
            project.facts[account] |= rng.choice(OTHERS)
        else:
            del project.facts[account]
    what = "account ids belong to other accounts" if seed else "accounts of the last run are missing"
    with pytest.raises(DistrustedData, match=f"{len(chosen)} of {len(ACCOUNTS)} {what}"):
        project.run(1)
    assert (in_crm(project), state_of(project)) == (before, stored)
    project.facts = company(1)
    project.run(1)
    assert_clean(in_crm(project), 1)


@given(
    accounts=st.integers(1, 700),
    missing=st.floats(0, 0.08),
    reused=st.floats(0, 0.02),
    seed=st.randoms(use_true_random=False),
)
def test_a_run_stops_beyond_a_twentieth_missing_or_a_hundredth_reused(
    accounts: int, missing: float, reused: float, seed: random.Random
) -> None:
    ids = [f"a{number}" for number in range(accounts)]
    many, few = round(missing * accounts), round(reused * accounts)
    chosen = seed.sample(ids, min(accounts, many + few))
    gone, other = set(chosen[:many]), set(chosen[many:])
    old = clean(0, 0)
    known = {
        a: Sighting(
            account_id=a,
            first_seen=iso(START),
            name_hash=hash_of(a, old["account.name"]),
            domain_hash=hash_of(a, old["account.domain"]),
        )
        for a in ids
    }
    rows = {a: old | (seed.choice(OTHERS) if a in other else seed.choice([{}, *SAME])) for a in ids if a not in gone}
    stops = (len(gone) >= 5 and len(gone) > 0.05 * accounts) or (len(other) >= 3 and len(other) > 0.01 * len(rows))
    try:
        found = presence_of(known, list(rows), rows, (accounts, len(rows)), START + timedelta(days=1), TrustSettings())
    except DistrustedData:
        assert stops
    else:
        assert not stops
        assert ({*found.missing}, {*found.reused}) == (gone, other)
