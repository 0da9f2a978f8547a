"""A YAML file becomes plain data, every part of which can be found again by line and column."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from worker.settings.problems import ConfigError, Problem
from worker.settings.yaml_document import load_document, read_document


def refusal(content: bytes | str) -> Problem:
    """The only problem of a file of which nothing can be read."""
    with pytest.raises(ConfigError) as caught:
        read_document("demo.yaml", content.encode() if isinstance(content, str) else content)
    (problem,) = caught.value.problems
    return problem


TEXT = """\
version: 1
when:
  enters:
    any:
      - health.score < 40
      - "plan is pro"
  for: 24h
body: |
  first line
    second {{account.name}}
flow: {a: [1, 2.5, true, null, 2026-11-23]}
"""


def test_values_are_plain_data() -> None:
    data = read_document("demo.yaml", TEXT.encode()).data
    assert data["when"]["enters"]["any"] == ["health.score < 40", "plan is pro"]
    assert data["body"] == "first line\n  second {{account.name}}\n"
    assert data["flow"] == {"a": [1, 2.5, True, None, date(2026, 11, 23)]}


@pytest.mark.parametrize(
    ("loc", "offset", "place"),
    [
        (("version",), 0, (1, 10)),
        (("when", "enters", "any", 0), 0, (5, 9)),
        (("when", "enters", "any", 0), 15, (5, 24)),
        (("when", "enters", "any", 1), 0, (6, 9)),
        (("when", "enters", "any", 1), 8, (6, 18)),
        (("when", "for"), 0, (7, 8)),
        (("when", "enters"), 0, (3, 3)),
        (("when", "enters", "any", 9), 0, (4, 5)),
        (("when", "leaves"), 0, (2, 1)),
        (("body",), 15, (10, 7)),
        (("flow", "a", 1), 0, (11, 15)),
        ((), 0, (1, 1)),
    ],
)
def test_every_part_has_its_line_and_column(loc: tuple[str | int, ...], offset: int, place: tuple[int, int]) -> None:
    assert read_document("demo.yaml", TEXT.encode()).position(loc, offset) == place


def test_a_key_is_pointed_at_itself() -> None:
    assert read_document("demo.yaml", TEXT.encode()).position(("when", "for"), of_key=True) == (7, 3)


def test_a_problem_shows_its_line_in_the_agreed_form() -> None:
    document = read_document("playbooks/demo.yaml", b"when:\n  enters:\n      - healht.score < 40\n")
    problem = document.problem(("when", "enters", 0), 'unknown field "healht.score". Did you mean "health.score"?')
    assert problem.format() == (
        'playbooks/demo.yaml:3:9  error: unknown field "healht.score". Did you mean "health.score"?\n'
        "      3 |       - healht.score < 40"
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\x85", "\u2028"])
def test_lines_are_counted_whatever_ends_them(newline: str) -> None:
    document = read_document("demo.yaml", f"a: 1{newline}b: 2{newline}".encode())
    assert document.position(("b",)) == (2, 4)


def test_a_byte_order_mark_changes_nothing() -> None:
    document = read_document("demo.yaml", b"\xef\xbb\xbfa: 1\n")
    assert document.data == {"a": 1}
    assert document.position(("a",)) == (1, 4)


def test_a_moment_without_a_zone_is_utc() -> None:
    assert read_document("demo.yaml", b"at: 2026-11-23 05:00:00\n").data == {
        "at": datetime(2026, 11, 23, 5, tzinfo=UTC)
    }


def test_keys_are_always_text() -> None:
    assert read_document("demo.yaml", b"1: a\n2026-01-01: b\nnull: c\n").data == {
        "1": "a",
        "2026-01-01": "b",
        "null": "c",
    }


@pytest.mark.parametrize(
    ("content", "line", "column", "says"),
    [
        (b"", 1, 1, "this file is empty"),
        (b"# only a comment\n", 1, 1, "this file is empty"),
        (b"---\n...\n", 1, 1, "this file is empty"),
        (b"- a\n- b\n", 1, 1, "expected a block of settings"),
        (b"just words\n", 1, 1, "expected a block of settings"),
        (b"a: 1\n---\nb: 2\n", 2, 1, "a second document begins here"),
        (b"a: caf\xe9\n", 1, 7, "not UTF-8"),
        (b"\xff\xfea\x00:\x00", 1, 1, "not UTF-8"),
        (b"a: 1\nb: x\x00y\n", 2, 5, "U+0000"),
        (b"a: &x 1\n", 1, 4, "anchors and aliases"),
        (b"a: 1\nb: *x\n", 2, 4, "anchors and aliases"),
        (b"cron: * * * * *\n", 1, 7, "quotes"),
        (b"a: !!python/object/apply:os.system [ls]\n", 1, 4, "tags"),
        (b"a: !!str 5\n", 1, 4, "tags"),
        (b"a: !x 5\n", 1, 4, "tags"),
        (b"a:\n\tb: 1\n", 2, 1, "tabs cannot be used"),
        (b'a: "open\n', 1, 4, "closing quote"),
        (b'a: "\\q"\n', 1, 6, "unknown escape"),
        (b'a: "\\UFFFFFFFF"\n', 1, 7, "no character"),
        (b"a: 1\n b: 2\n", 2, 3, "indentation"),
        (b": x\n", 1, 1, 'there is no key before ":"'),
        (b"a: @x\n", 1, 4, 'cannot begin with "@"'),
        (b"a: 1\nb\nc: 2\n", 3, 1, "space after the colon"),
        (b"subject: PQL: hello\n", 1, 13, "quotes around the whole text"),
        (b"s: {{a}}: {{b}}\n", 1, 9, '"{{" needs quotes'),
        (b"all: [a, plan in [x]]\n", 1, 18, 'one test per line, each after "- "'),
        (b"c: {if: plan in [x], when_missing: false}\n", 1, 17, 'one test per line, each after "- "'),
        (b"a: [1, 2\nb: 3\n", 2, 2, "not closed"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(content: bytes, line: int, column: int, says: str) -> None:
    problem = refusal(content)
    assert says in problem.message
    assert (problem.line, problem.column) == (line, column)


def test_bottomless_nesting_is_refused() -> None:
    assert "nested deeper" in refusal("a: " + "[" * 5000).message
    assert "nested deeper" in refusal("".join("  " * depth + "a:\n" for depth in range(60))).message


def test_a_file_of_unreasonable_size_is_refused() -> None:
    assert "larger than" in refusal(b"a: 1\n" * 300_000).message


def test_a_file_of_too_many_values_is_refused_where_they_become_too_many() -> None:
    read_document("a.yaml", ("a: [" + "1, " * 19_996 + "1]\n").encode())
    problem = refusal("a:\n" + "- 1\n" * 20_000)
    assert (problem.line, problem.message[:37]) == (19_999, "a file may have 20,000 keys and value")


def test_missing_and_unreadable_files_are_problems_of_that_file(tmp_path: Path) -> None:
    for path, says in [(tmp_path / "none.yaml", "missing"), (tmp_path, "cannot be read")]:
        with pytest.raises(ConfigError) as caught:
            load_document(path, "config/crm.yaml")
        (problem,) = caught.value.problems
        assert problem.file == "config/crm.yaml"
        assert says in problem.message


@pytest.mark.parametrize(
    "line",
    [
        "client_secret: hunter2",
        'auth: {method: token, "token": hunter2}',
        "  access_token:   hunter2 and more",
        "postgres: postgresql://me:hunter2@db/x",
    ],
)
def test_an_excerpt_never_shows_a_secret(line: str) -> None:
    problem = Problem("a.yaml", 1, 1, "m", excerpt=read_document("a.yaml", line.encode()).problem((), "m").excerpt)
    assert "hunter2" not in problem.format()
    assert "***" in problem.excerpt


def test_an_excerpt_never_shows_a_secret_below_its_key() -> None:
    text = (
        "auth:\n  private_key: |  # the key\n    -----BEGIN-----\n\n    hunter2\n  token:\n    hunter2\n  client: x\n"
    )
    document = read_document("a.yaml", text.encode())
    shown = [document.problem(loc, "m", offset=offset) for loc, offset in [
        (("auth", "private_key"), 17), (("auth", "token"), 0), (("auth", "client"), 0)
    ]]  # fmt: skip
    assert [(one.line, one.excerpt) for one in shown] == [(5, "***"), (7, "***"), (8, "  client: x")]


@pytest.mark.parametrize("value", ["0123456", "12:30", "hunter2 #1", "yes", "99999999999999999999", "2026-02-31"])
def test_a_trap_never_repeats_a_secret(value: str) -> None:
    for problem in read_document("a.yaml", f"token: {value}\n".encode()).problems:
        assert value.split()[0] not in problem.format()


def test_an_offset_beyond_the_text_stays_in_its_line() -> None:
    document = read_document("a.yaml", b'a: "x\\ty"\nb: |\n  one\n')
    assert document.position(("a",), 999) == (1, 10)
    assert document.position(("b",), 999) == (4, 1)


def test_an_excerpt_shows_where_a_secret_is_kept() -> None:
    port = read_document("a.yaml", b"base_url: http://127.0.0.1:8080/x").problem((), "m").excerpt
    assert port == "base_url: http://127.0.0.1:8080/x"
    assert read_document("a.yaml", b"token: env:HUBSPOT_TOKEN").problem((), "m").excerpt == "token: env:HUBSPOT_TOKEN"


def test_endless_lines_and_names_are_cut() -> None:
    name = "a." * 100_000 + "token"
    (problem,) = read_document("a.yaml", f"? '{name}'\n: 1\n? '{name}'\n: 2\n".encode()).problems
    assert len(problem.format()) < 1000


def test_many_problems_are_found_in_reasonable_time() -> None:
    text = "a:\n" + "  token: yes\n" * 5000
    assert len(read_document("a.yaml", text.encode()).problems) == 5000
