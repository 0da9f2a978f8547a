"""The result of an adoption: what was found in each CRM, what was rebuilt of it, and what could not be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType

from worker.adoption.adopt import Adoption
from worker.adoption.crms import CrmContents
from worker.language.plural import counted
from worker.rendering.console import OneLine


def render_adoption(adoption: Adoption) -> RenderableType:
    """A line for each thing that was taken over, and for each that a person should know."""
    rebuilt = adoption.rebuilt
    lines = [line for one in adoption.crms for line in _of_crm(one)]
    lines.append(
        f"enrollments: {counted(rebuilt.inside, 'account')} inside, {rebuilt.left:,} outside after their tasks, "
        f"{rebuilt.baseline:,} left alone because they matched before"
    )
    lines.append(
        "not in any CRM, so not rebuilt: the history and the memory of scores, and why earlier writes were made"
    )
    lines.append("next: plgsync plan shows what the next run writes")
    return Group(*(OneLine(line) for line in lines))


def _of_crm(contents: CrmContents) -> Iterable[str]:
    name, tasks = contents.view.name, contents.tasks
    statuses = Counter(one.task.status for one in tasks.adopted)
    shown = ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in sorted(statuses.items()))
    yield f"{name}: {counted(len(tasks.adopted), 'task')} of this project{f' ({shown})' if shown else ''}"
    yield f"{name}: {counted(contents.records, 'record')} found, {counted(contents.ours, 'field value')} that we wrote"
    if contents.deleted:
        yield f"{name}: {counted(contents.deleted, 'record')} that somebody deleted; none is created again"
    if tasks.unclaimed:
        yield (
            f"{name}: {counted(len(tasks.unclaimed), 'task')} of this project, but of no playbook or account that it "
            f"has now, such as {tasks.unclaimed[0].key}: known from now on, and left as they are"
        )
    for project_id, count in sorted(tasks.of_others.items()):
        yield f"{name}: {counted(count, 'task')} of another project, {project_id}: left alone"
    for field, count in sorted(contents.unsure.items()):
        yield (
            f"{name}: the CRM does not say who wrote {field} on {counted(count, 'record')}: it counts as a person's, "
            "and is not written (write: if_ours)"
        )


def adoption_json(adoption: Adoption) -> dict[str, Any]:
    """The same figures as JSON."""
    return {
        "crms": {one.view.name: _crm_json(one) for one in adoption.crms},
        "enrollments": {
            "inside": adoption.rebuilt.inside,
            "left": adoption.rebuilt.left,
            "baseline": adoption.rebuilt.baseline,
        },
    }


def _crm_json(contents: CrmContents) -> dict[str, Any]:
    return {
        "tasks": Counter(str(one.task.status) for one in contents.tasks.adopted),
        "unclaimed": len(contents.tasks.unclaimed),
        "of_others": contents.tasks.of_others,
        "records": contents.records,
        "our_values": contents.ours,
        "deleted_records": contents.deleted,
        "unknown_writers": dict(contents.unsure),
    }
