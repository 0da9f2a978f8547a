"""Real product data through the whole job, with nothing but a YAML mapping, against both sandbox CRMs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.conftest import Stage, sandboxes
from worker.demo.stage import point_at
from worker.settings.shipped import write_project

MAPPINGS = Path(__file__).parents[1] / "mappings"


@contextmanager
def real_stage(folder: Path, shared: Path, data: str, names: list[str]) -> Iterator[Stage]:
    """A project on real data whose accounts both CRMs know by their names."""
    write_project(folder)
    mapping = (MAPPINGS / data / "config" / "product.yaml").read_text(encoding="utf-8")
    mapping = re.sub(r"folder: \S+", f"folder: {shared / 'data' / data}", mapping)
    (folder / "config" / "product.yaml").write_text(mapping, encoding="utf-8")
    crm = folder / "config" / "crm.yaml"
    text = crm.read_text(encoding="utf-8")
    text = text.replace("{field: Website, with: account.domain, kind: domain}", "{field: Name, with: account.name}")
    text = text.replace("{field: domain, with: account.domain, kind: domain}", "{field: name, with: account.name}")
    crm.write_text(text, encoding="utf-8")
    seed = {
        "salesforce": {"records": {"Account": [{"Name": name} for name in names]}},
        "hubspot": {"records": {"companies": [{"properties": {"name": name}} for name in names]}},
    }
    (folder / "seed.json").write_text(json.dumps(seed), encoding="utf-8")
    with sandboxes(folder / "seed.json") as crms:
        point_at(folder, crms)
        stage = Stage(folder, crms)
        stage.set_up()
        yield stage


def test_crm5_runs_with_a_mapping_alone_and_a_second_run_writes_nothing(tmp_path: Path, shared: Path) -> None:
    import duckdb

    ids = duckdb.execute(f"select id from '{shared / 'data/crm5/account.parquet'}'").fetchall()
    names = [f"Account {number}" for (number,) in ids]
    folder = tmp_path / "crm5"
    folder.mkdir()
    shutil.copytree(MAPPINGS / "crm5" / "config", folder / "config")
    with real_stage(folder, shared, "crm5", names) as stage:
        first = stage.plgsync("run", "--as-of", "2022-06-01", "--first-run", "--json")
        assert first["accounts"] == 164
        assert sum(count for band, count in first["health"].items() if band != "unknown") > 100
        for crm in ("salesforce", "hubspot"):
            assert len(stage.results()[crm]["fields"]) == 164
        before = {crm: stage.write_calls(crm) for crm in stage.crms}
        again = stage.plgsync("run", "--as-of", "2022-06-01", "--json")
        assert {crm: stage.write_calls(crm) for crm in stage.crms} == before
        assert all(done["applied"] == {} for done in again["destinations"].values())


@pytest.mark.parametrize(("data", "as_of", "accounts"), [("nycflights13", "2013-12-01", 16)])
def test_data_without_accounts_users_or_plans_runs_all_the_same(
    tmp_path: Path, shared: Path, data: str, as_of: str, accounts: int
) -> None:
    with real_stage(tmp_path / data, shared, data, ["UA", "AA"]) as stage:
        first = stage.plgsync("run", "--as-of", as_of, "--first-run", "--json")
        assert first["accounts"] <= accounts
        assert first["accounts"] > 0.6 * accounts
        again = stage.plgsync("run", "--as-of", as_of, "--json")
        assert all(done["write_calls"] == 0 for done in again["destinations"].values())
