"""A failure that somebody can act on is one line, and never holds a value of the data."""

from __future__ import annotations

import pytest
import typer
from sqlalchemy import Engine, create_engine, insert, text
from sqlalchemy.exc import DBAPIError

from connectors.base import AccessDenied
from worker.cli.options import moment_of
from worker.runtime.failures import explain_failure
from worker.store.engine import StoreError, open_store
from worker.store.tables import runs


def failure_of(engine: Engine, statement: str) -> DBAPIError:
    with pytest.raises(DBAPIError) as caught, engine.begin() as connection:
        connection.execute(text(statement))
    return caught.value


def test_a_server_that_is_not_there_is_one_line_and_no_password() -> None:
    with pytest.raises(StoreError) as caught:
        open_store("postgresql://plgsync:hunter2@127.0.0.1:9/plgsync")
    message = explain_failure(caught.value) or ""
    assert message.startswith("the state database cannot be used:")
    assert "\n" not in message
    assert "hunter2" not in message


def test_a_server_that_goes_away_in_the_middle_is_one_line(postgres_url: str) -> None:
    open_store(postgres_url).dispose()
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"), hide_parameters=True)
    message = explain_failure(failure_of(engine, "select pg_terminate_backend(pg_backend_pid())"))
    assert message == "the connection to the state database was lost; nothing was half-written, run again"
    engine.dispose()


def test_a_database_without_room_or_rights_says_what_is_wrong(tmp_path: object) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/no/such/folder/state.db")
    message = explain_failure(failure_of(engine, "select 1"))
    assert message is not None
    assert "unable to open database file" in message


def test_a_crm_that_refuses_us_is_told_in_its_own_words() -> None:
    assert explain_failure(AccessDenied("hubspot: the token was revoked")) == "hubspot: the token was revoked"


def test_a_bug_is_no_failure_of_anybody_elses(postgres_url: str) -> None:
    engine = open_store(postgres_url)
    assert explain_failure(failure_of(engine, "select no_such_column")) is None
    engine.dispose()


def test_an_error_of_the_database_does_not_list_the_parameters_of_its_statement(store: Engine) -> None:
    row = {"id": "r1", "as_of": None, "config_version": "ann.smith@acme.example", "committed_at": 0.0}
    with pytest.raises(DBAPIError) as caught, store.begin() as connection:
        connection.execute(insert(runs), [row])
    assert "parameters hidden" in str(caught.value)


def test_a_moment_is_whole_seconds_because_that_is_what_is_remembered() -> None:
    assert moment_of("2026-06-30T08:00:00.75Z").isoformat() == "2026-06-30T08:00:00+00:00"


@pytest.mark.parametrize("text", ["0001-01-01", "0001-01-01T00:00+14:00", "9999-12-31T23:00-14:00", "0300-01-01"])
def test_a_moment_that_no_window_can_be_around_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not between 1990 and 9000"):
        moment_of(text)
