"""The demo company is the same for the same seed, believable, and shows every state there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
import yaml

from worker.demo.company import Company, build_company, make_lives
from worker.demo.life import LAST_DAY
from worker.language.values import Value
from worker.scores import Scored, ScoreMemory, score_account
from worker.settings.product import ProductSettings
from worker.settings.scores import ScoresSettings, needs
from worker.settings.signals import SignalsSettings
from worker.signals.compute import compute
from worker.signals.source import open_source
from worker.signals.subscriptions import contradictions

AS_OF = datetime(2026, 6, 30, 6, tzinfo=UTC)
CONFIG = Path(__file__).parents[3] / "config"
TABLES = ("accounts", "events", "invites", "invoices", "memberships", "subscriptions", "surveys", "tickets", "users")


@dataclass(frozen=True)
class Built:
    company: Company

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.company.path), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def one(self, sql: str) -> Any:
        return self.rows(sql)[0][0]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    path = tmp_path_factory.mktemp("demo") / "it's a demo" / "data" / "product.duckdb"
    return Built(build_company(path, as_of=AS_OF))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Built:
    path = tmp_path_factory.mktemp("small") / "product.duckdb"
    return Built(build_company(path, accounts=60, seed=3, as_of=AS_OF))


def contents(built: Built) -> dict[str, Any]:
    return {table: built.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in TABLES}


@pytest.mark.parametrize("accounts", [1, 20, 120, 300, 500])
def test_members_answer_surveys_after_they_joined_at_every_size_and_seed(accounts: int) -> None:
    for seed in range(12):
        for life in make_lives(accounts, seed):
            assert all(life.members[member].joined <= day <= 0 for day, member, _ in life.answers)


def test_same_seed_same_company(small: Built, tmp_path: Path) -> None:
    again = build_company(tmp_path / "again.duckdb", accounts=60, seed=3, as_of=AS_OF)
    assert again.accounts == small.company.accounts
    assert contents(Built(again)) == contents(small)


def test_other_seed_other_company(small: Built, tmp_path: Path) -> None:
    other = build_company(tmp_path / "other.duckdb", accounts=60, seed=4, as_of=AS_OF)
    assert {a.name for a in other.accounts} != {a.name for a in small.company.accounts}


def test_building_again_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "product.duckdb"
    build_company(path, accounts=40, as_of=AS_OF)
    company = build_company(path, accounts=30, as_of=AS_OF)
    assert Built(company).one("SELECT count(*) FROM accounts") == len(company.accounts)
    assert [file.name for file in tmp_path.iterdir()] == ["product.duckdb"]


def test_about_as_many_accounts_as_asked_for(built: Built, small: Built) -> None:
    assert 280 <= len(built.company.accounts) <= 300
    assert 50 <= len(small.company.accounts) <= 60


def test_ids_domains_and_names_are_unique(built: Built) -> None:
    assert built.one("SELECT count(*) = count(DISTINCT domain) AND count(*) = count(DISTINCT name) FROM accounts")
    assert built.one("SELECT count(*) = count(DISTINCT user_id) AND count(*) = count(DISTINCT email) FROM users")
    assert built.one("SELECT count(*) = count(DISTINCT event_id) FROM events")
    assert built.one("SELECT bool_and(domain LIKE '%.example') FROM accounts")


def test_nobody_acts_before_joining_or_after_leaving(built: Built) -> None:
    early = """SELECT count(*) FROM events e JOIN memberships m USING (account_id, user_id)
               WHERE e.occurred_at < date_trunc('day', m.added_at) OR e.occurred_at > m.removed_at + INTERVAL 1 DAY"""
    assert built.one(early) == 0
    assert built.one("SELECT count(*) FROM events e ANTI JOIN memberships m USING (account_id, user_id)") == 0
    unborn = "SELECT count(*) FROM events e JOIN accounts a USING (account_id) WHERE e.occurred_at < a.created_at"
    assert built.one(unborn) == 0


def test_events_arrive_after_they_happen_and_some_late(built: Built) -> None:
    assert built.one("SELECT bool_and(received_at >= occurred_at) FROM events")
    assert 0 < built.one("SELECT avg((received_at > occurred_at)::INT) FROM events") < 0.05


def test_weekends_are_quiet(built: Built) -> None:
    weekend, workday = (
        built.one(f"SELECT count(*) FROM events WHERE (isodow(occurred_at) >= 6) = {which}") for which in (True, False)
    )
    assert weekend / 2 < 0.2 * workday / 5


def test_the_story_goes_on_for_two_days(built: Built) -> None:
    for day in (1, 2):
        after = (AS_OF + timedelta(days=day)).replace(tzinfo=None)
        assert built.one(f"SELECT count(*) FROM events WHERE occurred_at >= TIMESTAMP '{after}'") > 100
    assert built.one(f"SELECT count(*) FROM accounts WHERE created_at > TIMESTAMP '{AS_OF:%Y-%m-%d %H:%M:%S}'") >= 1


def test_some_things_are_not_known(built: Built) -> None:
    for column in ("employees", "industry", "country", "tz", "owner_email", "csm_email", "created_at"):
        assert 0 < built.one(f"SELECT avg(({column} IS NULL)::INT) FROM accounts") < 0.35, column
    assert 0 < built.one("SELECT avg((role IS NULL)::INT) FROM memberships") < 0.2


def test_one_term_at_a_time(built: Built) -> None:
    overlapping = """SELECT count(*) FROM subscriptions a JOIN subscriptions b USING (account_id)
        WHERE a.sub_id < b.sub_id
          AND coalesce(a.term_start, a.trial_start) < coalesce(b.term_end, b.trial_end, TIMESTAMP '2100-01-01')
          AND coalesce(b.term_start, b.trial_start) < coalesce(a.term_end, a.trial_end, TIMESTAMP '2100-01-01')"""
    assert built.one(overlapping) == 0


# ---------------------------------------------------------------------------- the story, told by the shipped settings


Told = Mapping[str, tuple[Mapping[str, Value], Scored]]


def shipped(name: str) -> Any:
    return yaml.safe_load((CONFIG / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def told(built: Built) -> Told:
    """Every account's fields and scores on the first run."""
    product = ProductSettings.model_validate(shipped("product"))
    signals = SignalsSettings.model_validate(shipped("signals"))
    scores = ScoresSettings.model_validate(shipped("scores"))
    with open_source(product, built.company.path.parents[1]) as source:
        source.report(AS_OF)  # as every run does: what is found sound is read as it is
        now, then = (compute(source, product, signals, needs(scores), at) for at in (AS_OF, AS_OF - timedelta(days=28)))
    return {
        account: (fields, score_account(scores, fields, then.get(account), ScoreMemory(), AS_OF))
        for account, fields in now.items()
    }


