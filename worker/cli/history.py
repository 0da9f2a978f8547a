"""Where a score comes from, and who wrote what into the CRM."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.options import AsOfOption, JsonOption, ProjectOption, moment_of
from worker.cli.printing import print_result, reading


def explain(
    account: Annotated[str, typer.Argument(help="An account id, name or domain.")],
    project: ProjectOption = None,
    as_of: AsOfOption = None,
    json_: JsonOption = False,
) -> None:
    """Show where every score of an account comes from, and what every playbook sees in it.

    With a moment before the last run: what was published and where the account was in playbooks then, beside what
    today's settings say of the product data of then.

    Example: plgsync explain acme.example
    """
    from worker.rendering.explain import render_explanation
    from worker.service import explain_account

    explanation = explain_account(project, account, moment_of(as_of) if as_of else None)
    print_result(render_explanation(explanation), json_, explanation.to_json())


def history(
    record: Annotated[
        str,
        typer.Argument(
            help="A CRM record or task (its id or address), a task's key, or an account (its id, name or domain)."
        ),
    ],
    project: ProjectOption = None,
    field: Annotated[str | None, typer.Option("--field", help="Only this field: the CRM's name or ours.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The largest number of effects, newest first.")] = 20,
    json_: JsonOption = False,
) -> None:
    """Show who wrote which field or task, when, in which run and why, and what the CRM answered.

    Example: plgsync history 001A0000004aaaaAAA --field Health_Score__c
    """
    from worker.rendering.history import render_effects
    from worker.reports.history import read_history

    if field is not None and not field.strip():
        raise typer.BadParameter("--field needs the name of a field")
    with reading(project) as reader:
        effects = read_history(reader, record, field=field, limit=limit)
    print_result(render_effects(record, effects), json_, [effect.to_json() for effect in effects])
