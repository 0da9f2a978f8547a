"""Problems of a playbook that concern other files of the project, or that would appear when it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from worker.language.comparison import Comparison
from worker.language.condition import Condition
from worker.language.expression import Mention
from worker.language.need import Need
from worker.language.suggest import suggestion
from worker.settings.base import Finding, Loc
from worker.settings.known import TASK_FIELDS, Known
from worker.settings.late_tests import late_tests_of_condition
from worker.settings.old_words import old_words_of_condition
from worker.settings.playbook import Playbook
from worker.settings.playbook_steps import AnyStep, Assignee, BranchStep, WaitStep
from worker.settings.share_tests import share_tests_of_condition


def check_playbook(playbook: Playbook, known: Known) -> Iterator[Finding]:
    """Unknown names, duplicate keys, steps without effect, and a playbook that would start itself again."""
    for loc, condition in playbook.conditions():
        yield from _condition_findings(loc, condition, known)
    for loc, template in playbook.templates():
        names = known.fields | known.template_fields | TASK_FIELDS
        for mention in template.mentions:
            yield from _unknown_names(loc, mention.need, mention.column, names)
    yield from _set_field_findings(playbook, known)
    yield from _key_findings(playbook)
    yield from _task_findings(playbook, known)
    yield from _wait_findings(playbook.do, ("do",), last=True)
    yield from _own_writes(playbook)


def _condition_findings(loc: Loc, condition: Condition, known: Known) -> Iterator[Finding]:
    for inner, mention in condition.mentions():
        if mention.need.name in known.template_fields - known.fields:
            message = f'"{mention.need.name}" exists only in the texts of tasks and fields, not in conditions'
            yield Finding((*loc, *inner), message, mention.column)
        else:
            yield from _unknown_names((*loc, *inner), mention.need, mention.column, known.fields | TASK_FIELDS)
            yield from _task_field_findings(loc, (*loc, *inner), mention)
    for inner, comparison in condition.comparisons():
        yield from _value_findings((*loc, *inner), comparison, known)
    yield from old_words_of_condition(loc, condition)
    yield from late_tests_of_condition(loc, condition, known)
    yield from share_tests_of_condition(loc, condition, known)


def _task_field_findings(where: Loc, loc: Loc, mention: Mention) -> Iterator[Finding]:
    """Tests of a task before there is one, and of other playbooks' tasks where this playbook's are meant."""
    name = mention.need.name
    if name in TASK_FIELDS and where[0] in {"audience", "when"}:
        message = f'"{name}" is about the task of an entry: it is unknown until the account is inside'
        yield Finding(loc, message, mention.column)
    elif name == "crm.task_status":
        message = (
            '"crm.task_status" is the newest task of all playbooks that use pql.*, for the PQL score; '
            "the task of this playbook is task.status"
        )
        yield Finding(loc, message, mention.column, severity="warning")


def _unknown_names(loc: Loc, need: Need, column: int, names: frozenset[str]) -> Iterator[Finding]:
    for name in need.fields - names:
        yield Finding(loc, f'unknown field "{name}"{suggestion(name, names)}', column)


def _value_findings(loc: Loc, comparison: Comparison, known: Known) -> Iterator[Finding]:
    """Texts that are not a value of a field with known values, and texts that are the name of a field."""
    name = comparison.expression.left.name
    values = (
        known.values.get(name)
        if not comparison.expression.operator and comparison.expression.left.kind == "field"
        else None
    )
    for value, column in zip(comparison.values, comparison.columns, strict=False):
        if not isinstance(value, str):
            continue
        wanted = value.strip().casefold()
        if values is not None and wanted not in {one.casefold() for one in values}:
            hint = suggestion(value, values, ".")
            yield Finding(loc, f'{name} is never "{value}"{hint} Known: {", ".join(values)}', column)
        elif "." in value and value in known.fields:
            message = (
                f'"{value}" is a field, and a test compares with a value; two numbers compare as: {name} - {value} = 0'
            )
            yield Finding(loc, message, column)


def _set_field_findings(playbook: Playbook, known: Known) -> Iterator[Finding]:
    for loc, name in playbook.set_field_names():
        if name not in known.crm_fields:
            add = ". Add it under fields: in config/crm.yaml"
            hint = suggestion(name, known.crm_fields - known.computed_fields, add)
            yield Finding(loc, f'unknown CRM field "{name}"{hint}', of_key=True)


def _key_findings(playbook: Playbook) -> Iterator[Finding]:
    keys: set[str] = set()
    for loc, key in playbook.step_keys():
        if key in keys:
            yield Finding(loc, f'the key "{key}" is used twice; every step of a playbook needs a key of its own')
        keys.add(key)


def _task_findings(playbook: Playbook, known: Known) -> Iterator[Finding]:
    for loc, task in playbook.tasks():
        if task.close_when_leaves and playbook.once_decided == "deliver":
            message = (
                "once_decided: deliver creates this task although its account has left, "
                "and close_when_leaves closes it again; leave one of them out"
            )
            yield Finding((*loc, "close_when_leaves"), message)
        yield from _queue_findings((*loc, "to"), task.to, known)
        if task.if_no_owner is not None:
            yield from _queue_findings((*loc, "if_no_owner"), task.if_no_owner, known)
        if task.contact is not None:
            yield from _contact_findings((*loc, "contact"), task.contact, known)


def _contact_findings(loc: Loc, name: str, known: Known) -> Iterator[Finding]:
    if name not in known.fields:
        yield Finding(loc, f'unknown field "{name}"{suggestion(name, known.fields)}')
    elif name in known.not_text:
        yield Finding(loc, f'"{name}" is no text: contact takes a field with an e-mail address, such as top_user.email')


def _queue_findings(loc: Loc, assignee: Assignee, known: Known) -> Iterator[Finding]:
    if assignee.kind in {"queue", "round_robin"} and assignee.name not in known.queues:
        hint = suggestion(assignee.name, known.queues, ". Add it under queues: in config/crm.yaml")
        yield Finding(loc, f'unknown queue "{assignee.name}"{hint}', len(assignee.kind) + 1)


def _wait_findings(steps: Sequence[AnyStep], loc: Loc, *, last: bool) -> Iterator[Finding]:
    """``last``: nothing comes after these steps."""
    for index, step in enumerate(steps):
        here, at_end = (*loc, index), index == len(steps) - 1
        if isinstance(step, WaitStep):
            if at_end and last:
                yield Finding(here, "nothing comes after this wait; remove it or add a step")
            elif not at_end and isinstance(steps[index + 1], WaitStep):
                yield Finding(here, "two waits in a row; write one, as long as both")
        elif isinstance(step, BranchStep):
            yield from _wait_findings(step.then, (*here, "then"), last=last and at_end)
            yield from _wait_findings(step.else_, (*here, "else"), last=last and at_end)


def _own_writes(playbook: Playbook) -> Iterator[Finding]:
    """A playbook must not read what it writes itself: it would start itself again for ever."""
    written = {field for _, name in playbook.set_field_names() for field in (name, f"crm.{name}")}
    for loc, condition in playbook.conditions():
        if loc == ("goal", "when"):
            continue
        for inner, mention in condition.mentions():
            if mention.need.fields & written:
                message = (
                    f'this playbook writes "{mention.need.name}" itself (set_fields), so its conditions must not use it'
                )
                yield Finding((*loc, *inner), message, mention.column)
