"""No file of a table is left out silently: it is read with the others, or refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.signals.errors import SourceError
from worker.signals.table_files import table_files


def chosen(folder: Path, table: str, *names: str) -> list[str]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return [str(path.relative_to(folder)) for path in table_files(folder, table)]


@pytest.mark.parametrize(
    ("table", "names", "read"),
    [
        ("events", ["events/n.csv", "events/O.CSV", "events/p.csv.gz", "events/q.Csv.GZ"], 4),
        ("events", ["events/n.parquet", "events/O.PARQUET"], 2),
        ("events", ["Events.csv", "events.CSV"], 1),
        ("events", ["events/n.csv", "events/_SUCCESS", "events/.n.csv.crc", "events/._n.csv", "events/_old/o.csv"], 1),
        ("events", ["events/n.csv", "events/empty folder/_SUCCESS"], 1),
        ("events", ["events.csv/part-0.csv", "events.csv/part-1.csv"], 2),
        ("events", ["events.csv", "events/_SUCCESS"], 1),
        (
            "events/*.csv",
            ["events/n.csv", "events/O.CSV", "events/o.jsonl", "events/_o.csv", "events/2026-05/p.csv"],
            2,
        ),
        ("events/**/*.csv", ["events/n.csv", "events/2026-05/p.csv", "events/_temporary/p.csv"], 2),
        ("events/*", ["events/n.csv", "events/2026-05/p.csv"], 2),
        ("events.csv", ["events.csv", "events/n.csv"], 1),
        ("events/", ["events.csv", "events/n.csv"], 1),
        ("_events", ["_events.csv"], 1),
        ("_raw/*.csv", ["_raw/n.csv", "_raw/_o.csv"], 1),
        ("events", ["others.csv"], 0),
        ("../events", ["events.csv"], 0),
    ],
)
def test_all_data_files_of_a_table_are_read(tmp_path: Path, table: str, names: list[str], read: int) -> None:
    assert len(chosen(tmp_path, table, *names)) == read


@pytest.mark.parametrize(
    ("table", "names", "message"),
    [
        (
            "events",
            ["events/n.parquet", "events/_delta_log/0.json"],
            "events/ is a table of Delta Lake: its files also",
        ),
        ("e/*.parquet", ["e/n.parquet", "e/_delta_log/0.json"], "e/ is a table of Delta Lake"),
        ("e/day=1/*.parquet", ["e/day=1/n.parquet", "e/_delta_log/0.json"], "e/ is a table of Delta Lake"),
        ("events", ["events.parquet", "_delta_log/0.json"], "the folder is a table of Delta Lake"),
        ("events", ["events/n.parquet", "events/.hoodie/hoodie.properties"], "events/ is a table of Hudi"),
        ("e/data", ["e/data/n.parquet", "e/metadata/v1.metadata.json"], "e/ is a table of Iceberg"),
        ("events", ["events/n.csv", "events/o.jsonl"], "events/o.jsonl is neither Parquet nor CSV"),
        ("events", ["events/n.csv", "events/o.tsv"], r"events/o.tsv .* such as events/\*\.csv"),
        ("events", ["events/o.jsonl"], "events/o.jsonl is neither"),
        ("events", ["events/n.csv", "events/2026-05/o.csv"], r"events/2026-05/o.csv lies .* map events/\*\*/\*\.csv"),
        ("events", ["events/2026/05/o.parquet"], r"map events/\*\*/\*\.parquet"),
        ("events", ["events.csv", "events/n.csv"], r'"events" is both events.csv and events/: map events.csv or'),
        ("events", ["events.csv", "events.parquet"], '"events" is both events.csv and events.parquet'),
        ("events", ["events.csv", "events.csv.gz"], '"events" is both events.csv and events.csv.gz'),
        ("events", ["events.csv", "events.CSV"], '"events" is both'),
        ("events", ["events/n.csv", "events/n.csv.gz"], "events/n.csv and events/n.csv.gz may hold the same rows"),
        ("events", ["events/n.csv", "events/o.parquet"], "events/n.csv and events/o.parquet cannot be read as one"),
        ("e*", ["e1.csv", "e2.parquet"], r"such as \*\.csv"),
    ],
)
def test_a_file_that_would_be_left_out_is_named(tmp_path: Path, table: str, names: list[str], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        chosen(tmp_path, table, *names)


def test_a_link_in_a_folder_of_files_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "s.csv").touch()
    for name in ("files", "folders"):
        (tmp_path / "data" / name).mkdir(parents=True)
    (tmp_path / "data" / "files" / "s.csv").symlink_to(tmp_path / "secret" / "s.csv")
    (tmp_path / "data" / "folders" / "s").symlink_to(tmp_path / "secret")
    for table in ("files", "folders", "files/*.csv", "folders/*", "folders/s/*.csv"):
        with pytest.raises(SourceError, match="is a link that leads out of"):
            table_files(tmp_path / "data", table)
