"""What a person reads of an effect says what is known of it and no more."""

from __future__ import annotations

from rich.console import Console

from worker.rendering.history import render_effects
from worker.reports.history import Effect, Written

LOST = Effect(
    at=0.0,
    destination="crm",
    kind="fields",
    account_id="a",
    record_id="001A",
    crm_id=None,
    key="001A",
    run_id="",
    as_of="",
    config_version="",
    playbook_id="",
    event="",
    because="",
    task="",
    fields=(Written(field="Health__c", name="health", old=None, old_known=False, new=55, by="", because=""),),
    status="unknown",
    code="LEASE_ENDED",
    reason="its worker died",
)


def test_what_a_dead_worker_sent_is_shown_without_a_run_or_a_reason_that_are_not_its_own() -> None:
    console = Console(width=200)
    with console.capture() as shown:
        console.print(render_effects("001A", [LOST]))
    head, run, written = shown.get().splitlines()
    assert "no answer: it may be applied LEASE_ENDED its worker died" in head
    assert run.strip() == "an unknown run, account a"
    assert written.strip() == "Health__c: ? → 55"
