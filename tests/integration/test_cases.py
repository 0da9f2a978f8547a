"""Small inputs after public bug reports give what is right, or are refused by file, table and column."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Table, func, select

from tests import in_process
from tests.integration.conftest import Stage, sandboxes
from worker.demo.stage import point_at
from worker.language.values import Value
from worker.reports.check import check_project
from worker.settings.product import ProductSettings
from worker.settings.shipped import write_project
from worker.settings.signals import SignalsSettings
from worker.signals.compute import compute
from worker.signals.data_report import DataReport
from worker.signals.source import open_source
from worker.signals.trust import distrust
from worker.store.engine import connect_store
from worker.store.tables import outbox, runs, score_values

AS_OF = datetime(2026, 6, 30, 6, tzinfo=UTC)
DAY_FIRST = {"name": "created_at", "format": "%d/%m/%Y"}


@dataclass(frozen=True, slots=True)
class Case:
    """One case as a project of its own in ``root``, over the shipped configuration."""

    root: Path

    def settings(self, name: str) -> dict[str, Any]:
        loaded: dict[str, Any] = yaml.safe_load((self.root / "config" / name).read_text(encoding="utf-8"))
        return loaded

    def measured(
        self, as_of: datetime = AS_OF, columns: dict[str, Any] | None = None, tier: str | None = None
    ) -> tuple[DataReport, dict[str, dict[str, Value]]]:
        """What the look at the tables finds, and what is measured of each account after it."""
        product = self.settings("product.yaml")
        product["tables"]["accounts"]["columns"] = columns or {}
        signals = self.settings("signals.yaml")
        if tier is not None:
            signals["signals"]["tier"]["column"] = tier
        mapped, measures = ProductSettings.model_validate(product), SignalsSettings.model_validate(signals)
        with open_source(mapped, self.root, as_of) as source:
            report = source.report(as_of)
            assert list(distrust(report, mapped.trust)) == []
            return report, compute(source, mapped, measures, [], as_of)

    def errors(self) -> list[str]:
        """What ``plgsync check`` calls an error, but for the age of the data."""
        (self.root / "config" / "crm.yaml").write_text("version: 1\nqueues: {}\n", encoding="utf-8")
        for playbook in (self.root / "playbooks").iterdir():
            playbook.unlink()
        found = check_project(self.root, offline=False).problems
        errors = [problem.message for problem in found if problem.severity == "error"]
        return [message for message in errors if "the latest event is" not in message]


@pytest.fixture
def case(request: pytest.FixtureRequest, tmp_path: Path, shared: Path) -> Case:
    """The case whose folder begins with the parameter."""
    folder = next((shared / "cases").glob(f"{request.param}-*"))
    write_project(tmp_path)
    for part in ("config", "data", "later", *(["playbooks"] if request.param == "26b" else [])):
        if (folder / part).is_dir():
            shutil.copytree(folder / part, tmp_path / part, dirs_exist_ok=True)
    if (folder / "seed.json").is_file():
        shutil.copy(folder / "seed.json", tmp_path)
    return Case(tmp_path)


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [name], indirect=True)


def said(report: DataReport) -> list[str]:
    return [f"{table}: {sentence}" for table, sentence in report.remarks()]


@of("05")
def test_events_delivered_twice_count_once(case: Case) -> None:
    report, found = case.measured()
    assert [found[account]["key_events_28d"] for account in ("once", "twice")] == [28, 28]
    assert said(report) == ["events: 74 of 222 rows (33 %) repeat another and count once"]


@of("06")
def test_props_of_a_native_struct_are_read_like_json(case: Case) -> None:
    _, found = case.measured()
    assert (found["acme"]["big_events_28d"], found["acme"]["amount_28d"]) == (112, 2800)


@of("07b")
def test_one_more_row_does_not_change_how_days_are_read(case: Case) -> None:
    report, found = case.measured()
    assert {account: values["account.created_at"] for account, values in found.items()} == dict.fromkeys(found)
    assert said(report) == ['accounts: 3 of 3 rows (100 %) have a created_at that cannot be read, such as "03/11/2025"']
    report, found = case.measured(columns={"created_at": DAY_FIRST})
    assert [found[account]["account.created_at"] for account in ("acme", "late", "new")] == [
        datetime(2025, 11, 3, tzinfo=UTC),
        datetime(2026, 6, 5, tzinfo=UTC),
        None,
    ]
    assert said(report) == ['accounts: 1 of 3 rows (33 %) have a created_at that cannot be read, such as "06/25/2026"']


@of("09")
def test_ids_join_without_the_blanks_around_them(case: Case) -> None:
    report, found = case.measured()
    assert {account: found[account]["key_events_28d"] for account in found} == {"acme": 112, "beta": 112, "cee": 112}
    assert {found[account]["active_users_28d"] for account in found} == {3}
    assert said(report) == []


@of("11")
def test_ids_like_exponents_stay_text(case: Case) -> None:
    _, found = case.measured()
    assert {account: values["key_events_28d"] for account, values in found.items()} == {
        "32E0134": 112,
        "17E0088": 112,
        "40E0002": 112,
    }


@of("12")
def test_words_for_nothing_are_nothing(case: Case) -> None:
    report, found = case.measured()
    assert {values["active_users_28d"] for values in found.values()} == {2}
    beta, cee = found["beta"], found["cee"]
    assert (beta["plan"], beta["account.domain"], beta["mrr"]) == (None, None, None)
    assert (beta["account.employees"], cee["account.employees"]) == (40, None)
    assert (found["acme"]["plan"], found["acme"]["mrr"]) == ("pro", 99.5)
    assert {values["account.csm_email"] for values in found.values()} == {None}
    assert [sentence for sentence in said(report) if "read" in sentence or "believed" in sentence] == []


@of("19")
def test_an_account_that_stands_twice_is_named_and_the_others_are_measured(case: Case) -> None:
    report, found = case.measured()
    assert said(report) == ['accounts: 1 of 2 accounts stand there more than once, such as "beta"']
    assert (found["acme"]["account.employees"], found["beta"]["account.employees"]) == (50, None)
    assert (found["beta"]["account.name"], found["beta"]["key_events_28d"]) == ("Beta", 112)


@of("24")
def test_events_renamed_in_the_tracking_plan_leave_their_signals_unknown(case: Case) -> None:
    before = case.measured()[1]
    shutil.copytree(case.root / "later", case.root / "data", dirs_exist_ok=True)
    report, found = case.measured(datetime(2026, 7, 4, 6, tzinfo=UTC))
    assert 'events: "Report Created" stopped for all accounts while other events go on; "report_created" began' in said(
        report
    )
    assert all(isinstance(values["key_events_28d"], int | float) for values in before.values())
    assert {found[account]["key_events_28d"] for account in found} == {None}
    assert {found[account]["plan"] for account in found} == {"pro"}


@of("29")
def test_seats_without_limit_are_unknown_and_named(case: Case) -> None:
    report, found = case.measured()
    assert (found["acme"]["seat_limit"], found["cee"]["seat_limit"]) == (None, None)
    assert {values["mrr"] for values in found.values()} == {900}
    assert said(report) == [
        "subscriptions: 2 of 3 rows (67 %) have no limit in seats",
    ]


@of("31")
def test_a_property_lies_at_any_depth(case: Case) -> None:
    _, found = case.measured(tier="props.plan.tier")
    assert (found["acme"]["tier"], found["acme"]["amount_28d"]) == ("gold", 2800)


@of("33")
def test_ids_and_times_of_two_kinds_in_one_column_are_read_alike(case: Case) -> None:
    report, found = case.measured()
    assert {account: values["key_events_28d"] for account, values in found.items()} == {
        "7": 112,
        "8": 112,
        "9": 112,
        "007": 112,
    }
    assert (found["7"]["account.age_days"], found["007"]["account.age_days"]) == (239, None)
    assert said(report) == ['accounts: 1 of 4 rows (25 %) have a created_at that cannot be read, such as "03/11/2025"']


@of("39")
def test_an_empty_file_among_others_changes_nothing(case: Case) -> None:
    report, found = case.measured()
    assert {account: values["key_events_28d"] for account, values in found.items()} == {"acme": 84, "beta": 84}
    assert said(report) == []


@pytest.mark.parametrize(
    ("case", "error"),
    [
        ("15", "table accounts: accounts.csv:3 has 2 fields instead of 3"),
        (
            "17c",
            (
                "a run would stop now: 2,124 of 2,124 events (100%) belong to no account, such as org_1; "
                "accounts look like 1; 20% are allowed"
            ),
        ),
        ("37", 'table events: events/2026-06.csv has no column "account_id". Did you mean "accountId"?'),
        ("38b", "table events: events/2026-05.csv:41 has 2 fields instead of 4"),
    ],
    indirect=["case"],
)
def test_check_names_what_a_run_refuses(case: Case, error: str) -> None:
    assert case.errors() == [error]
    refused = in_process.plgsync("run", "--as-of", AS_OF.isoformat(), "--project", str(case.root))
    assert refused.returncode == 1
    reason = error.removeprefix("a run would stop now: 2,124 of 2,124 ")  # a run counts those of 28 days
    assert reason in " ".join(refused.stderr.split())
    assert rows_in(case, runs) == 0


def rows_in(case: Case, table: Table) -> int:
    """How many rows the state database has in a table."""
    engine = connect_store(f"sqlite:///{case.root / '.plgsync' / 'state.db'}")
    with engine.begin() as connection:
        found = connection.execute(select(func.count()).select_from(table)).scalar_one()
    engine.dispose()
    return int(found)


@of("17c")
def test_events_that_belong_to_no_account_reach_no_crm_by_any_run(case: Case) -> None:
    with staged(case) as stage:
        before = {crm: stage.objects(crm) for crm in stage.crms}
        for days in (0, 1):
            stage.plgsync("run", "--as-of", (AS_OF + timedelta(days=days)).isoformat(), "--first-run", code=1)
        assert {crm: stage.objects(crm) for crm in stage.crms} == before
        assert {crm: stage.write_calls(crm) for crm in stage.crms} == dict.fromkeys(stage.crms, 0)
    assert (rows_in(case, runs), rows_in(case, outbox), rows_in(case, score_values)) == (0, 0, 0)


@of("15")
def test_an_optional_file_without_a_byte_is_an_empty_table(case: Case) -> None:
    accounts = case.root / "data" / "accounts.csv"
    accounts.write_text(accounts.read_text(encoding="utf-8").replace("beta,Beta", "beta,Beta,"), encoding="utf-8")
    (case.root / "data" / "tickets.csv").touch()
    product = case.settings("product.yaml")
    product["tables"]["tickets"] = {"table": "tickets"}
    (case.root / "config" / "product.yaml").write_text(yaml.safe_dump(product), encoding="utf-8")
    _, found = case.measured()
    assert {account: values["urgent_tickets_open"] for account, values in found.items()} == dict.fromkeys(found, 0)
    assert found["beta"]["account.domain"] is None


@of("03")
def test_a_domain_of_many_leads_to_no_record_and_makes_none(case: Case) -> None:
    with staged(case) as stage:
        before = records_of(stage)
        report = stage.plgsync("run", "--as-of", AS_OF.isoformat(), "--first-run", "--json")
        assert [list(found["fields"]) for found in stage.results().values()] == [["w2"], ["w2"]]
        assert records_of(stage) == before
        shared = {(one["destination"], one["account_id"]) for one in report["shared"]}
        assert shared == {(crm, account) for crm in stage.crms for account in ("w1", "w3", "w4")}


@of("21")
def test_an_id_given_to_another_company_writes_nothing_to_the_record_of_the_first(case: Case) -> None:
    with staged(case) as stage:
        stage.plgsync("run", "--as-of", AS_OF.isoformat(), "--first-run")
        before = {crm: found["fields"] for crm, found in stage.results().items()}
        assert before["salesforce"].keys() == {"7", "8"}
        shutil.copytree(case.root / "later", case.root / "data", dirs_exist_ok=True)
        report = stage.plgsync("run", "--as-of", (AS_OF + timedelta(days=1)).isoformat(), "--json")
        assert list(report["reused"]) == ["7"]
        after = {crm: found["fields"] for crm, found in stage.results().items()}
        assert {crm: fields.get("7") for crm, fields in after.items()} == {
            crm: fields.get("7") for crm, fields in before.items()
        }


def records_of(stage: Stage) -> dict[str, list[Any]]:
    """The names of all companies in each CRM."""
    companies = {"salesforce": "Account", "hubspot": "companies"}
    return {crm: sorted(name_of(one) for one in stage.objects(crm)[kind]) for crm, kind in companies.items()}


def name_of(company: dict[str, Any]) -> str:
    """The name of a company in either CRM."""
    return str(company.get("Name") or company["properties"]["name"])


@of("22")
def test_workspaces_that_claim_one_record_name_each_other_and_the_remedies(case: Case) -> None:
    with staged(case) as stage:
        report = stage.plgsync("run", "--as-of", AS_OF.isoformat(), "--first-run", "--json")
        unsure = {(one["destination"], one["account_id"]): one["rivals"] for one in report["ambiguous"]}
        assert unsure == {(crm, one): [other] for crm in stage.crms for one, other in (("w1", "w2"), ("w2", "w1"))}
        planned = stage.plgsync("plan", "--as-of", AS_OF.isoformat()).stdout
        explained = stage.plgsync("explain", "w1", "--as-of", AS_OF.isoformat()).stdout
        for text in (" ".join(planned.split()), " ".join(explained.split())):
            assert "record: parent" in text
            assert "level: parent" in text
        assert "claimed by w2 too" in " ".join(explained.split())


@of("22")
def test_workspaces_of_one_company_roll_up_into_one_record(case: Case) -> None:
    crm = case.settings("crm.yaml")
    for name, field in (("salesforce", "Seats__c"), ("hubspot", "plgsync_seats")):
        destination = crm["destinations"][name]
        destination["account"]["record"] = "parent"
        destination["fields"]["expansion_signal"]["combine"] = "any"
        seats = {"field": field, "from": "account.employees", "type": "number", "combine": "sum"}
        destination["fields"]["seats"] = seats
    (case.root / "config" / "crm.yaml").write_text(yaml.safe_dump(crm), encoding="utf-8")
    files = {name: case.root / "data" / f"{name}.csv" for name in ("accounts", "events")}
    lines = {name: file.read_text(encoding="utf-8").splitlines() for name, file in files.items()}
    lines["events"] = [one for n, one in enumerate(lines["events"]) if n % 20 == 0 or not one.startswith("w2,")]
    parents = ["parent_id", "", "w1", "w1", "w1"]
    lines["accounts"] = [f"{line},{parent}" for line, parent in zip(lines["accounts"], parents, strict=True)]

    def provide(without: str = "") -> None:
        for name, file in files.items():
            file.write_text(
                "\n".join(one for one in lines[name] if not one.startswith(f"{without},")), encoding="utf-8"
            )

    provide()
    with staged(case) as stage:
        stage.plgsync("run", "--as-of", AS_OF.isoformat(), "--first-run")
        results = {crm: found["fields"] for crm, found in stage.results().items()}
        worst = min(health_scores(case))
        assert results["salesforce"].keys() == results["hubspot"].keys() == {"w1"}
        assert results["salesforce"]["w1"]["Health_Score__c"] == worst
        assert float(results["hubspot"]["w1"]["plgsync_health_score"]) == worst
        assert results["salesforce"]["w1"]["Seats__c"] == 200
        (member,) = [one for one in stage.plgsync("explain", "w4", "--json")["crms"] if one["destination"] == "hubspot"]
        assert member["members"] == ["w1", "w2", "w3", "w4"]
        assert {one["name"]: one["accounts"] for one in member["shared"]}["seats"] == member["members"]

        for gone in ("w3", "w1", ""):
            provide(gone)
            stage.forget_calls()
            stage.plgsync("run", "--as-of", AS_OF.isoformat())
            assert {crm: found["fields"] for crm, found in stage.results().items()} == results, gone
            assert {crm: stage.write_calls(crm) for crm in stage.crms} == dict.fromkeys(stage.crms, 0)

        files["accounts"].write_text("\n".join(line.rpartition(",")[0] for line in lines["accounts"]), encoding="utf-8")
        for command in (("run", "--as-of", AS_OF.isoformat()), ("check",)):
            refused = stage.plgsync(*command, code=1)
            assert "record: parent in config/crm.yaml needs the parents" in " ".join(f"{refused}".split())


def health_scores(case: Case) -> list[float]:
    """The known health scores of the last run, of all accounts."""
    engine = connect_store(f"sqlite:///{case.root / '.plgsync' / 'state.db'}")
    health = select(score_values.c.number).where(score_values.c.name == "health.score")
    with engine.begin() as connection:
        found = connection.execute(health.where(score_values.c.number.is_not(None))).scalars().all()
    engine.dispose()
    assert len(set(found)) > 1
    return list(found)


@contextmanager
def staged(case: Case) -> Iterator[Stage]:
    """The case with the CRMs of its settings and its own seed."""
    seed = case.root / "seed.json"
    with sandboxes(seed) as crms:
        point_at(case.root, crms)
        stage = Stage(case.root, {name: crms[name] for name in case.settings("crm.yaml")["destinations"]})
        stage.set_up()
        yield stage


@of("26b")
def test_tasks_that_were_finished_before_the_state_was_lost_swallow_no_later_one(case: Case) -> None:
    with staged(case) as stage:
        stage.plgsync("run", "--as-of", AS_OF.isoformat(), "--first-run")
        for task in stage.objects("salesforce")["Task"]:
            stage.control("salesforce", "mutate", {"do": "complete_task", "id": task["Id"]})
        for file in (case.root / ".plgsync").glob("state.db*"):
            file.unlink()
        at = ("--as-of", "2026-09-15T06:00:00+00:00")
        assert "plgsync adopt" in stage.plgsync("run", *at, code=1).stderr
        stage.plgsync("adopt", *at)
        stage.plgsync("run", *at, "--first-run")
        days = [task["Plgsync_Key__c"].split(".")[1] for task in stage.objects("salesforce")["Task"]]
        assert sorted(days) == ["20260630"] * 3 + ["20260915"] * 3
