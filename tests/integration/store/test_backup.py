"""Backup, restore and move: whole or not at all, of one moment, and equal on both databases."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Boolean, Double, Engine, Integer, Table, Text, func, insert, select, update

from tests import forked, in_process
from tests.conftest import some_of
from worker.runtime.database import make_ready, open_database
from worker.store import backup as backups
from worker.store import replace
from worker.store.backup import write_backup
from worker.store.engine import StoreError, connect_store, database_time, open_store, read_store, upgrade
from worker.store.lock import Busy, exclusive_run
from worker.store.marks import adoption_done, adoption_required, note_project, refuse_moved
from worker.store.replace import move_state, restore_state
from worker.store.state_copy import empty_tables, fingerprint_of
from worker.store.tables import ledger, metadata, outbox, runs, score_memory

ODD_JSON = {"ü": [1, 1.0, 0.1, -0.0, 1e22, 2**53 + 1, 5e-324, None, True, ""], "b": {"z": {}, "a": "💡\n\"'"}}
SIDES = ("sqlite", "postgres")
Rows = dict[str, list[tuple[Any, ...]]]


def value_of(table: Table, name: str, place: int) -> Any:
    column = table.c[name]
    match column.type:
        case Boolean():
            return place % 2 == 0
        case Double():
            return place + 0.1
        case Integer():
            return place + 1
        case Text():
            return f"{name} {place} Ünï 'x'"
        case _:
            return {**ODD_JSON, "place": place}


def fill(engine: Engine, ledger_rows: int = 1203) -> None:
    """Rows with odd values in every table, and nothing in what may be empty in every third row."""
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            rows = [
                {
                    column.name: None if column.nullable and place % 3 == 0 else value_of(table, column.name, place)
                    for column in table.columns
                }
                for place in range(ledger_rows if table is ledger else 5)
            ]
            connection.execute(insert(table), rows)


def read(engine: Engine) -> Rows:
    """Every row of every table, without the marks of restore and move."""
    with engine.begin() as connection:
        found = {}
        for table in metadata.sorted_tables:
            rows = [tuple(row) for row in connection.execute(select(table))]
            found[table.name] = sorted((row for row in rows if "" not in row[:1]), key=repr)
        return found


def url_of(engine: Engine) -> str:
    return engine.url.set(drivername=engine.url.get_backend_name()).render_as_string(hide_password=False)


def back_up(url: str, file: Path) -> dict[str, int]:
    """A backup by a process that keeps no connection."""
    engine = read_store(url)
    try:
        return write_backup(engine, file)
    finally:
        engine.dispose()


@pytest.fixture(params=SIDES)
def source(request: pytest.FixtureRequest) -> Engine:
    """A state with rows in every table."""
    engine: Engine = request.getfixturevalue(f"{request.param}_store")
    fill(engine)
    return engine


@pytest.fixture(params=SIDES)
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that does not exist yet, or is empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/else where?/state.db".replace("?", "x")
    url: str = request.getfixturevalue("postgres_url")
    return url


def test_a_backup_that_is_restored_anywhere_is_equal(source: Engine, elsewhere: str, tmp_path: Path) -> None:
    file = tmp_path / "backups" / "monday.db"
    file.parent.mkdir()
    source.dispose()
    rows = back_up(url_of(source), file)
    assert rows["ledger"] == 1203
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["monday.db"]
    before = read(source)
    assert restore_state(elsewhere, file) == rows
    restored = open_store(elsewhere)
    assert read(restored) == before
    with restored.begin() as connection:
        assert adoption_required(connection)
        highest = connection.execute(select(func.max(ledger.c.id))).scalar_one()
        row = {**connection.execute(select(ledger).limit(1)).mappings().one(), "id": None}
        row.pop("id")
        assert connection.execute(insert(ledger).values(row).returning(ledger.c.id)).scalar_one() == highest + 1
    restored.dispose()
    assert restore_state(elsewhere, file) == rows, "over what is there, too"
    assert read(restored) == before
    restored.dispose()
    assert file.exists()


def test_a_state_that_moved_is_equal_and_the_old_one_refuses_every_use(
    source: Engine, elsewhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, url = read(source), url_of(source)
    monkeypatch.setenv("PLGSYNC_DATABASE_URL", url)
    make_ready(tmp_path)
    source.dispose()
    secret = elsewhere.replace("postgres:@", "postgres:hunter2@")
    moved = in_process.plgsync(
        "state", "move", "env:ELSEWHERE", "--project", str(tmp_path), env={**os.environ, "ELSEWHERE": secret}
    )
    assert moved.returncode == 0, moved.stderr
    there = open_store(elsewhere)
    assert read(there) == before == read(source)
    with there.begin() as connection:
        assert not adoption_required(connection)
    there.dispose()
    source.dispose()
    with pytest.raises(StoreError, match="this state was moved to "), open_database(tmp_path):
        pass  # as a worker does that has been running since before
    backup = ["state", "backup", str(tmp_path / "of-the-old-one.db")]
    for command in (["status"], ["outbox", "list"], ["state", "move", elsewhere], ["history", "a"], backup):
        (line,) = in_process.plgsync(*command, "--project", str(tmp_path)).stderr.splitlines()
        assert "PLGSYNC_DATABASE_URL" in line, command
        assert "hunter2" not in line


def call_it(engine: Engine, *ids: str, adopted: bool = True) -> None:
    with engine.begin() as connection:
        note_project(connection, ids)
        if adopted:
            adoption_done(connection)
    engine.dispose()


def test_a_backup_of_another_project_is_refused_and_one_from_before_a_new_name_is_not(
    source: Engine, elsewhere: str, tmp_path: Path
) -> None:
    files = {name: tmp_path / f"{name}.db" for name in ("acme", "other")}
    target = open_store(elsewhere)
    for name, file in files.items():
        with target.begin() as connection:
            empty_tables(connection)
        call_it(target, name)
        back_up(elsewhere, file)
    call_it(source, "acme-eu", "acme")
    before, url = read(source), url_of(source)
    source.dispose()
    with pytest.raises(StoreError, match="the backup is of the project other, and this state of acme-eu; nothing was"):
        restore_state(url, files["other"])
    assert read(source) == before
    source.dispose()
    restore_state(url, files["acme"])
    restore_state(url, files["other"])  # what was never adopted may have been restored by mistake
    restore_state(url, files["acme"])


def test_a_target_that_is_not_empty_and_the_same_database_are_refused(
    sqlite_store: Engine, postgres_store: Engine
) -> None:
    fill(sqlite_store, 3)
    fill(postgres_store, 3)
    before = read(sqlite_store), read(postgres_store)
    for one, other in ((sqlite_store, postgres_store), (postgres_store, sqlite_store), (sqlite_store, sqlite_store)):
        one.dispose()
        with pytest.raises(StoreError, match=r"is not empty|exists already|is there already"):
            move_state(url_of(one), url_of(other))
    assert (read(sqlite_store), read(postgres_store)) == before


SETTINGS = settings(
    max_examples=some_of(40), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@SETTINGS
@given(values=st.lists(st.dictionaries(TEXTS, JSON, max_size=3), max_size=5), data=st.data())
def test_a_fingerprint_is_equal_on_both_databases_and_depends_on_every_value(
    sqlite_store: Engine, postgres_store: Engine, values: list[dict[str, Any]], data: st.DataObject
) -> None:
    rows = [{"account_id": str(place), "memory": value} for place, value in enumerate(values)]
    found = []
    for engine in (sqlite_store, postgres_store):
        with engine.begin() as connection:
            empty_tables(connection)
            if rows:
                connection.execute(insert(score_memory), rows)
            found.append(fingerprint_of(connection, score_memory))
    assert found[0] == found[1]
    if rows:
        changed = str(data.draw(st.integers(0, len(rows) - 1)))
        with sqlite_store.begin() as connection:
            connection.execute(
                update(score_memory).where(score_memory.c.account_id == changed).values(memory={"another": "value"})
            )
            differs = fingerprint_of(connection, score_memory)
        assert (differs != found[1]) == (rows[int(changed)]["memory"] != {"another": "value"})


WRITER = """
import sys
from worker.store.engine import connect_store
from worker.store.tables import ledger, runs
from sqlalchemy import insert
engine, name, number = connect_store(sys.argv[1]), sys.argv[2], 0
effect = dict(at=1.0, destination="d", kind="k", idem_key="i", account_id="a", operation={}, status="applied")
while True:
    number += 1
    with engine.begin() as connection:
        key = f"{name}-{number}"
        connection.execute(insert(ledger).values({**effect, "run_id": key}))
        connection.execute(insert(runs).values(id=key, as_of="", config_version="", committed_at=1.0))
