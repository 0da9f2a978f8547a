"""The words of a database are repeated in messages, in logs and in the state, without what a cell may hold."""

from __future__ import annotations

import pytest

from worker.signals.engines import first_line


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ('invalid input syntax for type integer: "ann+x@example.com"', 'invalid input syntax for type integer: "…"'),
        ("Could not convert string 'ann@mail.example.com' to INT64\nLINE 1", "Could not convert string '…' to INT64"),
        ('column "plan" does not exist', 'column "plan" does not exist'),
        (
            "no route to postgresql://reader:secret@db.example.com/app",
            "no route to postgresql://reader:***@db.example.com/app",
        ),
        ("no route to postgresql://reader@db.example.com/app", "no route to postgresql://reader@db.example.com/app"),
    ],
)
def test_no_address_of_a_person_is_repeated(message: str, shown: str) -> None:
    assert first_line(ValueError(message)) == shown
