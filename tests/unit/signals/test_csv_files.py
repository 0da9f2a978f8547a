"""The first line of a CSV that is not blank names its columns, or the file is refused with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.signals.csv_files import csv_header
from worker.signals.errors import SourceError


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "users.csv"
    path.write_text(text, encoding=encoding, newline="")
    return path


@pytest.mark.parametrize("blank", ["", "\n", " \n\t\n", "\r\n \r\n", "\ufeff\n", "\u200b\xa0\n\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_blank_lines_before_the_names_are_no_header(tmp_path: Path, blank: str, encoding: str) -> None:
    end = "\r\n" if "\r" in blank else "\n"
    path = written(tmp_path, f"{blank}user_id,email{end}u1,u1@a1.com{end}", encoding)
    header = csv_header(path, path.name, encoding)
    assert header is not None
    assert (header.columns, header.skipped) == (("user_id", "email"), blank.count("\n"))
    assert csv_header(written(tmp_path, blank, encoding), path.name, encoding) is None


def test_names_are_trimmed_as_cells_are(tmp_path: Path) -> None:
    header = csv_header(written(tmp_path, "\u200buser_id\xa0;\ufeffemail \n"), "users.csv", "utf-8")
    assert header is not None
    assert header.columns == ("user_id", "email")


@pytest.mark.parametrize(("rows", "has_rows"), [("", False), ("\n \n", False), ("u1,\n", True), ("\n" * 70_000, True)])
def test_a_file_with_nothing_but_names_has_no_rows(tmp_path: Path, rows: str, has_rows: bool) -> None:
    header = csv_header(written(tmp_path, f"user_id,email\n{rows}"), "users.csv", "utf-8")
    assert header is not None
    assert header.has_rows == has_rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sep=;\nuser_id;email\n", r'users\.csv:1 begins with "sep="'),
        ("\n,,,\nuser_id,email\n", r"users\.csv:2 names no column"),
        ('"",""\n', r"users\.csv:1 names no column"),
        ("user_id,email,Email\n", r'users\.csv:1 names the column "Email" twice'),
        ("\n" * 70_000 + "user_id\n", r"users\.csv:1 begins with more than 65,536 bytes of blanks"),
    ],
)
def test_a_line_that_names_no_columns_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        csv_header(written(tmp_path, text), "users.csv", "utf-8", ("user_id",))


@pytest.mark.parametrize(
    "value",
    [
        *("ada@a1.com", "417", "+49 30 123", "2026-06-30", "2026-06-30T10:00:00Z", "30.06.2026", '"{""a"": 1}"'),
        "0d1c9a52-9b43-4d0c-8a53-0d7d3f1f6a10",
    ],
)
def test_a_file_without_names_is_refused_without_a_cell_of_it(tmp_path: Path, value: str) -> None:
    with pytest.raises(SourceError, match=r"users\.csv:1 seems to hold data") as refused:
        csv_header(written(tmp_path, f"Ada,{value},{value}\nBob,x,x\n"), "users.csv", "utf-8", ("user_id",))
    assert not [cell for cell in ("Ada", value) if cell in str(refused.value)]


@pytest.mark.parametrize(("first", "second"), [("a1", "a2"), ("acc_1", "acc_207"), ("EU-7-x", "EU-12-x")])
def test_a_first_line_that_looks_like_the_second_is_data(tmp_path: Path, first: str, second: str) -> None:
    text = "{},Ada\n{},Bob\n".format
    with pytest.raises(SourceError, match=r"users\.csv:1 seems to hold data"):
        csv_header(written(tmp_path, text(first, second)), "users.csv", "utf-8", ("user_id",))
    assert csv_header(written(tmp_path, text(first, f"x{second}")), "users.csv", "utf-8", ("user_id",)) is not None
    assert csv_header(written(tmp_path, text(first, second)), "users.csv", "utf-8", (first,)) is not None


@pytest.mark.parametrize("names", ["USER_ID,2024,e@mail", "Nutzer,Straße 2", "имя,#", "a1,T2,id", ",user"])
def test_names_that_only_look_unusual_are_names(tmp_path: Path, names: str) -> None:
    assert csv_header(written(tmp_path, f"{names}\n"), "users.csv", "utf-8", ("user_id",)) is not None