"""


def test_a_backup_is_one_moment_while_others_write(store: Engine, tmp_path: Path) -> None:
    url = url_of(store)
    writers = [forked.Popen([sys.executable, "-c", WRITER, url, name], text=True) for name in ("one", "two")]
    try:
        taken = [moment(read_store(url), tmp_path / f"{number}.db", number) for number in range(3)]
        assert all(writer.poll() is None for writer in writers), "they wait for no backup"
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    assert taken == sorted(taken)
    assert len(set(taken)) == 3


def moment(engine: Engine, file: Path, at_least: int) -> int:
    """Take a backup once there are more runs than before; the number of runs, each of which has its effect."""
    deadline = time.monotonic() + 60
    while count(engine) <= 20 * (at_least + 1) and time.monotonic() < deadline:
        time.sleep(0.05)
    write_backup(engine, file)
    engine.dispose()
    with closing(sqlite3.connect(file)) as taken:
        ids = {one for (one,) in taken.execute("select id from runs")}
        effects = {one for (one,) in taken.execute("select run_id from ledger")}
    assert ids == effects
    return len(ids)


def count(engine: Engine) -> int:
    with engine.begin() as connection:
        return int(connection.execute(select(func.count()).select_from(runs)).scalar_one())


KILLED = """
import os, signal, sys
from pathlib import Path
from worker.store.backup import write_backup
from worker.store.engine import read_store
from worker.store import replace
from worker.store.replace import move_state, restore_state
from worker.telemetry.steps import observing_steps
what, url, other, at = sys.argv[1:]
def observe(step):
    if step.action.startswith(at):
        os.kill(os.getpid(), signal.SIGKILL)
