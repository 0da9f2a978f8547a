"""Where the project, its state and its secrets are."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.base import AccessDenied
from worker.settings import environment
from worker.settings.crm import CrmSettings


def test_the_option_wins_over_the_environment_over_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("PLGSYNC_PROJECT", raising=False)
    assert environment.project_dir() == tmp_path / "here"
    monkeypatch.setenv("PLGSYNC_PROJECT", str(tmp_path / "env"))
    assert environment.project_dir() == tmp_path / "env"
    assert environment.project_dir("../option") == tmp_path / "option"


def test_state_is_kept_inside_the_project_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PLGSYNC_DATABASE_URL", raising=False)
    assert environment.database_url(tmp_path) == f"sqlite:///{tmp_path}/.plgsync/state.db"
    monkeypatch.setenv("PLGSYNC_DATABASE_URL", "postgresql://db/x")
    assert environment.database_url(tmp_path) == "postgresql://db/x"


def test_the_broker_can_be_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLGSYNC_BROKER_URL", raising=False)
    assert environment.broker_url().startswith("redis://127.0.0.1")
    monkeypatch.setenv("PLGSYNC_BROKER_URL", "amqp://mq")
    assert environment.broker_url() == "amqp://mq"


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "SDK_DISABLED": "True"}, False),
        ({"EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "SDK_DISABLED": "false"}, True),
        ({"EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "TRACES_EXPORTER": "none"}, False),
    ],
)
def test_traces_are_wanted_where_a_collector_is_named_and_nothing_says_no(
    variables: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SDK_DISABLED", "TRACES_EXPORTER", "EXPORTER_OTLP_ENDPOINT", "EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(f"OTEL_{name}", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(f"OTEL_{name}", value)
    assert environment.traces_wanted() is wanted


@pytest.mark.parametrize(("given", "seconds"), [("", 120.0), ("6", 6.0), ("1", 1.0), ("2.5", 2.5), ("3600", 3600.0)])
def test_a_lease_may_be_shorter_or_longer(monkeypatch: pytest.MonkeyPatch, given: str, seconds: float) -> None:
    monkeypatch.setenv("PLGSYNC_LEASE_S", given)
    assert environment.lease_s() == seconds


@pytest.mark.parametrize("given", ["0", "-6", "3601", "soon", "6s", "nan", "inf", " "])
def test_a_lease_that_means_nothing_is_said_in_one_line_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("PLGSYNC_LEASE_S", given)
    with pytest.raises(environment.InvalidEnvironment) as caught:
        environment.lease_s()
    assert str(caught.value) == (
        "PLGSYNC_LEASE_S is not a number of seconds from 1 to 3600; set it to one, or unset it for 120"
    )


def test_a_secret_is_read_anew_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "one")
    read = environment.secret("env:TOKEN_OF_TEST", tmp_path)
    assert read() == "one"
    monkeypatch.setenv("TOKEN_OF_TEST", "two")
    assert read() == "two"


def test_a_secret_file_counts_from_the_project(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN-----\nx\n")
    assert environment.secret("file:key.pem", tmp_path)() == "-----BEGIN-----\nx"
    assert environment.secret(f"file:{tmp_path}/key.pem", Path("/elsewhere"))() == "-----BEGIN-----\nx"


def test_a_missing_secret_is_for_the_admin_and_named_by_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "  ")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for ref, says in [
        ("env:TOKEN_OF_TEST", "TOKEN_OF_TEST is not set"),
        ("env:NOT_THERE_AT_ALL", "NOT_THERE_AT_ALL is not set"),
        ("file:none", "none cannot be read"),
        ("file:empty", "is empty"),
        ("file:binary", "is not text"),
    ]:
        with pytest.raises(AccessDenied, match=says):
            environment.secret(ref, tmp_path)()


@pytest.mark.parametrize(
    "value", ["pat-na1\n-9f3b", "pat\r\nX-Other: 1", "pat\x00", "p\u00e4t", "pat\u2028pat", "p\u200bat"]
)
def test_a_secret_that_no_header_can_carry_is_refused_and_never_shown(
    value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_bytes(value.encode())
    refs = ["file:token"]
    if "\0" not in value:
        monkeypatch.setenv("TOKEN_OF_TEST", value)
        refs.append("env:TOKEN_OF_TEST")
    for ref in refs:
        with pytest.raises(AccessDenied, match="copy it again") as refused:
            environment.secret(ref, tmp_path)()
        assert "token" in str(refused.value).lower()
        assert "pat" not in str(refused.value).replace(str(tmp_path), "")


@pytest.mark.parametrize(("given", "seconds"), [("", 3.0), ("0", 0.0), ("45", 45.0), ("600", 600.0)])
def test_a_process_may_be_given_more_time_to_end_or_none(
    monkeypatch: pytest.MonkeyPatch, given: str, seconds: float
) -> None:
    monkeypatch.setenv("PLGSYNC_STOP_S", given)
    assert environment.stop_s() == seconds


@pytest.mark.parametrize("given", ["soon", "-1", "601", "nan", "inf"])
def test_a_time_to_end_that_means_nothing_is_refused_before_any_work(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.delenv("PLGSYNC_LEASE_S", raising=False)
    monkeypatch.setenv("PLGSYNC_STOP_S", given)
    with pytest.raises(environment.InvalidEnvironment, match="PLGSYNC_STOP_S is not a number of seconds from 0 to 600"):
        environment.check_environment()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("kafka://mq:9092", "begins with kafka://; only Redis"),
        ("memory://", "begins with memory://; only Redis"),
        ("sqs://secret@host", "begins with sqs://; only Redis"),
        ("localhost:6379", "is not an address such as"),
        ("redis://", "is not an address such as"),
        ("redis://:secret@host:port/0", "a port that is no number"),
        ("amqp://", "is not an address such as"),
        ("redis://:6379/0", "names no host"),
        ("redis://cache:port/0", "a port that is no number"),
        ("redis://cache:0x1/0", "a port that is no number"),
    ],
)
def test_a_broker_address_that_cannot_be_used_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, address: str, says: str
) -> None:
    monkeypatch.setenv("PLGSYNC_BROKER_URL", address)
    with pytest.raises(environment.InvalidEnvironment, match=says) as refused:
        environment.broker_url()
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "named", "shared"),
    [
        ("", False, None),
        ("amqp://mq//", True, None),
        ("redis://cache:6379/0", True, "redis://cache:6379/0"),
        ("rediss://cache:6379/0", True, "rediss://cache:6379/0"),
    ],
)
def test_workers_share_a_redis_only_where_the_broker_is_one(
    monkeypatch: pytest.MonkeyPatch, address: str, named: bool, shared: str | None
) -> None:
    monkeypatch.setenv("PLGSYNC_BROKER_URL", address)
    assert environment.broker_named() is named
    assert environment.shared_redis_url() == shared


def test_a_worker_has_a_heartbeat_file_only_where_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLGSYNC_HEARTBEAT", "")
    assert environment.heartbeat_file() is None
    monkeypatch.setenv("PLGSYNC_HEARTBEAT", "/run/plgsync/worker")
    assert environment.heartbeat_file() == Path("/run/plgsync/worker")


def test_a_process_that_is_started_inherits_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLGSYNC_OLD", "1")
    monkeypatch.setenv("PLGSYNC_CHANGED", "1")
    made = environment.with_variables({"PLGSYNC_CHANGED": "2", "PLGSYNC_NEW": "3"})
    assert (made["PLGSYNC_OLD"], made["PLGSYNC_CHANGED"], made["PLGSYNC_NEW"]) == ("1", "2", "3")


@pytest.mark.parametrize(("given", "width"), [("", None), ("0", None), ("wide", None), ("-60", None), ("60", 60)])
def test_columns_is_a_whole_number_above_zero_or_not_set(
    monkeypatch: pytest.MonkeyPatch, given: str, width: int | None
) -> None:
    monkeypatch.setenv("COLUMNS", given)
    assert environment.columns() == width


def test_the_variable_for_the_project_id_replaces_that_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    crm = CrmSettings(version=1, project_id="acme")
    monkeypatch.delenv("PLGSYNC_PROJECT_ID", raising=False)
    assert crm.project == "acme"
    monkeypatch.setenv("PLGSYNC_PROJECT_ID", "acme-staging")
    assert crm.project == "acme-staging"
    for wrong in ("Acme", "a.b", "x" * 21, "a\n", "-a"):
        monkeypatch.setenv("PLGSYNC_PROJECT_ID", wrong)
        with pytest.raises(environment.InvalidEnvironment, match="PLGSYNC_PROJECT_ID is not 1 to 20 small letters"):
            environment.check_environment()
