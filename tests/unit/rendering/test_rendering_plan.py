"""What a person reads of a plan: links to every record in doubt, fields left to people, other objects, no values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from sqlalchemy import Engine

from connectors.base import Match
from tests.unit.planning.test_make_plan import QuietConnector, plan_of, task, view, wanted
from worker.delivery.backlog import waiting_rows
from worker.delivery.outbox import NewFields, queue_fields
from worker.language.values import Value
from worker.pipeline.compute import Computed
from worker.pipeline.measure import Measured
from worker.planning.account_in_crm import account_in_crms
from worker.planning.plan import HumanOwnedField
from worker.planning.read_crm import read_crm
from worker.rendering.outbox import render_outbox
from worker.rendering.plan import render_plan
from worker.rendering.remarks import remarks, remarks_json
from worker.rules.actions import Contact
from worker.signals.data_report import DataReport


def shown(renderable: Any) -> str:
    console = Console(width=400)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def computed() -> Computed:
    """``a`` could be two records, ``b`` is a lead, a person changed a field of ``c``, and its task names nobody."""
    matches = {
        "a": Match(account_id="a", status="ambiguous", candidates=("R1", "R2")),
        "b": Match(account_id="b", status="matched", record_id="L1", by="account_key", object="leads"),
        "c": Match(account_id="c", status="matched", record_id="R3", by="account_key"),
    }
    made = view(connector=QuietConnector(matches))
    accounts: dict[str, dict[str, Value]] = {
        name: {"account.name": f"Company {name}", "health.score": 7} for name in "abc"
    }
    read_crm(made, accounts)
    plan = plan_of(made, wanted(accounts, task("c", contact=Contact("top_user.email", None))))
    plan.human_owned.append(HumanOwnedField("crm", "c", "R3", "https://crm.example/R3", "health_band", "band"))
    as_of = datetime(2026, 7, 1, tzinfo=UTC)
    return Computed(
        as_of=as_of,
        accounts=accounts,
        written=dict(accounts),
        scored={},
        playbooks={},
        enrollments={},
        views=[made],
        plan=plan,
        source=Measured(
            now={},
            then={},
            report=DataReport(as_of=as_of, tables=()),
            listed=frozenset(),
        ),
    )


def test_plan_and_report_link_to_every_record_an_account_could_be() -> None:
    links = "crm: Company a could be 2 records: https://crm.example/R1 https://crm.example/R2"
    assert links in list(remarks(computed()))
    assert links in shown(render_plan(computed(), []))
    assert remarks_json(computed())["ambiguous"] == [
        {
            "destination": "crm",
            "account_id": "a",
            "candidates": ["https://crm.example/R1", "https://crm.example/R2"],
            "rivals": [],
        }
    ]


def test_many_accounts_in_doubt_are_counted_and_the_first_are_shown() -> None:
    made = computed()
    (one,) = made.plan.unmatched
    made.plan.unmatched = [replace(one, account_id=f"a{n}") for n in range(7)]
    assert list(remarks(made))[5] == "… and 2 more accounts that could be several records; --json shows all"


def test_a_field_left_to_a_person_is_named_with_its_record() -> None:
    lines = list(remarks(computed()))
    at = lines.index("crm: 1 field on 1 record left to people, who changed them (write: if_ours):")
    assert lines[at + 1] == "  band of Company c: https://crm.example/R3"
    assert remarks_json(computed())["human_owned"][0]["record"] == "https://crm.example/R3"


def test_why_a_task_names_nobody_stands_beside_it_and_in_the_sum() -> None:
    assert "crm: 1 task names no person: top_user.email is not known" in list(remarks(computed()))
    assert shown(render_plan(computed(), [])).count("top_user.email is not known") == 2


def test_another_object_than_usual_is_named_in_plan_outbox_and_explanation(store: Engine) -> None:
    made = computed()
    assert [(one.record_id, one.object) for one in made.plan.records] == [("L1", "leads"), ("R3", "companies")]
    assert "Company b (leads)" in shown(render_plan(made, []))
    assert "(companies)" not in shown(render_plan(made, []))
    with store.begin() as connection:
        queue_fields(connection, [NewFields("crm", "b", "L1", "leads", {"health": 7})], "r")
        assert "fields of leads" in shown(render_outbox(waiting_rows(connection)))
    (lead,) = account_in_crms(store, made.views, "b")
    (unsure,) = account_in_crms(store, made.views, "a")
    assert (lead.status, lead.object, lead.links) == ("matched", "leads", ("https://crm.example/L1",))
    assert [(one.kind, one.state, one.object) for one in lead.effects] == [("fields", "pending", "leads")]
    assert (unsure.status, unsure.links) == ("ambiguous", ("https://crm.example/R1", "https://crm.example/R2"))


def test_accounts_that_claim_one_record_name_each_other() -> None:
    found = {one: Match(account_id=one, status="matched", record_id="R1", by="domain") for one in "ab"}
    made = view(connector=QuietConnector(found))
    accounts: dict[str, dict[str, Value]] = {name: {"account.name": f"Company {name}"} for name in "ab"}
    read_crm(made, accounts)
    both = replace(computed(), accounts=accounts, plan=plan_of(made, wanted(accounts)))
    lines = list(remarks(both))
    assert "crm: Company a may not be this record (Company b claims it too): https://crm.example/R1" in lines
    assert "crm: Company b may not be this record (Company a claims it too): https://crm.example/R1" in lines
    assert [one["rivals"] for one in remarks_json(both)["ambiguous"]] == [["b"], ["a"]]
