"""A damaged state database is refused in one line, and no byte of it changes."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, select, text
from sqlalchemy.exc import DBAPIError

from tests import forked, in_process
from worker.runtime.database import make_ready
from worker.runtime.failures import explain_failure
from worker.runtime.open_jobs import open_jobs
from worker.settings.shipped import write_project
from worker.store.engine import StoreError, connect_store, open_store
from worker.store.errors import WHAT_TO_DO
from worker.store.tables import job_results, ledger, runs

PAGE = 4096


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a state of some hundred pages, to be copied."""
    folder = tmp_path_factory.mktemp("whole") / "project"
    write_project(folder)
    engine = open_store(f"sqlite:///{folder}/.plgsync/state.db")
    fill(engine)
    engine.dispose()
    return folder


def fill(engine: Engine) -> None:
    effect = {
        "run_id": "r",
        "destination": "crm",
        "kind": "fields",
        "account_id": "a",
        "operation": {},
        "status": "applied",
    }
    with engine.begin() as connection:
        connection.execute(runs.insert().values(id="r", as_of="2026-06-30", config_version="c", committed_at=1.0))
        rows = [{**effect, "at": float(place), "idem_key": f"fields:crm:{place:040}"} for place in range(2000)]
        connection.execute(ledger.insert(), rows)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    for start in range(PAGE, len(content), PAGE):
        for place in range(start, start + 12):  # the head of each page but the first
            content[place] ^= 0xFF
    file.write_bytes(content)


def zero(file: Path) -> None:
    size = file.stat().st_size
    with file.open("r+b") as open_file:
        open_file.seek(PAGE)
        open_file.write(bytes(size - PAGE))


def cut_after_a_kill(file: Path) -> None:
    """Commits stand in the log when the file is cut: whoever closes it would write them into the file."""
    write = "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('delete from runs'); c.commit()"
    forked.run([sys.executable, "-c", f"{write}; os._exit(9)", str(file)], timeout=60)
    assert Path(f"{file}-wal").stat().st_size
    cut(file)


def other_database(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("create table moz_places (id integer)")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut": (cut, "is damaged: "),
    "cut after a kill": (cut_after_a_kill, "is damaged: "),
    "flipped bytes": (flip, "is damaged: "),
    "zeroed pages": (zero, "is damaged: "),
    "no bytes": (lambda file: file.write_bytes(b""), r"state.db is empty \(0 bytes\)"),
    "text": (lambda file: file.write_text("not a database\n" * 300), "is damaged: file is not a database"),
    "picture": (lambda file: file.write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(9000)), "file is not a database"),
    "other database": (other_database, "is a SQLite database, but not a state database of plgsync"),
}
REFUSED = (["run"], ["tick"], ["up"], ["plan"], ["explain", "acc_1"])
READ = (["status"], ["history", "acc_1"], ["outbox", "list"], ["exporter", "--once"], ["probe", "--ready"], ["fields"])


@pytest.mark.parametrize(("damage", "words"), DAMAGES.values(), ids=DAMAGES)
def test_every_command_refuses_a_damaged_file_in_one_line_and_changes_no_byte(
    tmp_path: Path, project: Path, damage: Callable[[Path], object], words: str
) -> None:
    folder = Path(shutil.copytree(project, tmp_path / "project"))
    file = folder / ".plgsync" / "state.db"
    damage(file)
    before = contents(file.parent)
    for command in REFUSED:
        refused(command, folder, words)
        assert contents(file.parent) == before, command
    with pytest.raises(StoreError, match=words):
        make_ready(folder)
    for command in READ:
        ended = in_process.plgsync(*command, "--project", str(folder))
        assert "Traceback" not in ended.stderr
        assert file.read_bytes() == before["state.db"], command
        assert contents(file.parent).get("state.db-wal", b"") == before.get("state.db-wal", b""), command
    refused(["status"], folder, words)


def refused(command: list[str], folder: Path, words: str) -> None:
    ended = in_process.plgsync(*command, "--project", str(folder))
    assert ended.returncode == 1, (command, ended.stdout)
    (line,) = ended.stderr.splitlines()
    assert re.search(words, line)
    assert WHAT_TO_DO in line or "not a state database" in line


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but SQLite's index of the log, which holds nothing of its own."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith("-shm")}


def test_a_celery_worker_does_not_start_on_a_damaged_file(tmp_path: Path, project: Path) -> None:
    folder = Path(shutil.copytree(project, tmp_path / "project"))
    zero(folder / ".plgsync" / "state.db")
    before = contents(folder / ".plgsync")
    command = [sys.executable, "-c", "from worker.cli import main; main()", "worker", "--pool", "solo"]
    ended = forked.run(command, timeout=120, env={**os.environ, "PLGSYNC_PROJECT": str(folder)})
    assert ended.returncode == 1
    assert "the state database is damaged" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert contents(folder / ".plgsync") == before


def test_the_nightly_job_finds_damage_under_workers_that_run(tmp_path: Path, project: Path) -> None:
    folder = Path(shutil.copytree(project, tmp_path / "project"))
    file = folder / ".plgsync" / "state.db"
    with closing(sqlite3.connect(file)) as whole:
        (root,) = whole.execute("select rootpage from sqlite_master where name = 'ix_ledger_at'").fetchone()
    with open_jobs(folder) as jobs:
        due = next(one for one in jobs.take_due() if one.job == "prune")
        with file.open("r+b") as open_file:
            open_file.seek((root - 1) * PAGE)
            open_file.write(bytes(PAGE))
        jobs.prune(due)
    engine = connect_store(f"sqlite:///{file}")
    with engine.begin() as connection:
        (problem,) = connection.execute(select(job_results.c.problem)).scalars()
    engine.dispose()
    assert problem.startswith("the state database is damaged: ")


def test_a_value_that_was_damaged_is_one_line_that_does_not_repeat_it(tmp_path: Path, project: Path) -> None:
    folder = Path(shutil.copytree(project, tmp_path / "project"))
    damages = {
        "a stored value is not JSON": (["history", "a"], "update ledger set operation = 'ann.smith@x'"),
        "not UTF-8": (["status"], "update runs set config_version = cast(x'ff41' as text)"),
    }
    for words, (command, statement) in damages.items():
        with closing(sqlite3.connect(folder / ".plgsync" / "state.db")) as file, file:
            file.execute(statement)
        refused(command, folder, words)
        assert "ann.smith" not in in_process.plgsync(*command, "--project", str(folder)).stderr


def test_a_damaged_page_of_postgres_is_one_line(postgres_url: str) -> None:
    engine = open_store(postgres_url)
    fill(engine)
    engine.dispose()
    copied = make_url(postgres_url).set(drivername="postgresql+psycopg", database=f"{engine.url.database}_copy")
    admin = create_engine(copied.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:  # a copy of the files: none of its pages is in a buffer of the server
        copy = f"create database {copied.database} template {engine.url.database} strategy file_copy"
        connection.execute(text(copy))
    engine = create_engine(copied)
    with engine.begin() as connection:
        path = text("select current_setting('data_directory') || '/' || pg_relation_filepath('ledger')")
        Path(str(connection.execute(path).scalar_one())).write_bytes(os.urandom(8192 * 8))
    with engine.begin() as connection, pytest.raises(DBAPIError, match="invalid page") as caught:
        connection.execute(select(ledger.c.operation)).all()
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"drop database {copied.database} with (force)"))
    admin.dispose()
    message = explain_failure(caught.value) or ""
    assert message.startswith("the state database is damaged: invalid page")
    assert "\n" not in message
