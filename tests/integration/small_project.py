"""A project as small as can be on both CRMs: one signal or two, one playbook and tables that a test writes itself."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from tests.integration.conftest import Stage, sandboxes
from worker.demo.stage import point_at
from worker.settings.shipped import write_project

PRODUCT = "product.sqlite"
STATE = Path(".plgsync", "state.db")
CALLS = {"alembic_version", "call_counts", "call_windows", "quotas"}
"""Tables that say how the others are kept and how many calls were made."""
Tables = Mapping[str, Sequence[Mapping[str, Any]]]


def write_tables(folder: Path, tables: Tables, instead: Tables = MappingProxyType({})) -> None:
    """Replace all of the product; the first row of a table has all of its columns. Some have other rows ``instead``."""
    (folder / PRODUCT).unlink(missing_ok=True)
    with closing(sqlite3.connect(folder / PRODUCT)) as file, file:
        for table, rows in tables.items():
            columns = list(rows[0])
            file.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
            cells = [[row.get(column) for column in columns] for row in instead.get(table, rows)]
            file.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", cells)


def write_settings(
    folder: Path, tables: Sequence[str], fields: Mapping[str, Mapping[str, Any]], files: Mapping[str, str]
) -> None:
    """The settings of a project: the ``fields`` of each CRM that it has, and the text of ``files``."""
    write_project(folder)
    for playbook in (folder / "playbooks").iterdir():
        playbook.unlink()
    mapped = {"tables": {name: {"table": name} for name in tables}, "exclude": {"accounts": []}}
    crm = yaml.safe_load((folder / "config" / "crm.yaml").read_text(encoding="utf-8"))
    crm["destinations"] = {name: crm["destinations"][name] | {"fields": dict(own)} for name, own in fields.items()}
    for destination in crm["destinations"].values():
        destination["tasks"]["if_no_owner"] = "create"
    crm["guard"] |= {"changed_share": "100%", "cleared_share": "100%"}
    settings = {
        "config/product.yaml": yaml.safe_dump({"version": 1, "source": {"sqlite": PRODUCT}, **mapped}),
        "config/crm.yaml": yaml.safe_dump(crm),
    }
    for file, text in {**settings, **files}.items():
        (folder / file).write_text(text, encoding="utf-8")


@contextmanager
def open_small(folder: Path, accounts: Sequence[str], crms: Sequence[str]) -> Iterator[Stage]:
    """The project with a record of each account, whose website is ``ACCOUNT.example``, in these CRMs."""
    seed = folder / "seed.json"
    companies = [{"properties": {"name": account, "domain": f"{account}.example"}} for account in accounts]
    sites = [{"Name": account, "Website": f"{account}.example"} for account in accounts]
    records = {"salesforce": {"Account": sites}, "hubspot": {"companies": companies}}
    seed.write_text(json.dumps({crm: {"records": records[crm]} for crm in crms}), encoding="utf-8")
    with sandboxes(seed) as running:
        point_at(folder, running)
        stage = Stage(folder, {crm: running[crm] for crm in crms})
        stage.set_up()
        yield stage


def state_columns(folder: Path) -> dict[str, str]:
    """The columns of each table of the state database."""
    tables = "SELECT m.name, group_concat('\"' || c.name || '\"') FROM sqlite_master m, pragma_table_info(m.name) c"
    with closing(sqlite3.connect(folder / STATE)) as state:
        found = state.execute(f"{tables} WHERE m.type = 'table' GROUP BY 1").fetchall()
    return {table: columns for table, columns in found if table not in CALLS}


def state_rows(folder: Path, columns: Mapping[str, str] | None = None) -> dict[str, list[Any]]:
    """Every row of the state database in these columns, by table."""
    chosen = columns or state_columns(folder)
    with closing(sqlite3.connect(folder / STATE)) as state:
        return {table: state.execute(f"SELECT {names} FROM {table}").fetchall() for table, names in chosen.items()}