def tally(told: Told, field: str) -> Counter[Value]:
    return Counter(scored.fields()[field] for _, scored in told.values())


def test_health_is_mostly_good_and_red_where_it_hurts(told: Told) -> None:
    bands = tally(told, "health.band")
    scored = bands["red"] + bands["yellow"] + bands["green"]
    assert 0.07 <= bands["red"] / scored <= 0.16
    assert (bands["green"] + bands["yellow"]) / scored > 0.8
    assert bands["yellow"] >= 20
    assert tally(told, "health.status")["not_enough_data"] >= 3


def test_every_onboarding_status_is_there(told: Told) -> None:
    statuses = tally(told, "onboarding.status")
    assert all(statuses[status] >= 5 for status in ("complete", "on_track", "behind", "stuck", "dormant"))


def test_sales_has_enough_to_do_and_not_too_much(told: Told) -> None:
    statuses = tally(told, "pql.status")
    assert 15 <= statuses["open"] <= 30
    assert statuses["needs_enrichment"] >= 1
    raised = [scored for _, scored in told.values() if scored["pql"].hand_raised]
    assert len(raised) >= 2
    assert all(scored["pql"].reasons.startswith("Asked for sales") for scored in raised)


def test_an_account_on_a_trial_of_pro_pays_nothing_and_is_scored_as_a_lead(told: Told) -> None:
    trials = [(fields, scored) for fields, scored in told.values() if fields["trialing"] is True]
    assert len(trials) >= 10
    seen = {tuple(fields[name] for name in ("plan", "paying", "mrr", "subscription.renews")) for fields, _ in trials}
    assert seen == {("pro", False, 0, False)}
    assert any(scored.fields()["pql.score"] is not None for _, scored in trials)


def test_no_subscription_contradicts_itself_on_the_last_day(built: Built) -> None:
    product = ProductSettings.model_validate(shipped("product"))
    noon = AS_OF.replace(hour=12) + timedelta(days=LAST_DAY)
    with open_source(product, built.company.path.parents[1]) as source:
        source.report(AS_OF)  # as every run does: what is found sound is read as it is
        table = source.catalogue.table("subscriptions")
        assert table is not None
        rows, named = contradictions(table, noon)
        counts = [sa.func.sum(sa.case((one, 1), else_=0)) for one in named.values()]
        assert set(source.engine.run(sa.select(*counts).select_from(rows))[0]) == {0}


def test_growing_accounts_near_their_limit(told: Told) -> None:
    near = [f for f, _ in told.values() if f["paying"] is True and _share(f) >= 0.85]
    assert 10 <= len(near) <= 45


def test_caps_bind_for_those_who_do_not_pay(told: Told) -> None:
    capped = Counter(hit.say for _, scored in told.values() for hit in scored["health"].caps if hit.binds)
    assert capped["Payment overdue"] >= 3


def _share(fields: Mapping[str, Value]) -> float:
    used, limit = fields["seats_used"], fields["seat_limit"]
    return used / limit if isinstance(used, int | float) and isinstance(limit, int | float) and limit else 0.0
