"""Every report but ``check`` and ``explain`` needs the state database only: no valid settings, no secret, no CRM."""

from __future__ import annotations

import json
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import Engine, insert
from typer.testing import CliRunner, Result

from connectors.base.values import one_line
from worker import reports
from worker.cli import app
from worker.reports.names import UnknownName
from worker.reports.prometheus import StoreCollector
from worker.reports.reader import open_reader
from worker.runtime.heartbeat import beat
from worker.settings.environment import database_url
from worker.settings.project import CONFIG, NO_PLAYBOOKS
from worker.settings.shipped import write_project
from worker.store.engine import database_time, open_store
from worker.store.job_results import record_job_result
from worker.store.state import save_volume
from worker.store.tables import ledger, outbox, playbook_runs, runs, score_memory

REPORTS = {
    "status": ["status", "--json"],
    "outbox": ["outbox", "list", "--json"],
    "history": ["history", "001A", "--json"],
    "history of a field": ["history", "001A", "--field", "health_score", "--json"],
    "fields": ["fields", "--json"],
    "prometheus": ["exporter", "--once"],
    "liveness": ["probe", "--live", "--json"],
    "readiness": ["probe", "--ready", "--json"],
}
NEED_SETTINGS = {"check", "explain"}
NOT_REPORTS = {"people_check", "tasks_check", "earlier_runs", "past", "reader", "names", "needs_person"}
SALESFORCE = """\
version: 1
destinations:
  salesforce:
    kind: salesforce
    base_url: https://example.my.salesforce.com
    auth: {method: client_credentials, client_id: env:NO_SUCH_ID, client_secret: env:NO_SUCH_SECRET}
    account: {object: Account, match_field: Plgsync_Account_Id__c}
    fields:
      health_score: {field: Health_Score__c, from: health.score, type: number}
"""


def wrong_yaml(config: Path) -> None:
    (config / "crm.yaml").write_text("version: 1\ndestinations: [\n", encoding="utf-8")


def missing_file(config: Path) -> None:
    (config / "scores.yaml").unlink()


def unknown_key(config: Path) -> None:
    with (config / "schedule.yaml").open("a", encoding="utf-8") as file:
        file.write("nonsense: 1\n")


def missing_folder(config: Path) -> None:
    config.rename(config.with_name("config.old"))


def file_for_a_folder(config: Path) -> None:
    shutil.rmtree(config)
    config.write_text("", encoding="utf-8")


def link_to_nowhere(config: Path) -> None:
    missing_folder(config)
    config.symlink_to("nowhere")


def link_to_itself(config: Path) -> None:
    missing_folder(config)
    config.symlink_to("config")


def alerts_lead_nowhere(config: Path) -> None:
    (config / "alerts.yaml").unlink()
    (config / "alerts.yaml").symlink_to("nowhere.yaml")


def alerts_lead_to_themselves(config: Path) -> None:
    (config / "alerts.yaml").unlink()
    (config / "alerts.yaml").symlink_to("alerts.yaml")


