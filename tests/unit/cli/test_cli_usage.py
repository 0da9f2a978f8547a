"""Every command explains itself with an example, and ends as the documentation says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from tests.in_process import plgsync
from worker.cli import app

PLGSYNC = [sys.executable, "-c", "from worker.cli import main; main()"]


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if hasattr(group, "commands"):
        for name, command in group.commands.items():
            if not command.hidden:
                yield from commands(command, (*path, name))
    else:
        yield path


@pytest.mark.parametrize("path", list(commands(get_command(app))), ids=" ".join)
def test_every_command_has_an_example(path: tuple[str, ...]) -> None:
    done = plgsync(*path, "--help")
    assert done.returncode == 0
    assert f"Example: plgsync {' '.join(path)}" in " ".join(done.stdout.split())


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from worker.cli import app; "
        "heavy = {'sqlalchemy', 'duckdb', 'pydantic', 'celery', 'requests', 'lark', 'hubspot', 'simple_salesforce'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"


def ended(watch: str, *arguments: str) -> str:
    """Run a command in a process of its own; what ``watch``, an expression on ``sys`` and ``gc``, is at its end."""
    code = f"import atexit, gc, sys; atexit.register(lambda: print({watch})); from worker.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("command", ["status", "outbox list", "check --offline", "exporter --once", "probe --live"])
def test_a_report_imports_nothing_that_reads_product_data_or_calls_a_crm(tmp_path: Path, command: str) -> None:
    assert plgsync("init", str(tmp_path)).returncode == 0
    heavy = {"celery", "duckdb", "hubspot", "opentelemetry", "psycopg", "requests", "simple_salesforce"}
    assert ended(f"sorted({heavy} & set(sys.modules))", *command.split(), "--project", str(tmp_path)) == "[]"


def test_a_command_looks_for_garbage_seldom_and_for_none_at_its_end(tmp_path: Path) -> None:
    assert plgsync("init", str(tmp_path)).returncode == 0
    found = "sum(one['collections'] for one in gc.get_stats()) < 100, gc.get_freeze_count() > 0"
    assert ended(found, "status", "--project", str(tmp_path)) == "True True"


def test_what_duckdb_made_is_collected_or_it_would_be_reported_as_leaked() -> None:
    code = "from connectors.garbage import collect_seldom; collect_seldom(); import duckdb"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["no-such-command"], ["run", "--no-such-option"], ["plan", "--as-of", "soon"]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    done = plgsync(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_folder_without_a_project_is_one_clear_message(tmp_path: Path) -> None:
    for command in (["check", "--offline"], ["plan"], ["run"], ["outbox", "list"]):
        done = plgsync(*command, "--project", str(tmp_path))
        assert done.returncode == 1
        assert "plgsync init" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_init_writes_a_project_that_checks_offline_and_keeps_edits(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    assert plgsync("init", str(folder)).returncode == 0
    done = plgsync("check", "--offline", "--project", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    edited = folder / "config" / "schedule.yaml"
    edited.write_text(edited.read_text(encoding="utf-8") + "\n# mine\n", encoding="utf-8")
    assert plgsync("init", str(folder)).returncode == 0
    assert edited.read_text(encoding="utf-8").endswith("# mine\n")


def test_check_shows_every_problem_of_every_file_with_its_place(tmp_path: Path) -> None:
    plgsync("init", str(tmp_path))
    crm = tmp_path / "config" / "crm.yaml"
    crm.write_text(crm.read_text(encoding="utf-8").replace("from: health.score", "from: healht.score", 1))
    playbook = tmp_path / "playbooks" / "pql-to-task.yaml"
    playbook.write_text(playbook.read_text(encoding="utf-8").replace("fit.score >= 50", "fit.scor >= 50", 1))
    done = plgsync("check", "--offline", "--project", str(tmp_path))
    assert done.returncode == 1
    line = crm.read_text(encoding="utf-8").splitlines().index("        from: healht.score") + 1
    assert f"config/crm.yaml:{line}:15" in done.stdout
    assert 'Did you mean "health.score"?' in done.stdout
    assert "playbooks/pql-to-task.yaml:" in done.stdout
    assert 'Did you mean "fit.score"?' in done.stdout


def test_the_version_is_that_of_the_package() -> None:
    done = plgsync("--version")
    assert (done.returncode, done.stdout) == (0, f"plgsync {version('plgsync')}\n")


@pytest.mark.parametrize("path", [(), ("outbox",), ("crm", "setup"), ("status",)], ids=" ".join)
def test_h_is_short_for_help_everywhere(path: tuple[str, ...]) -> None:
    short, long = plgsync(*path, "-h"), plgsync(*path, "--help")
    assert (short.returncode, short.stdout) == (0, long.stdout)


def every_help(command: Any, parent: Any = None) -> Iterator[str]:
    """The help of a command and of all below it."""
    context = command.make_context(command.name or "plgsync", [], parent, resilient_parsing=True)
    yield context.get_help()
    for one in getattr(command, "commands", {}).values():
        yield from every_help(one, context)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_help_fits_the_terminal_and_cuts_no_line(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = list(every_help(get_command(app)))
    assert len(shown) > 20
    for text in shown:
        usage, *lines = text.splitlines()
        assert [line for line in (usage, *lines) if len(line) > columns] == []
        assert [line for line in lines if line.endswith(("...", "…"))] == []


def test_a_shell_completes_commands() -> None:
    environment = {**os.environ, "_PLGSYNC_COMPLETE": "complete_bash", "COMP_WORDS": "plgsync expo", "COMP_CWORD": "1"}
    done = subprocess.run(PLGSYNC, capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout.split() == ["exporter"]


@pytest.mark.parametrize("columns", [None, "40"])
def test_piped_text_is_not_wrapped_unless_columns_says_so(tmp_path: Path, columns: str | None) -> None:
    environment = {**os.environ, **({"COLUMNS": columns} if columns else {})}
    command = [*PLGSYNC, "init", str(tmp_path / ("a-long-name" * 6))]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    widest = max(len(line) for line in done.stdout.splitlines())
    assert widest <= 40 if columns else widest > 120
