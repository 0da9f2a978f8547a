"""Picking rows of the outbox by how they stand; many are changed only after they were counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select
from typer.testing import CliRunner, Result

from worker.cli import app
from worker.delivery.outbox import NO_RECORD
from worker.reports.names import UnknownName
from worker.settings.environment import database_url
from worker.settings.shipped import write_project
from worker.store.engine import database_time, open_store
from worker.store.tables import outbox

ROWS = {  # by account: state, last code, seconds until due
    "waits": ("pending", "", -5),
    "backs-off": ("pending", "RETRY", 60),
    "quota": ("pending", "QUOTA", 3600),
    "denied": ("pending", "ACCESS_DENIED", 30),
    "sends": ("leased", "", 100),
    "its-worker-died": ("leased", "", -100),
    "refused": ("parked", "FIELD_CUSTOM_VALIDATION_EXCEPTION", 0),
    "no-record": ("parked", NO_RECORD, 0),
    "dead": ("dead", "CRASHED", 0),
    "done": ("done", "", 0),
    "dropped": ("dropped", "", 0),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PLGSYNC_DATABASE_URL", raising=False)
    write_project(tmp_path)
    (tmp_path / "config" / "crm.yaml").write_text("version: 1\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[Engine]:
    engine = open_store(database_url(folder))
    with engine.begin() as connection:
        at = database_time(connection)
        rows: list[dict[str, object]] = [
            {
                "destination": name,
                "kind": "task_create",
                "idem_key": f"task_create:{name}:{account}",
                "account_id": account,
                "record_id": f"R-{account}",
                "playbook_id": "pql" if name == "hubspot" else "save",
                "payload": {},
                "payload_hash": "",
                "context": {},
                "state": state,
                "last_code": code,
                "due_at": at + due_in,
                "run_id": "r",
                "created_at": at,
            }
            for name in ("hubspot", "salesforce")
            for account, (state, code, due_in) in ROWS.items()
        ]
        connection.execute(insert(outbox), rows)
    yield engine
    engine.dispose()


def plgsync(folder: Path, *arguments: str) -> Result:
    from worker.runtime.failures import explain_failure

    done = CliRunner().invoke(app, [*arguments, "--project", str(folder)])
    assert done.exception is None or isinstance(done.exception, SystemExit), explain_failure(done.exception)
    return done


def accounts(folder: Path, *filters: str) -> list[str]:
    listed = plgsync(folder, "outbox", "list", "--json", "--destination", "hubspot", *filters)
    return [row["account_id"] for row in json.loads(listed.stdout)]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("state", "accounts_in_it"),
    [
        ("waiting", ["waits", "backs-off", "its-worker-died"]),
        ("quota", ["quota"]),
        ("denied", ["denied"]),
        ("sending", ["sends"]),
        ("parked", ["refused"]),
        ("unmatched", ["no-record"]),
        ("dead", ["dead"]),
    ],
)
def test_rows_are_found_by_their_state(folder: Path, state: str, accounts_in_it: list[str]) -> None:
    assert accounts(folder, "--state", state) == accounts_in_it


@pytest.mark.usefixtures("store")
def test_filters_combine_and_none_shows_everything_that_is_not_settled(folder: Path) -> None:
    assert accounts(folder) == [name for name in ROWS if name not in {"done", "dropped"}]
    assert accounts(folder, "--state", "dead", "--state", "parked") == ["refused", "dead"]
    assert accounts(folder, "--account", "refused") == accounts(folder, "--account", "R-refused") == ["refused"]
    assert accounts(folder, "--playbook", "save") == []
    shown = plgsync(folder, "outbox", "list", "--state", "quota").stdout
    assert "waiting for quota" in " ".join(shown.split())
    assert "UTC" in shown


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("arguments", [["list", "--state", "deadd"], ["drop", "--state", "deadd", "--all-matching"]])
def test_a_state_that_does_not_exist_is_named_with_the_nearest(folder: Path, arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["outbox", *arguments, "--project", str(folder)])
    assert isinstance(done.exception, UnknownName)
    assert str(done.exception) == 'there is no state "deadd". Did you mean "dead"?'


def test_a_row_that_does_not_exist_is_said_and_no_other_is_changed(folder: Path, store: Engine) -> None:
    done = CliRunner().invoke(app, ["outbox", "drop", "1", "99999", "--project", str(folder)])
    assert isinstance(done.exception, UnknownName)
    assert str(done.exception) == "the outbox has no row 99999; nothing was changed"
    with store.begin() as connection:
        assert connection.execute(select(outbox.c.state).where(outbox.c.id == 1)).scalar() == "pending"


@pytest.mark.usefixtures("store")
def test_many_are_counted_first_and_changed_only_when_asked_for(folder: Path) -> None:
    asked = plgsync(folder, "outbox", "retry", "--destination", "hubspot")
    assert (asked.exit_code, asked.stdout.strip()) == (1, "2 rows match")
    assert accounts(folder, "--state", "dead") == ["dead"]
    done = plgsync(folder, "outbox", "retry", "--destination", "hubspot", "--all-matching")
    assert (done.exit_code, "2 rows will be sent again" in done.stdout) == (0, True)
    assert set(accounts(folder, "--state", "waiting")) >= {"refused", "dead"}
    assert plgsync(folder, "outbox", "retry", "--state", "dead", "--destination", "hubspot").exit_code == 0, "none left"

    dropped = plgsync(folder, "outbox", "drop", "--destination", "hubspot", "--all-matching")
    assert dropped.exit_code == 0
    assert accounts(folder) == ["sends"], "what is being sent stays"
    assert len(json.loads(plgsync(folder, "outbox", "list", "--json").stdout)) == 1 + 9


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("arguments", [["retry"], ["drop", "1", "--state", "dead"]])
def test_neither_and_both_are_wrong_usage(folder: Path, arguments: list[str]) -> None:
    assert plgsync(folder, "outbox", *arguments).exit_code == 2


@pytest.mark.usefixtures("store")
def test_status_ends_with_1_when_somebody_has_to_act_and_says_what(folder: Path) -> None:
    (folder / "config" / "crm.yaml").write_text(
        "version: 1\ndestinations:\n  hubspot:\n    kind: hubspot\n    auth: {token: env:TOKEN}\n"
        "    account: {object: companies, match_field: plgsync_account_id}\n",
        encoding="utf-8",
    )
    (folder / "playbooks").rename(folder / "none")
    done = plgsync(folder, "status", "--json")
    assert done.exit_code == 1
    status = json.loads(done.stdout)
    waiting = {row["row_state"]: row for row in status["outbox"] if row["destination"] == "hubspot"}
    assert waiting["waiting"]["rows"] == 3
    assert waiting["waiting"]["late_s"] >= 100
    assert waiting["quota"]["until"] > status["at"]
    said = " ".join(status["needs_person"])
    for words in ("1 dead in the outbox", "denies access", "share of the day's calls is spent", "rejected 1 write:"):
        assert words in said
    assert "needs a person" in plgsync(folder, "status").stdout
