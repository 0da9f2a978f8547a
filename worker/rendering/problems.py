"""Problems of a project's files and results of its playbooks' tests."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType

from worker.language.plural import counted
from worker.rendering.console import OneLine
from worker.rendering.data_report import render_data_report
from worker.reports.check import Check
from worker.rules.playbook_tests import TestResult

_STYLES = {"error": "red", "warning": "yellow"}


def render_check(check: Check) -> RenderableType:
    """The data report, every problem with its place, errors last, then one line with the totals."""
    lines: list[RenderableType] = [OneLine(f"ok  {line}", style="green") for line in check.passed]
    lines += [render_data_report(check.data)] if check.data else []
    ordered = sorted(check.problems, key=lambda problem: (problem.severity == "error", problem))
    lines += [
        OneLine(line, style=_STYLES[problem.severity]) for problem in ordered for line in problem.format().split("\n")
    ]
    errors = sum(1 for problem in check.problems if problem.severity == "error")
    warnings = len(check.problems) - errors
    lines.append(
        OneLine(f"{counted(errors, 'error')}, {counted(warnings, 'warning')}" if check.problems else "ready for a run")
    )
    return Group(*lines)


def render_playbook_tests(results: Sequence[TestResult]) -> RenderableType:
    """One line per test; its failures below it."""
    lines: list[RenderableType] = []
    for result in results:
        word, style = ("ok  ", "green") if result.passed else ("FAIL", "red")
        lines.append(OneLine(f"{word}  {result.playbook_id}: {result.name}", style=style))
        lines += [OneLine(f"      {result.file}:{result.line}: {failure}") for failure in result.failures]
    failed = sum(1 for result in results if not result.passed)
    lines.append(OneLine(f"{counted(len(results) - failed, 'test')} passed, {failed} failed"))
    return Group(*lines)