with observing_steps(observe):
    if what == "backup":
        write_backup(read_store(url), Path(other))
    elif what == "restore":
        restore_state(url, Path(other))
    elif what == "finish":
        replace.mark_moved = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        move_state(url, other)
    else:
        move_state(url, other)
"""


@pytest.mark.parametrize(("source", "elsewhere"), [SIDES, SIDES[::-1]], indirect=True)
def test_a_kill_in_the_middle_leaves_both_sides_as_they_were(source: Engine, elsewhere: str, tmp_path: Path) -> None:
    at = "copying crm_tasks" if source.dialect.name == "sqlite" else "comparing snapshot"
    url, file, fresh = url_of(source), tmp_path / "backup.db", f"sqlite:///{tmp_path}/fresh.db"
    killed("backup", url, str(file), at)
    assert not file.exists()
    back_up(url, file)
    with source.begin() as connection:
        connection.execute(update(runs).values(config_version="newer than the backup"))
    before, content = read(source), file.read_bytes()
    source.dispose()
    for what, one, other in (
        ("backup", url, str(file)),
        ("restore", url, str(file)),
        ("restore", fresh, str(file)),
        ("move", url, elsewhere),
    ):
        killed(what, one, other, at)
        assert read(source) == before, what
        assert file.read_bytes() == content, what
        source.dispose()
    assert not Path(fresh.removeprefix("sqlite:///")).exists()
    with pytest.raises(StoreError, match="was interrupted; move it there again"):
        refuse_moved(source)
    source.dispose()
    with pytest.raises(StoreError, match="was interrupted; move it there again"):
        move_state(url, fresh)
    move_state(url, elsewhere)
    there = open_store(elsewhere)
    assert read(there) == before
    refuse_moved(there)
    there.dispose()


@pytest.mark.parametrize(("source", "elsewhere"), [SIDES, SIDES[::-1]], indirect=True)
def test_a_move_that_is_killed_at_its_end_leaves_one_usable_state(source: Engine, elsewhere: str) -> None:
    before, url = read(source), url_of(source)
    source.dispose()
    killed("finish", url, elsewhere, "no step")
    with pytest.raises(StoreError, match="was interrupted; move it there again"):
        refuse_moved(source)
    source.dispose()
    there = open_store(elsewhere)
    refuse_moved(there)
    assert read(there) == before
    there.dispose()
    move_state(url, elsewhere)
    with pytest.raises(StoreError, match="this state was moved to"):
        refuse_moved(source)


def test_a_move_that_fails_leaves_the_state_usable(
    sqlite_store: Engine, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sqlite_store, 3)
    before, url = read(sqlite_store), url_of(sqlite_store)
    sqlite_store.dispose()
    monkeypatch.setattr(replace, "copy_state", partial(refuse, "the disk is full"))
    with pytest.raises(StoreError, match="the disk is full"):
        move_state(url, postgres_url)
    refuse_moved(sqlite_store)
    assert read(sqlite_store) == before


def refuse(why: str, *_: object) -> None:
    raise StoreError(why)


def killed(*arguments: str) -> None:
    ended = forked.run([sys.executable, "-c", KILLED, *arguments], timeout=120)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def damage_value(file: Path) -> None:
    """One byte of a stored value, in the table and in its index: what SQLite itself does not find."""
    file.write_bytes(file.read_bytes().replace(b"account_id 1000 ", b"Account_id 1000 "))


def make_newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as backup:
        backup.execute("update alembic_version set version_num = '9999'")
        backup.commit()
        backup.execute("drop table plgsync_backup")
    backups._seal(file)


UNFIT: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda file: file.write_text("no backup"), "is no backup of plgsync"),
    "cut": (lambda file: os.truncate(file, file.stat().st_size // 2), "damaged"),
    "flipped in a value": (damage_value, "the backup is damaged"),
    "newer": (make_newer, "newer plgsync"),
    "absent": (lambda file: file.unlink(), "there is no file"),
    "a state": (lambda file: shutil.copy(file.parent / "state.db", file), "is no backup of plgsync"),
}


def test_a_file_that_is_no_whole_backup_is_refused_and_changes_nothing(sqlite_store: Engine, tmp_path: Path) -> None:
    fill(sqlite_store)
    before, whole, file = read(sqlite_store), tmp_path / "whole.db", tmp_path / "file.db"
    sqlite_store.dispose()
    back_up(url_of(sqlite_store), whole)
    for unfit, (harm, words) in UNFIT.items():
        shutil.copy(whole, file)
        harm(file)
        with pytest.raises(StoreError, match=words):
            restore_state(url_of(sqlite_store), file)
        assert read(sqlite_store) == before, unfit
        sqlite_store.dispose()
    with pytest.raises(StoreError, match="is no backup of plgsync; name another file"):
        back_up(url_of(sqlite_store), tmp_path / "state.db")


def test_a_backup_of_an_earlier_version_is_upgraded(tmp_path: Path, store: Engine) -> None:
    file = tmp_path / "earlier.db"
    earlier = connect_store(f"sqlite:///{file}")
    upgrade(earlier, "0010")
    with earlier.begin() as connection:
        connection.execute(runs.insert().values(id="r", as_of="2026-06-30", config_version="c", committed_at=1.0))
    earlier.dispose()
    backups._seal(file)
    content = file.read_bytes()
    store.dispose()
    rows = restore_state(url_of(store), file)
    assert (rows["runs"], rows["refused_reports"]) == (1, 0)
    assert file.read_bytes() == content


HOLDER = """
import sys
from worker.store.engine import connect_store
connection = connect_store(sys.argv[1]).connect()
connection.exec_driver_sql("select count(*) from runs").scalar()
connection.rollback()
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def open_elsewhere(url: str) -> Iterator[None]:
    """Another process has a connection, which it does not use."""
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with forked.Popen([sys.executable, "-c", HOLDER, url], text=True, **pipes) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        yield
        holder.terminate()


