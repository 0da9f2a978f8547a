"""One word per thing: names that were replaced do not come back as names of this project's own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

INSTEAD = {
    "_Changing": "_RowChange",
    "_HELD": "last_good_files, not_entered or holdout",
    "_Wish": "DesiredValue",
    "_blur": "noise_floor",
    "_bury_crashers": "dead_letter_poison_rows",
    "_culprits": "_invalid_parts",
    "_everything": "_old_rows",
    "_said": "log_batch or safe_message",
    "_say": "log_batch or safe_message",
    "_selecting": "_known_selection",
    "_strays": "unread_files",
    "_whole": "rounded, or integer",
    "ABOUT": "SIMILAR_SHARE",
    "All": "AllOf",
    "Answer": "HttpResponse",
    "Any": "AnyOf",
    "BackInTime": "AsOfTooOld",
    "Bell": "WakeupPipe",
    "DayTold": "DailyQuota",
    "Ending": "JobResult",
    "EnvironmentWrong": "InvalidEnvironment",
    "Fact": "Measurement, or RecordFact, DealFact, TaskFact for what a CRM shows",
    "Gap": "MissingMapping",
    "HeedSignals": "GracefulShutdown",
    "Kept": "HumanOwnedField",
    "Line": "Comparison",
    "Log": "SlidingWindowLog",
    "Membership": "Enrollment",
    "Moment": "QueryScope",
    "Pace": "RateLimiter",
    "Place": "Position",
    "PlanMoved": "StalePlan",
    "Progress": "StepResult",
    "Refused": "CommandError, InvalidValue, RequestRejected or InvalidFile",
    "Remains": "PartialSettings",
    "RunReasons": "Provenance",
    "Scene": "StepContext",
    "Shown": "Published",
    "Sign": "Probe",
    "Standing": "AccountInCrm, ScoreBasis or RowState",
    "Told": "RateLimitStatus",
    "Truths": "ConditionResults",
    "Verdict": "Choice",
    "Verdicts": "DecisionLog",
    "WatchLoop": "EventLoopWatchdog",
    "Wire": "ConfiguredAdapter",
    "approach": "update_pending",
    "arm": "variant",
    "armed": "can_retrigger",
    "Stop": "CancelToken",
    "ask": "cancel",
    "book": "try_acquire, or alert_store for a module",
    "bury": "dead_letter_poison_rows or note_exit",
    "crowd": "reserve_for_others",
    "disturb": "automation",
    "ending": "job_result",
    "endings": "job_results",
    "facts_of": "measurements_of",
    "give_back": "release_slot",
    "go_on": "run_steps",
    "hang": "open",
    "happened": "record",
    "has_held": "matched_long_enough",
    "hear": "wait",
    "held": "last_good_files, not_entered or holdout",
    "held_back": "not_entered",
    "held_out": "holdout",
    "hold_back": "defer",
    "holding": "lease_renewal",
    "human": "ui_actions",
    "intake": "validation",
    "keep": "set_enrollment",
    "kept": "persistence",
    "late": "restamp",
    "learn": "observe",
    "look": "evaluate",
    "mishaps": "faults",
    "note": "enroll_as_baseline",
    "note_ending": "record_job_result",
    "others": "foreign_calls",
    "put_back": "release",
    "raising": "notify",
    "ring": "notify",
    "salvage": "partial_settings",
    "settle": "record_outcomes, normalize_status or LostAnswerCooldown",
    "show": "publish",
    "signs_of_life": "liveness",
    "standing": "status",
    "take_back": "reclaim",
    "tell": "notify_admins",
    "untold": "undelivered",
    "vanish": "remove",
    "verdict": "choice",
    "whole": "rounded, or integer",
    "wishes": "assignee_candidates",
}
"""By the name that was replaced: the field's term that is used instead."""

# A word may name a parameter or a local variable: the function around it gives it its meaning.


def _definitions(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that other files read: of classes, functions, attributes, module and class variables."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.lineno, node.name
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
        if isinstance(node, ast.Module | ast.ClassDef):
            for statement in node.body:
                for name in ast.walk(statement) if isinstance(statement, ast.Assign | ast.AnnAssign) else ():
                    if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                        yield name.lineno, name.id


def replaced_names(path: Path) -> list[str]:
    """``file:line  name: use …`` for each replaced name that a file defines."""
    names = [(1, path.stem), *_definitions(ast.parse(path.read_text(encoding="utf-8")))]
    return [f"{path}:{line}  {name}: use {INSTEAD[name]} instead" for line, name in names if name in INSTEAD]


@pytest.mark.parametrize("package", ["worker", "connectors"])
def test_replaced_names_do_not_come_back(package: str) -> None:
    found = [line for path in sorted((ROOT / package).rglob("*.py")) for line in replaced_names(path)]
    assert not found, "\n".join(found)


def test_a_replaced_name_is_found_wherever_it_is_defined(tmp_path: Path) -> None:
    source = tmp_path / "salvage.py"
    source.write_text("class Pace:\n  armed: int\ndef tell(note):\n  late = untold\nheld = 1\nx.kept = 2\n")
    found = {line.split("  ")[1].split(":")[0] for line in replaced_names(source)}
    assert found == {"salvage", "Pace", "armed", "tell", "held", "kept"}
