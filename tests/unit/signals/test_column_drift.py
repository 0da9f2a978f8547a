"""A column that one file has and another lacks is a renamed one, unless it was added later."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.signals.column_drift import FileColumns, check_columns, check_kinds, partitions
from worker.signals.csv_files import Header
from worker.signals.errors import SourceError


def file(name: str, columns: str, rows: bool = True) -> FileColumns:
    names = tuple(columns.split())
    return FileColumns(Path("/data") / name, name, names, header=Header(names, ",", 0, rows))


def parquet(name: str, **types: str) -> FileColumns:
    return FileColumns(Path("/data") / name, name, tuple(types), tuple(types.values()))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("id user_id", "id userId", 'e-10.csv has no column "user_id". Did you mean "userId"?'),
        ("id userId", "id user_id", 'e-9.csv has no column "user_id". Did you mean "userId"?'),
        ("id properties", "id props", 'e-9.csv has no column "props". Did you mean "properties"?'),
        ("id props", "id properties", 'e-10.csv has no column "props". Did you mean "properties"?'),
        ("id removed_at", "id", 'e-10.csv has no column "removed_at"; e-9.csv has it'),
        ("user_id", "id user_id", 'e-9.csv has no column "id"'),
    ],
)
def test_a_column_that_goes_or_changes_its_name_is_named(old: str, new: str, message: str) -> None:
    files = [file("e-10.csv", new), file("e-9.csv", old)]
    with pytest.raises(SourceError) as refused:
        check_columns(files, ["id"], ["user_id", "props", "removed_at"])
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("id", "id removed_at"),
        ("id added_at", "id added_at removed_at"),  # a name like it, which the later file has too
        ("id other", "id removed_at"),
        ("id unused", "id"),
        ("ID REMOVED_AT", "id removed_at"),
    ],
)
def test_a_column_that_was_added_later_is_none_that_changed(old: str, new: str) -> None:
    check_columns([file("e-10.csv", new), file("e-9.csv", old)], ["id"], ["removed_at", "props"])


def test_a_file_without_rows_may_lack_a_column() -> None:
    check_columns([file("e-1.csv", "id props"), file("e-2.csv", "other", rows=False)], ["id"], ["props"])


@pytest.mark.parametrize(
    ("one", "other"),
    [("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"), ("DATE", "TIMESTAMP"), ("DOUBLE", "VARCHAR"), ("BIGINT", "BOOLEAN")],
)
def test_a_column_of_two_kinds_is_named_with_both_files(one: str, other: str) -> None:
    files = [parquet("e-1.parquet", at=one), parquet("e-2.parquet", at='"NULL"'), parquet("e-3.parquet", At=other)]
    with pytest.raises(SourceError) as refused:
        check_kinds(files, ["at"])
    assert f'column "At" is {one} in e-1.parquet and {other} in e-3.parquet' in str(refused.value)
    check_kinds(files, ["other"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("BIGINT", "INTEGER"),
        ("BIGINT", "DOUBLE"),
        ("TIMESTAMP", "TIMESTAMP_NS"),
        ("VARCHAR", "BIGINT"),
        ("DATE", '"NULL"'),
    ],
)
def test_kinds_that_come_together_without_loss_are_read(one: str, other: str) -> None:
    check_kinds([parquet("e-1.parquet", at=one), parquet("e-2.parquet", at=other)], ["at"])


def test_the_name_of_a_folder_adds_a_column_only_where_no_file_has_it() -> None:
    assert partitions([file("day=1/e.csv", "id"), file("day=2/e.csv", "id name")]) == ("day",)
    assert partitions([file("name=x/e.csv", "id name"), file("name=y/e.csv", "id NAME")]) == ()
    assert partitions([file("day=1/e.csv", "id"), file("e.csv", "id")]) == ()
    with pytest.raises(
        SourceError, match=r'name=y/f\.csv has the column "name" in the file and in the name of its folder'
    ):
        partitions([file("name=x/e.csv", "id"), file("name=y/f.csv", "id name")])
