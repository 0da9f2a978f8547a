"""Problems of a project's files and results of its playbooks' tests."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from worker.reports.check import Check
from worker.rules.playbook_tests import TestResult

_STYLES = {"error": "red", "warning": "yellow"}


def render_check(check: Check) -> RenderableType:
    """Every problem with its place, errors last, then one line with the totals."""
    lines: list[RenderableType] = [Text(f"ok  {line}", style="green") for line in check.passed]
    ordered = sorted(check.problems, key=lambda problem: (problem.severity == "error", problem))
    lines += [Text(problem.format(), style=_STYLES[problem.severity]) for problem in ordered]
    errors = sum(1 for problem in check.problems if problem.severity == "error")
    warnings = len(check.problems) - errors
    lines.append(Text(f"{errors} errors, {warnings} warnings" if check.problems else "ready for a run"))
    return Group(*lines)


def render_playbook_tests(results: Sequence[TestResult]) -> RenderableType:
    """One line per test; its failures below it."""
    lines: list[RenderableType] = []
    for result in results:
        word, style = ("ok  ", "green") if result.passed else ("FAIL", "red")
        lines.append(Text(f"{word}  {result.playbook_id}: {result.name}", style=style))
        lines += [Text(f"      {result.file}:{result.line}: {failure}") for failure in result.failures]
    failed = sum(1 for result in results if not result.passed)
    lines.append(Text(f"{len(results) - failed} tests passed, {failed} failed"))
    return Group(*lines)