def test_restore_and_move_are_refused_while_anybody_uses_the_state(source: Engine, tmp_path: Path) -> None:
    url, file = url_of(source), tmp_path / "backup.db"
    back_up(url, file)
    before = read(source)
    source.dispose()
    both = (partial(restore_state, url, file), partial(move_state, url, f"sqlite:///{tmp_path}/new.db"))
    for change in both:
        with open_elsewhere(url), pytest.raises(Busy, match="stop the workers"):
            change()
        with exclusive_run(source), pytest.raises(Busy, match="another plgsync run"):
            change()
    source.dispose()
    with source.begin() as connection:
        due = database_time(connection) + 100
        connection.execute(update(outbox).where(outbox.c.id == 1).values(state="leased", due_at=due))
    for change in both:
        source.dispose()
        with pytest.raises(Busy, match=r"try again in \d+ seconds"):
            change()
    assert not (tmp_path / "new.db").exists()
    assert {name: rows for name, rows in read(source).items() if name != "outbox"} == {
        name: rows for name, rows in before.items() if name != "outbox"
    }


def test_a_damaged_file_is_replaced_and_kept_beside(sqlite_store: Engine, tmp_path: Path) -> None:
    fill(sqlite_store)
    file, project = tmp_path / "backup.db", tmp_path / "project"
    before, state = read(sqlite_store), project / ".plgsync" / "state.db"
    sqlite_store.dispose()
    state.parent.mkdir(parents=True)
    shutil.copy(tmp_path / "state.db", state)
    taken = in_process.plgsync("state", "backup", str(file), "--project", str(project), "--json")
    assert json.loads(taken.stdout)["ledger"] == 1203
    damage = state.read_bytes()[:5000]
    state.write_bytes(damage)
    refused = in_process.plgsync("state", "backup", str(file), "--project", str(project))
    assert "is damaged" in refused.stderr
    done = in_process.plgsync("state", "restore", str(file), "--project", str(project))
    assert (done.returncode, "restored and not adopted yet" in done.stderr) == (1, True), "a project without settings"
    restored = open_store(f"sqlite:///{state}")
    assert read(restored) == before
    restored.dispose()
    (kept,) = (one for one in state.parent.glob("state.db.damaged-*") if not one.name.endswith(("-wal", "-shm")))
    assert kept.read_bytes() == damage
