"""What plgsync writes of accounts and people is readable by its owner alone, from the first moment."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.private_files import write_private
from worker.runtime.up.lock import hold_tree_lock
from worker.store.engine import open_store
from worker.store.tables import runs


@pytest.fixture(autouse=True)
def lenient() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {one.name: stat.S_IMODE(one.stat().st_mode) for one in (folder, *folder.iterdir())}


def test_the_state_its_log_and_its_lock(tmp_path: Path) -> None:
    folder = tmp_path / ".plgsync"
    engine = open_store(f"sqlite:///{folder}/state.db")
    os.close(hold_tree_lock(folder))
    with engine.begin() as connection:
        connection.execute(runs.insert().values(id="r", as_of="", config_version="", committed_at=1.0))
        found = modes(folder)
    engine.dispose()
    assert found.pop(".plgsync") == 0o700
    assert found.keys() >= {"state.db", "state.db-wal", "up.lock"}
    assert set(found.values()) == {0o600}


def test_a_file_is_whole_or_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "plan.json"
    file.touch(0o644)
    write_private(file, "one")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("one", 0o600)
    with pytest.raises(UnicodeEncodeError):
        write_private(file, "two \ud800")
    assert (file.read_text(), list(tmp_path.iterdir())) == ("one", [file])


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_private(pipe, "plan")
    assert os.read(reader, 10) == b"plan"
    os.close(reader)
