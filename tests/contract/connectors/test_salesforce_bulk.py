"""Bulk jobs: one upload for very many records, whatever happens meanwhile, and an honest outcome for each."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import pytest

from connectors.base import Connector, CreateTask, Outcome, QuotaExhausted, Scalar, Underway, UpdateFields
from connectors.registry import connect
from connectors.salesforce.bulk_journal import KEPT_SECONDS, NO_BULK_SECONDS, BulkJournal
from tests.contract.connectors.drive import companies, deliver, statuses, update, values
from tests.contract.connectors.harness_salesforce import SalesforceCrm
from tests.contract.connectors.paper_journal import PaperJournal

pytestmark = pytest.mark.parametrize("running", ["salesforce"], indirect=True)

FROM = 10


@pytest.fixture
def journal(tmp_path: Path) -> PaperJournal:
    return PaperJournal(tmp_path)


@pytest.fixture(autouse=True)
def close_all() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


OPENED: list[Connector] = []


def bulk(crm: SalesforceCrm, journal: PaperJournal | None, **options: Any) -> Connector:
    """A connector as another process has it."""
    destination = replace(crm.destination(), options={"bulk_from": FROM, **options})
    OPENED.append(connect(destination, journal))
    return OPENED[-1]


def later(crm: SalesforceCrm, journal: PaperJournal, seconds: float) -> Connector:
    """Another process, so many seconds from now."""
    connector: Any = bulk(crm, journal)
    connector._bulk = replace(connector._bulk, journal=BulkJournal(journal, lambda: time.time() + seconds))
    return cast(Connector, connector)


def deliver_all(crm: SalesforceCrm, journal: PaperJournal, operations: Sequence[UpdateFields]) -> list[Outcome]:
    """The final outcomes, in order; each attempt is by another process."""
    outcomes = deliver(crm, operations, lambda: bulk(crm, journal))
    return [outcomes[op.key] for op in operations]


def apply_all(crm: SalesforceCrm, journal: PaperJournal, operations: Sequence[UpdateFields]) -> None:
    assert {one.status for one in deliver_all(crm, journal, operations)} == {"applied"}


def start_job(crm: SalesforceCrm, journal: PaperJournal, operations: Sequence[UpdateFields]) -> None:
    """Write, and leave Salesforce at work."""
    with pytest.raises(Underway):
        bulk(crm, journal).write(operations)


def requests_made(crm: SalesforceCrm) -> Counter[str]:
    """How often each step of a job was accepted, and Collections calls."""
    found: Counter[str] = Counter()
    entries = crm.log(bodies="1")["entries"]
    for one in entries:
        if one["status"] is None or one["status"] >= 300:
            continue
        path, method = one["path"], one["method"]
        if "/composite/sobjects" in path:
            found["collections"] += 1
        elif path.endswith("/jobs/ingest"):
            found["created"] += 1
        elif path.endswith("/batches"):
            found["uploaded"] += 1
        elif method == "PATCH":
            found[json.loads(one["body"])["state"]] += 1
        elif method == "DELETE":
            found["deleted"] += 1
    return found


def scores(crm: SalesforceCrm, records: Sequence[str], plus: int = 0) -> list[UpdateFields]:
    return [update(crm, record, score=n + plus) for n, record in enumerate(records)]


def fault(crm: SalesforceCrm, kind: str, path: str, method: str, **match: Any) -> None:
    args = {"status": 503} if kind == "status" else {"bytes": 10} if kind == "truncate" else {}
    crm.control("faults", {"kind": kind, "args": args, "match": {"path_regex": path, "method": method, **match}})


def refuse_jobs(crm: SalesforceCrm) -> None:
    refused = [{"errorCode": "FEATURENOTENABLED", "message": "Feature not enabled on this organization"}]
    answer = {"kind": "status", "args": {"status": 403, "body": refused}}
    crm.control("faults", {**answer, "match": {"path_regex": "/jobs/ingest", "every": 1}})


# ------------------------------------------------------------------ the good way


def test_very_many_updates_are_one_job_that_another_process_finishes(crm: SalesforceCrm, journal: PaperJournal) -> None:
    crm.control("config", {"bulk_queue_ms": 30_000})
    operations = scores(crm, companies(crm, 25))
    crm.forget_calls()
    with pytest.raises(Underway) as caught:
        bulk(crm, journal).write(operations)
    assert caught.value.retry_after > 0
    start_job(crm, journal, operations)
    crm.pass_time(60)
    last = bulk(crm, journal)
    outcomes = last.write(operations)
    assert [(one.key, one.status, one.record_id) for one in outcomes] == [
        (op.key, "applied", op.record_id) for op in operations
    ]
    assert values(crm, [op.record_id for op in operations], "score") == list(range(25))
    assert requests_made(crm) == {"created": 1, "uploaded": 1, "UploadComplete": 1, "deleted": 1}
    assert journal.names() == []


def test_fewer_updates_tasks_and_connectors_without_a_journal_take_collections(
    crm: SalesforceCrm, journal: PaperJournal
) -> None:
    operations = scores(crm, companies(crm, 12))
    crm.forget_calls()
    assert statuses(bulk(crm, journal).write(operations[: FROM - 1])) == ["applied"] * (FROM - 1)
    assert statuses(bulk(crm, None).write(operations)) == ["applied"] * 12
    assert statuses(bulk(crm, journal, bulk_from=0).write(operations)) == ["applied"] * 12
    assert requests_made(crm) == {"collections": 3}


def test_batches_and_calls_are_reported(crm: SalesforceCrm, journal: PaperJournal) -> None:
    ours = connect(replace(crm.destination(), options={}), journal)
    assert [ours.batch_size(UpdateFields, n) for n in (1, 3_999, 4_000, 60_000)] == [200, 200, 4_000, 50_000]
    assert [ours.fewest_calls(UpdateFields, n) for n in (1_000, 4_000, 60_000)] == [5, 4, 8]
    assert (ours.batch_size(CreateTask, 9_000), ours.fewest_calls(CreateTask, 9_000)) == (200, 45)
    packed = connect(replace(crm.destination(), options={"composite": True}))
    assert (packed.batch_size(UpdateFields, 9_000), packed.fewest_calls(UpdateFields, 9_000)) == (1_000, 9)


def test_every_type_arrives_as_by_collections_and_none_clears(crm: SalesforceCrm, journal: PaperJournal) -> None:
    records = companies(crm, 12, score=1, band="Old", ratio=0.5)
    full: dict[str, Scalar] = {
        "ratio": 0.25,
        "band": 'ü, "q"; #N',
        "since": "2026-11-01",
        "seen_at": "2026-11-22T08:30:00Z",
        "flag": True,
        "kind": "a",
        "score": None,
    }
    operations = [update(crm, record, **full) for record in records[:11]] + [update(crm, records[11], flag=False)]
    apply_all(crm, journal, operations)
    assert {name: crm.company(records[0])[name] for name in full} == full
    untouched = crm.company(records[11])
    assert (untouched["score"], untouched["band"], untouched["ratio"]) == (1, "Old", 0.5)


def test_what_a_csv_cannot_carry_goes_by_collections(crm: SalesforceCrm, journal: PaperJournal) -> None:
    records = companies(crm, 14)
    operations = scores(crm, records[:11])
    texts = ["two\nlines", "cr\rhere", "#N/A"]
    operations += [update(crm, record, band=words) for record, words in zip(records[11:], texts, strict=True)]
    apply_all(crm, journal, operations)
    assert values(crm, records[11:], "band") == texts
    assert requests_made(crm)["UploadComplete"] == 1


# ------------------------------------------------------------------ outcomes


def test_a_refused_row_costs_only_itself_and_shows_no_value(crm: SalesforceCrm, journal: PaperJournal) -> None:
    records = companies(crm, 14)
    crm.human_deletes_company(records[3])
    operations = scores(crm, records)
    operations[5] = update(crm, records[5], band="secret words beyond sixteen characters")
    outcomes = deliver_all(crm, journal, operations)
    assert [n for n, one in enumerate(outcomes) if one.status != "applied"] == [3, 5]
    assert (outcomes[3].stale_record, outcomes[3].code) == (True, "ENTITY_IS_DELETED")
    assert (outcomes[5].code, "secret" in outcomes[5].reason) == ("STRING_TOO_LONG", False)
    assert "data value too large" in outcomes[5].reason
    assert requests_made(crm)["collections"] == 0


def test_a_value_that_changed_meanwhile_is_written_as_it_is_now(crm: SalesforceCrm, journal: PaperJournal) -> None:
    records = companies(crm, 12)
    start_job(crm, journal, scores(crm, records))
    newer = scores(crm, records[:2], plus=50)
    cleared = [update(crm, records[2], score=None)]
    wider = [update(crm, records[3], score=3, band="new")]
    apply_all(crm, journal, [*newer, *cleared, *wider, *scores(crm, records)[4:]])
    assert values(crm, records, "score") == [50, 51, None, *range(3, 12)]
    assert crm.company(records[3])["band"] == "new"
    assert requests_made(crm)["UploadComplete"] == 1


def test_a_record_outside_the_job_is_written_now(crm: SalesforceCrm, journal: PaperJournal) -> None:
    records = companies(crm, 15)
    operations = scores(crm, records)
    start_job(crm, journal, operations[:12])
    crm.forget_calls()
    assert statuses(bulk(crm, journal).write(operations)) == ["applied"] * 15
    assert values(crm, records, "score") == list(range(15))
    assert requests_made(crm) == {"collections": 1, "deleted": 1}


def test_a_finished_job_waits_for_its_own_while_others_are_written(crm: SalesforceCrm, journal: PaperJournal) -> None:
    records = companies(crm, 13)
    operations = scores(crm, records)
    start_job(crm, journal, operations[:12])
    assert statuses(bulk(crm, journal).write(operations[12:])) == ["applied"]
    assert statuses(bulk(crm, journal).write(operations[:12])) == ["applied"] * 12
    assert values(crm, records, "score") == list(range(13))
    assert requests_made(crm) == {"created": 1, "uploaded": 1, "UploadComplete": 1, "deleted": 1, "collections": 1}
    assert journal.names() == []


def test_a_finished_job_is_reported_in_parts_until_all_of_it_is_known(
    crm: SalesforceCrm, journal: PaperJournal
) -> None:
    records = companies(crm, 35)
    operations = scores(crm, records)
    start_job(crm, journal, operations[:12])
    assert statuses(bulk(crm, journal).write(operations[5:])) == ["applied"] * 7 + ["retry"] * 23
    assert statuses(bulk(crm, journal).write(operations[:5])) == ["applied"] * 5
    assert requests_made(crm) == {"created": 1, "uploaded": 1, "UploadComplete": 1, "deleted": 1}
    assert journal.names() == []


def test_unrequested_results_delay_the_others_for_minutes_not_for_days(
    crm: SalesforceCrm, journal: PaperJournal
) -> None:
    records = companies(crm, 213)
    operations = scores(crm, records)
    start_job(crm, journal, operations[:12])
    for _ in range(2):
        start_job(crm, journal, operations[12:])
    assert requests_made(crm) == {"created": 1, "uploaded": 1, "UploadComplete": 1}
    assert statuses(later(crm, journal, KEPT_SECONDS + 60).write(operations[12:])) == ["retry"] * 201
    assert journal.names() == []
    apply_all(crm, journal, operations[12:])
    assert values(crm, records, "score") == list(range(213))


def test_many_records_outside_the_job_get_another_job(crm: SalesforceCrm, journal: PaperJournal) -> None:
    records = companies(crm, 30)
    operations = scores(crm, records)
    start_job(crm, journal, operations[:12])
    assert statuses(bulk(crm, journal).write(operations)) == ["applied"] * 12 + ["retry"] * 18
    apply_all(crm, journal, operations[12:])
    assert values(crm, records, "score") == list(range(30))
    assert requests_made(crm) == {"created": 2, "uploaded": 2, "UploadComplete": 2, "deleted": 2}


def test_an_unknown_column_fails_the_job_but_only_its_own_record(crm: SalesforceCrm, journal: PaperJournal) -> None:
    records = companies(crm, 14)
    operations = scores(crm, records)
    operations[4] = replace(operations[4], values={"Ghost__c": 1})
    outcomes = deliver_all(crm, journal, operations)
    assert statuses(outcomes) == ["applied"] * 4 + ["rejected"] + ["applied"] * 9
    assert outcomes[4].code == "INVALID_FIELD"
    assert requests_made(crm)["UploadComplete"] == 1


def test_what_a_stopped_job_has_applied_is_not_written_twice(crm: SalesforceCrm, journal: PaperJournal) -> None:
    crm.control("config", {"fail_after_rows": 5})
    records = companies(crm, 14)
    apply_all(crm, journal, scores(crm, records))
    assert values(crm, records, "score") == list(range(14))
    entries = crm.log()["entries"]
    assert [one["records"] for one in entries if "composite/sobjects" in one["path"]] == [9]


@pytest.mark.parametrize("kind", ["lock", "wrap_lock_in_trigger"])
def test_a_record_locked_in_the_job_is_sent_again(crm: SalesforceCrm, journal: PaperJournal, kind: str) -> None:
    records = companies(crm, 12)
    words = f"unable to obtain exclusive access to this record or 200 records: {records[0]}"
    code = "UNABLE_TO_LOCK_ROW" if kind == "lock" else "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
    words = words if kind == "lock" else f"SyncTrigger: first error: UNABLE_TO_LOCK_ROW, {words}: []"
    start_job(crm, journal, scores(crm, records))
    score = crm.field("score")
    refused = f'"sf__Id","sf__Error",Id,{score}\n"","{code}:{words}:--","{records[0]}","0"\n'
    rows = [f'"{record}","false","{record}","{n}"' for n, record in enumerate(records) if n]
    applied = "\n".join([f'"sf__Id","sf__Created",Id,{score}', *rows]) + "\n"
    for path, text in (("failedResults", refused), ("successfulResults", applied)):
        answer = {"status": 200, "text": text, "headers": {"Content-Type": "text/csv"}}
        crm.control("faults", {"kind": "status", "args": answer, "match": {"path_regex": path}})
    assert statuses(bulk(crm, journal).write(scores(crm, records))) == ["applied"] * 12
    assert requests_made(crm)["collections"] == 1


# ------------------------------------------------------------------ bad days


@pytest.mark.parametrize("stage", ["/jobs/ingest$", "/batches$", "/jobs/ingest/750"])
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "status"])
def test_a_step_without_an_answer_ends_well_and_applies_once(
    crm: SalesforceCrm, journal: PaperJournal, stage: str, kind: str
) -> None:
    records = companies(crm, 12)
    method = {"/jobs/ingest$": "POST", "/batches$": "PUT"}.get(stage, "PATCH")
    fault(crm, kind, stage, method)
    apply_all(crm, journal, scores(crm, records))
    assert values(crm, records, "score") == list(range(12))
    assert requests_made(crm)["collections"] == 0
    assert journal.names() == []


@pytest.mark.parametrize("path", ["/jobs/ingest/750[^/]*$", "successfulResults", "failedResults"])
@pytest.mark.parametrize("kind", ["drop_before", "status", "truncate"])
def test_a_look_that_fails_is_taken_again_and_nothing_is_uploaded_twice(
    crm: SalesforceCrm, journal: PaperJournal, path: str, kind: str
) -> None:
    records = companies(crm, 12)
    fault(crm, kind, path, "GET")
    apply_all(crm, journal, scores(crm, records))
    assert requests_made(crm)["uploaded"] == requests_made(crm)["UploadComplete"] == 1
    assert requests_made(crm)["collections"] == 0


def test_a_job_an_admin_aborts_or_deletes_is_started_again(crm: SalesforceCrm, journal: PaperJournal) -> None:
    crm.control("config", {"bulk_queue_ms": 30_000})
    records = companies(crm, 12)
    for gone in ("aborted", "deleted"):
        operations = scores(crm, records, plus=len(gone))
        start_job(crm, journal, operations)
        client = bulk(crm, journal)._client  # type: ignore[attr-defined]
        job = str(journal.read("salesforce_bulk_job")).split()[0]
        client.write("PATCH", f"jobs/ingest/{job}", {"state": "Aborted"})
        if gone == "deleted":
            client.write("DELETE", f"jobs/ingest/{job}", None)
        apply_all(crm, journal, operations)
        assert values(crm, records, "score") == [n + len(gone) for n in range(12)]


def test_a_user_without_the_bulk_api_gets_collections(crm: SalesforceCrm, journal: PaperJournal) -> None:
    refuse_jobs(crm)
    records = companies(crm, 12)
    assert statuses(bulk(crm, journal).write(scores(crm, records))) == ["applied"] * 12
    assert values(crm, records, "score") == list(range(12))


def test_after_a_refusal_each_write_is_one_call_and_no_job_is_tried_for_an_hour(
    crm: SalesforceCrm, journal: PaperJournal
) -> None:
    refuse_jobs(crm)
    records = companies(crm, 450)
    operations = scores(crm, records)
    crm.forget_calls()
    assert statuses(bulk(crm, journal).write(operations)) == ["applied"] * 200 + ["retry"] * 250
    assert values(crm, records, "score") == [*range(200), *[None] * 250]
    assert bulk(crm, journal).batch_size(UpdateFields, 9_000) == 200
    assert statuses(bulk(crm, journal).write(operations[200:])) == ["applied"] * 200 + ["retry"] * 50
    assert [one.path.rpartition("/")[2] for one in crm.calls() if "oauth2" not in one.path] == [
        "ingest",
        "sobjects",
        "sobjects",
    ]
    assert later(crm, journal, NO_BULK_SECONDS + 60).batch_size(UpdateFields, 9_000) == 9_000


def test_what_a_failed_job_leaves_is_written_a_call_at_a_time(crm: SalesforceCrm, journal: PaperJournal) -> None:
    crm.control("config", {"fail_after_rows": 5})
    records = companies(crm, 230)
    operations = scores(crm, records)
    start_job(crm, journal, operations)
    crm.forget_calls()
    assert Counter(statuses(bulk(crm, journal).write(operations))) == {"applied": 205, "retry": 25}
    assert requests_made(crm) == {"collections": 1, "deleted": 1}
    assert bulk(crm, journal).batch_size(UpdateFields, 9_000) == 200
    apply_all(crm, journal, operations)
    assert values(crm, records, "score") == list(range(230))
    assert requests_made(crm)["created"] == 0


def test_very_many_that_no_csv_can_carry_are_written_a_call_at_a_time(
    crm: SalesforceCrm, journal: PaperJournal
) -> None:
    records = companies(crm, 210)
    operations = [update(crm, record, band="two\nlines") for record in records]
    assert statuses(bulk(crm, journal).write(operations)) == ["applied"] * 200 + ["retry"] * 10
    assert bulk(crm, journal).batch_size(UpdateFields, 9_000) == 200


def test_applied_rows_are_reported_even_if_the_rest_cannot_be_sent(crm: SalesforceCrm, journal: PaperJournal) -> None:
    records = companies(crm, 13)
    operations = [*scores(crm, records[:12]), update(crm, records[12], band="two\nlines")]
    start_job(crm, journal, operations)
    crm.control("faults", {"kind": "quota_exhausted", "match": {"path_regex": "/composite/sobjects"}})
    assert statuses(bulk(crm, journal).write(operations)) == ["applied"] * 12 + ["retry"]
    assert journal.names() == []


def test_a_quota_used_up_on_the_way_loses_nothing(crm: SalesforceCrm, journal: PaperJournal) -> None:
    records = companies(crm, 12)
    crm.control("faults", {"kind": "quota_exhausted", "match": {"path_regex": "/jobs/ingest/750", "method": "PATCH"}})
    with pytest.raises(QuotaExhausted):
        bulk(crm, journal).write(scores(crm, records))
    apply_all(crm, journal, scores(crm, records))
    assert requests_made(crm) == {"created": 1, "uploaded": 1, "UploadComplete": 1, "deleted": 1}


def test_a_session_that_ends_on_the_way_is_renewed_and_the_upload_whole(
    crm: SalesforceCrm, journal: PaperJournal
) -> None:
    records = companies(crm, 12)
    fault(crm, "session_expire", "/batches", "PUT")
    apply_all(crm, journal, scores(crm, records))
    assert requests_made(crm) == {"created": 1, "uploaded": 1, "UploadComplete": 1, "deleted": 1}


# ------------------------------------------------------------------ kill -9

STEPS = ["create", "upload", "close", "poll", "read applied", "read refused", "write the rest", "delete"]


def killed(crm: SalesforceCrm, folder: Path, operations: Sequence[UpdateFields], request: int, moment: str) -> bool:
    """Let a worker process deliver, and kill it at one of its requests; whether that came to pass."""
    destination = {name: getattr(crm.destination(), name) for name in ("name", "kind", "base_url", "api_version")}
    auth = {name: crm.address[name] for name in ("client_id", "client_secret")} | {"method": "client_credentials"}
    destination |= {"auth": auth, "object": "Account", "match_field": crm.destination().match_field}
    order = {
        "request": request,
        "moment": moment,
        "destination": destination | {"options": {"bulk_from": FROM}},
        "operations": [asdict(op) for op in operations],
    }
    process = subprocess.run(
        [sys.executable, "-m", "tests.contract.connectors.bulk_process", str(folder)],
        cwd=Path(__file__).parents[3],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode in (0, -signal.SIGKILL), process.stderr
    return process.returncode != 0


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_worker_killed_at_any_request_leaves_a_job_that_is_finished_not_repeated(
    crm: SalesforceCrm, journal: PaperJournal, step: str, moment: str
) -> None:
    records = companies(crm, 13)
    operations = [*scores(crm, records[:12]), update(crm, records[12], band="two\nlines")]
    crm.forget_calls()
    assert killed(crm, journal.folder, operations, STEPS.index(step) + 1, moment)
    apply_all(crm, journal, operations)
    assert values(crm, records[:12], "score") == list(range(12))
    assert crm.company(records[12])["band"] == "two\nlines"
    assert journal.names() == []
    made = requests_made(crm)
    # Killed when all was known but not yet kept, the same values are sent once more; else the job runs once.
    assert made["UploadComplete"] == (2 if step == "delete" else 1)
    assert made["uploaded"] - made["UploadComplete"] == (1 if (step, moment) == ("upload", "after") else 0)
    assert made["Aborted"] == made["created"] - made["UploadComplete"] - ((step, moment) == ("create", "after"))


def test_a_worker_that_nobody_kills_makes_these_requests(crm: SalesforceCrm, journal: PaperJournal) -> None:
    """So that the cases above are killed where they say."""
    records = companies(crm, 13)
    operations = [*scores(crm, records[:12]), update(crm, records[12], band="two\nlines")]
    crm.forget_calls()
    assert not killed(crm, journal.folder, operations, len(STEPS) + 1, "before")
    made = [(one.method, one.path.rpartition("/")[2]) for one in crm.calls() if "oauth2" not in one.path]
    assert [method for method, _ in made] == ["POST", "PUT", "PATCH", "GET", "GET", "GET", "PATCH", "DELETE"]
    assert [path for _, path in made][4:7] == ["successfulResults", "failedResults", "sobjects"]
