"""``plgsync fields`` lists what an author may write, with values of the project's own data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from connectors.clock import now
from worker.cli import app
from worker.demo.life import LAST_DAY
from worker.demo.stage import build_stage
from worker.rendering.fields import render_fields
from worker.reports.fields import FieldEntry, FieldList, list_fields
from worker.reports.fields import _samples as samples_of
from worker.reports.names import UnknownName
from worker.reports.reader import open_reader
from worker.settings.environment import DATABASE
from worker.settings.project import load_project
from worker.settings.score_specs import score_fields

Fields = Mapping[str, Mapping[str, Any]]


@pytest.fixture(autouse=True, scope="module")
def own_database() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv(DATABASE, raising=False)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company of 20 accounts whose data is fresh; nothing has run yet."""
    made = tmp_path_factory.mktemp("fields") / "project"
    build_stage(made, 20, 7, now() - timedelta(days=LAST_DAY + 1))
    return made


def listed(folder: Path, *arguments: str) -> Fields:
    done = CliRunner().invoke(app, ["fields", *arguments, "--json", "--project", str(folder)])
    assert done.exit_code == 0, done.exception
    found = json.loads(done.stdout)
    return {**{field["name"]: field for field in found["fields"]}, "no samples": {"reason": found["no_samples"]}}


@pytest.fixture(scope="module")
def fields(folder: Path) -> Fields:
    """All fields, listed once: the samples are measured for each list."""
    return listed(folder)


def test_every_name_that_a_playbook_may_use_is_listed_once_with_its_kind(folder: Path, fields: Fields) -> None:
    project = load_project(folder)
    names = set(fields) - {"no samples"}
    assert names >= set(project.signals.signals) | set(score_fields()) | {"account.industry", "crm.owner_email"}
    assert all(field["label"] and field["kind"] for name, field in fields.items() if name in names)
    kinds = {name: fields[name]["kind"] for name in ("health.score", "health.band", "pql.entered_at", "crm.matched")}
    assert list(kinds.values()) == ["number", "text", "moment", "flag"]
    assert (fields["account.created_at"]["kind"], fields["account.employees"]["kind"]) == ("moment", "number")
    assert fields["health.band"]["values"] == ["red", "yellow", "green"]


def test_samples_are_three_distinct_values_of_the_data_and_of_the_scores(
    fields: Fields,
) -> None:
    assert fields["no samples"]["reason"] == ""
    for name in ("account.domain", "health.score", "active_users_28d"):
        samples = fields[name]["samples"]
        assert len(samples) == len(set(samples)) == 3, name
    assert all(float(sample) <= 100 for sample in fields["health.score"]["samples"])


def test_a_word_picks_by_name_and_by_meaning(folder: Path) -> None:
    assert set(listed(folder, "HEALTH.b")) == {"health.band", "no samples"}
    by_meaning = listed(folder, "(28 days)")
    assert by_meaning.keys() - {"no samples"}
    assert all("(28 days)" in field["label"] for name, field in by_meaning.items() if name != "no samples")


def test_a_word_that_fits_nothing_suggests_the_nearest_name(folder: Path) -> None:
    with open_reader(folder) as reader, pytest.raises(UnknownName, match=r'Did you mean "health\.score"'):
        list_fields(reader, "helth.score")


def test_data_that_cannot_be_read_costs_only_the_samples(folder: Path, fields: Fields, tmp_path: Path) -> None:
    database = next(path for path in folder.rglob("*.duckdb"))
    moved = database.rename(tmp_path / "away.duckdb")
    after = listed(folder)
    moved.rename(database)
    assert set(after) == set(fields)
    assert after["no samples"]["reason"]
    assert not any(field.get("samples") for field in after.values())


def test_invalid_settings_leave_the_fields_of_every_project(folder: Path) -> None:
    signals = folder / "config" / "signals.yaml"
    good = signals.read_text(encoding="utf-8")
    with open_reader(folder):
        pass  # makes the state database, without which invalid settings are an error
    signals.write_text("version: 2\n", encoding="utf-8")
    fields = listed(folder)
    signals.write_text(good, encoding="utf-8")
    assert "health.score" in fields
    assert "active_users_28d" not in fields
    assert fields["no samples"]["reason"].startswith("the settings are invalid and nothing runs: config/")


def test_a_value_of_the_data_is_no_markup_and_no_control_character(folder: Path) -> None:
    odd = FieldEntry(name="x", label="[bold]x[/bold]", kind="text", samples=("[red]y[/red]",))
    console = Console(width=200)
    with console.capture() as shown:
        console.print(render_fields(FieldList((odd,), "no [data]")))
    assert all(text in shown.get() for text in ("[bold]x[/bold]", "[red]y[/red]", "no [data]"))
    assert list(samples_of(["a\x1b[31mb\n", None, "c" * 99])) == ["a [31mb", "c" * 39 + "…"]


def test_a_unit_that_repeats_the_kind_is_left_out() -> None:
    fields = (
        FieldEntry(name="a.plan", label="plan", kind="text", unit="text"),
        FieldEntry(name="a.age", label="age", kind="number", unit="days"),
    )
    console = Console(width=200)
    with console.capture() as shown:
        console.print(render_fields(FieldList(fields)))
    assert shown.get().count("text") == 1
    assert "days" in shown.get()