BROKEN = [
    wrong_yaml,
    missing_file,
    unknown_key,
    missing_folder,
    file_for_a_folder,
    link_to_nowhere,
    link_to_itself,
    alerts_lead_nowhere,
    alerts_lead_to_themselves,
]
Break = Callable[[Path], None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A valid project without playbooks, whose secrets are not set. Every try to open a connector fails the test."""
    for name in ("PLGSYNC_DATABASE_URL", "PLGSYNC_BROKER_URL", "PLGSYNC_HEARTBEAT", "NO_SUCH_ID", "NO_SUCH_SECRET"):
        monkeypatch.delenv(name, raising=False)
    write_project(tmp_path)
    (tmp_path / "config" / "crm.yaml").write_text(SALESFORCE, encoding="utf-8")
    shutil.rmtree(tmp_path / "playbooks")
    (tmp_path / "playbooks").mkdir()

    def opened(*_: object) -> None:
        raise AssertionError("a report opened a connector")

    monkeypatch.setattr("worker.pipeline.run.connect_all", opened)
    return tmp_path


@pytest.fixture
def store(folder: Path, sqlite_template: Path) -> Iterator[Engine]:
    """What one run left: a row that waits, an effect on a record, a job that failed, a heartbeat."""
    (folder / ".plgsync").mkdir()
    shutil.copy(sqlite_template, folder / ".plgsync" / "state.db")
    engine = open_store(database_url(folder))
    with engine.begin() as connection:
        at = database_time(connection)
        run = {"id": "r1", "as_of": "2026-06-30T06:00:00+00:00", "config_version": "c", "committed_at": at}
        connection.execute(insert(runs), [run])
        row = {
            "destination": "salesforce",
            "account_id": "acme-ltd",
            "record_id": "001A",
            "playbook_id": "",
            "run_id": "r1",
        }
        waits = {"kind": "fields", "idem_key": "fields:salesforce:001A", "payload_hash": "", "context": {}}
        payload = {"payload": {}, "state": "pending", "due_at": at - 60, "created_at": at}
        connection.execute(insert(outbox), [{**row, **waits, **payload}])
        by = {"name": "health_score", "by": "health.score", "old": 70, "because": "fewer logins"}
        effect = {
            "kind": "fields",
            "idem_key": "fields:salesforce:001A",
            "at": at,
            "operation": {"values": {"Health_Score__c": 55}},
            "reasons": {"fields": {"Health_Score__c": by}},
            "status": "applied",
            "code": "",
            "reason": "",
            "crm_id": None,
        }
        connection.execute(insert(ledger), [{**row, **effect}])
        run_of_playbook = {"playbook_id": "save", "as_of": run["as_of"], "counts": {}}
        connection.execute(insert(playbook_runs), [run_of_playbook])
        record_job_result(connection, "daily", "run", "StaleData", "the source is empty")
    add_record(engine, "acme-ltd", "Acme Ltd")
    beat(folder / ".plgsync" / "heartbeats" / "up")
    yield engine
    engine.dispose()


def add_record(engine: Engine, account_id: str, name: str) -> None:
    """The row of a record that was created with the name and the domain of its account."""
    by = {"by": "create", "name": "", "because": "given to every new record by config/crm.yaml"}
    row = {
        "destination": "salesforce",
        "kind": "record_create",
        "idem_key": f"record_create:salesforce:{account_id}",
        "account_id": account_id,
        "record_id": None,
        "payload": {"object": "Account", "values": {"Name": name, "Website": "acme.example"}},
        "payload_hash": "",
        "context": {"reasons": {"fields": {"Name": by, "Website": by}}},
        "state": "done",
        "due_at": 0.0,
        "run_id": "r1",
        "created_at": 0.0,
    }
    with engine.begin() as connection:
        connection.execute(insert(outbox), [row])


def plgsync(folder: Path, *arguments: str) -> Result:
    done = CliRunner().invoke(app, [*arguments, "--project", str(folder)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def test_every_report_is_listed_here() -> None:
    modules = {module.name for module in pkgutil.iter_modules(reports.__path__)}
    listed = {"probes" if name in {"liveness", "readiness"} else name.split()[0] for name in REPORTS}
    assert modules - NEED_SETTINGS - NOT_REPORTS <= listed


def run_all(folder: Path) -> dict[str, Result]:
    return {report: plgsync(folder, *arguments) for report, arguments in REPORTS.items()}


@pytest.mark.usefixtures("store")
def test_a_report_needs_no_secret_and_no_connector(folder: Path) -> None:
    for report, done in run_all(folder).items():
        stale = report == "status"
        assert (done.exit_code, done.stderr) == (int(stale), ""), report


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("breaks", BROKEN)
def test_a_report_shows_the_same_of_the_store_while_the_settings_are_invalid(folder: Path, breaks: Break) -> None:
    """And the problem is one line that needs a person: in ``status``, or beside any other report."""
    before = run_all(folder)
    breaks(folder / "config")
    after = run_all(folder)
    problem, stale = json.loads(after["status"].stdout)["needs_person"]
    assert problem.startswith("the settings are invalid and nothing runs: config")
    assert "plgsync check --offline" in problem
    assert "the source is empty" in stale
    for report, done in after.items():
        assert done.exit_code == before[report].exit_code == (1 if report == "status" else 0), report
        assert shown(report, done) == shown(report, before[report])
        if report != "status":
            assert done.stderr == problem + "\n", report


def shown(report: str, done: Result) -> object:
    """What a report says of the store, without what passes with time."""
    if report == "prometheus":
        return [line for line in done.stdout.splitlines() if not re.search("lag_seconds|settings_problems", line)]
    found = json.loads(done.stdout)
    if report == "fields":
        return [one for one in found["fields"] if one["name"].startswith(("health.", "crm."))]
    if report == "status":
        ran = [one for one in found["ran"] if one["at"]]
        rows = [(row["destination"], row["row_state"], row["rows"]) for row in found["outbox"]]
        assert rows == [("salesforce", "waiting", 1)]
        return [found["last_run"], rows, found["spent"], [{**one, "next_at": None} for one in ran]]
    if report == "outbox":
        return [{**row, "due_in": 0} for row in found]
    if report == "liveness":
        return [(probe["name"], probe["ok"]) for probe in found]
    return found


@pytest.mark.usefixtures("store")
def test_what_the_last_job_said_of_the_settings_is_not_said_twice(folder: Path, store: Engine) -> None:
    with store.begin() as connection:
        record_job_result(connection, "settings", "run", "ConfigError", "2 problems")
    unknown_key(folder / "config")
    assert len(json.loads(plgsync(folder, "status", "--json").stdout)["needs_person"]) == 2


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_the_status_names_what_the_last_run_found_in_the_data(
    folder: Path, store: Engine, arguments: tuple[str, ...]
) -> None:
    """Also while the settings are invalid: the report is in the state database."""
    with store.begin() as connection:
        for day, message in (("30", "outdated"), ("31", "3 rows repeat another")):
            report = {"remarks": [{"table": "events", "message": message}]}
            save_volume(connection, f"2099-12-{day}T00:00:00+00:00", 1, 1, report)
    unknown_key(folder / "config")
    printed = plgsync(folder, "status", *arguments).stdout
    assert ('["events", "3 rows repeat another"]' if arguments else "events: 3 rows repeat another") in " ".join(
        printed.split()
    ).replace("[ ", "[").replace(" ]", "]")
    assert "outdated" not in printed


@pytest.mark.usefixtures("store")
def test_a_secret_that_is_missing_here_needs_a_person_before_any_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lines() -> list[str]:
        found = json.loads(plgsync(folder, "status", "--json").stdout)["needs_person"]
        return [line for line in found if "the source is empty" not in line]

    (line,) = lines()
    assert line == (
        "salesforce cannot be reached from here: the environment variable NO_SUCH_ID is not set; "
        "the environment variable NO_SUCH_SECRET is not set"
    )
    monkeypatch.setenv("NO_SUCH_ID", "id")
    monkeypatch.setenv("NO_SUCH_SECRET", "x")
    channel = "version: 1\nchannels: {ops: {kind: slack, url: 'file:no/such/file'}}\n"
    (folder / "config" / "alerts.yaml").write_text(channel, encoding="utf-8")
    (line,) = lines()
    assert line.startswith("the alert channel ops cannot be reached from here: the secret file ")


@pytest.mark.usefixtures("store")
def test_a_missing_folder_of_playbooks_needs_a_person(folder: Path) -> None:
    (folder / "playbooks").rmdir()
    assert NO_PLAYBOOKS in json.loads(plgsync(folder, "status", "--json").stdout)["needs_person"]


@pytest.mark.usefixtures("store")
def test_the_exporter_counts_the_problems_of_every_file_as_they_are_at_the_scrape(folder: Path) -> None:
    def problems() -> dict[str, float]:
        (family,) = [one for one in collector.collect() if one.name == "plgsync_settings_problems"]
        return {sample.labels["file"]: sample.value for sample in family.samples}

    with open_reader(folder) as reader:
        collector = StoreCollector(reader)
        assert problems() == {f"config/{name}.yaml": 0 for name in CONFIG}
        unknown_key(folder / "config")
        (folder / "playbooks" / "bad.yaml").write_text("version: 1\n", encoding="utf-8")
        broken = problems()
        assert broken["config/schedule.yaml"] == 1
        assert broken["playbooks/bad.yaml"] > 0
        missing_folder(folder / "config")
        assert problems()["config"] == 1


@pytest.mark.parametrize("path", [".plgsync/state.db", "elsewhere/state.db"])
def test_readiness_says_that_there_is_no_database_and_makes_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("PLGSYNC_DATABASE_URL", f"sqlite:///{folder / path}")
    done = plgsync(folder, *REPORTS["readiness"])
    assert done.exit_code == 1
    assert "there is no state database yet" in json.loads(done.stdout)[0]["detail"]
    assert not (folder / path).parent.exists()


@pytest.mark.parametrize("report", ["status", "outbox", "history", "prometheus"])
def test_without_settings_and_without_a_database_there_is_nothing_to_show_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: str
) -> None:
    monkeypatch.delenv("PLGSYNC_DATABASE_URL", raising=False)
    done = CliRunner().invoke(app, [*REPORTS[report], "--project", str(tmp_path)])
    assert "plgsync init" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("breaks", [lambda config: None, wrong_yaml])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("outbox list --destination salesfroce", 'there is no destination "salesfroce". Did you mean "salesforce"?'),
        ("outbox drop --destination pipedrive", 'there is no destination "pipedrive"; known: salesforce'),
        ("outbox list --playbook saev", 'there is no playbook "saev". Did you mean "save"?'),
        ("outbox retry --playbook x --all-matching", 'there is no playbook "x"; known: save'),
        ("outbox list --account acme-ltdd", 'there is no account "acme-ltdd". Did you mean "acme-ltd"?'),
        (
            "outbox retry --account nobody --all-matching",
            'there is no account "nobody"; give an id, a name or a domain',
        ),
        ("outbox list --account 001AA", 'there is no account "001AA". Did you mean "001A"?'),
        ("fields zzzz", 'there is no field "zzzz"; plgsync fields lists them all'),
        ("history 001A --field helth_score", 'there is no field "helth_score". Did you mean "health_score"?'),
        ("history 001A --field zip", 'there is no field "zip"; known: Health_Score__c, '),
        ("history 001A --field Health_Scor__c", 'there is no field "Health_Scor__c". Did you mean "Health_Score__c"?'),
    ],
)
def test_a_name_that_does_not_exist_is_said(folder: Path, breaks: Break, arguments: str, message: str) -> None:
    breaks(folder / "config")
    done = CliRunner().invoke(app, [*arguments.split(), "--project", str(folder)])
    assert isinstance(done.exception, UnknownName)
    assert str(done.exception).startswith(message)
    assert done.stdout == ""


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("breaks", [lambda config: None, wrong_yaml])
def test_an_account_is_found_by_the_name_that_was_written_into_a_crm(folder: Path, breaks: Break) -> None:
    breaks(folder / "config")
    by_id = json.loads(plgsync(folder, "history", "acme-ltd", "--json").stdout)
    assert [one["kind"] for one in by_id] == ["fields"]
    for name in ("ACME Ltd", "acme.example"):
        assert json.loads(plgsync(folder, "history", name, "--json").stdout) == by_id


@pytest.mark.usefixtures("store")
def test_a_name_that_several_accounts_have_is_not_guessed(folder: Path, store: Engine) -> None:
    add_record(store, "acme-inc", "Acme Ltd")
    done = CliRunner().invoke(app, ["history", "Acme Ltd", "--project", str(folder)])
    assert str(done.exception) == '"Acme Ltd" names 2 accounts; use one of their ids: acme-inc, acme-ltd'


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("breaks", "lacking"),
    [(lambda config: None, "the product data cannot be read: "), (wrong_yaml, "the settings are invalid ")],
)
def test_a_name_that_only_the_product_data_may_know_says_what_it_needs(
    folder: Path, breaks: Break, lacking: str
) -> None:
    breaks(folder / "config")
    done = CliRunner().invoke(app, ["history", "acme-ltdd", "--project", str(folder)])
    assert isinstance(done.exception, UnknownName)
    assert str(done.exception).startswith(
        'the state database knows no account, record or task "acme-ltdd". Did you mean "acme-ltd"?; '
        f"other names of accounts are in the product data only: {lacking}"
    )


@pytest.mark.usefixtures("store")
def test_an_account_without_any_effect_is_known(folder: Path, store: Engine) -> None:
    with store.begin() as connection:
        connection.execute(insert(score_memory), [{"account_id": "quiet", "memory": {}}])
    assert "nothing was ever written for quiet" in plgsync(folder, "history", "quiet").stdout
    assert json.loads(plgsync(folder, "outbox", "list", "--account", "quiet", "--json").stdout) == []


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("field", ["", " "])
def test_an_empty_field_is_refused(folder: Path, field: str) -> None:
    done = plgsync(folder, "history", "001A", "--field", field)
    assert (done.exit_code, done.stdout) == (2, "")


@given(st.text())
def test_every_label_of_a_metric_is_one_line_of_printable_text(text: str) -> None:
    family = GaugeMetricFamily("x", "x", labels=["name"])
    family.add_metric([text], 1)
    collector = StoreCollector.__new__(StoreCollector)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collector, "_reader", SimpleNamespace(reread=lambda: None), raising=False)
        patch.setattr(StoreCollector, "_families", lambda *_: [family])
        (cleaned,) = collector.collect()
    assert [sample.labels["name"] for sample in cleaned.samples] == [one_line(text)]


@pytest.mark.usefixtures("store")
def test_a_name_that_does_not_exist_is_wrong_usage(folder: Path) -> None:
    command = [sys.executable, "-c", "from worker.cli import main; main()", "outbox", "list", "--playbook", "saev"]
    done = subprocess.run([*command, "--project", str(folder)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'there is no playbook "saev". Did you mean "save"?\n'


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("old", "report"), [("why", "history"), ("metrics", "prometheus"), ("health", "readiness")])
def test_an_old_name_of_a_report_works_and_says_the_new_one(folder: Path, old: str, report: str) -> None:
    new, *options = REPORTS[report]
    before, now = plgsync(folder, old, *options), plgsync(folder, new, *options)
    assert (before.exit_code, shown(report, before)) == (now.exit_code, shown(report, now))
    assert before.stderr == f"plgsync {old} is now plgsync {new}\n"
