"""The outbox: rows that wait to be sent, are parked or dead; rows to send again or to give up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, cast

import typer

from worker.cli.options import JsonOption, ProjectOption
from worker.cli.printing import console, fail, print_result, reading
from worker.delivery.row_state import RowState
from worker.language.plural import counted

if TYPE_CHECKING:
    from worker.service import Change

_CHANGED = {"retry": "will be sent again with the next plgsync run", "drop": "dropped"}


StateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--state",
        help=f"Only rows in this state: {', '.join(RowState)}. May be repeated.",
        autocompletion=lambda: list(RowState),
    ),
]
DestinationOption = Annotated[str | None, typer.Option("--destination", help="Only rows for this CRM.")]
PlaybookOption = Annotated[str | None, typer.Option("--playbook", help="Only tasks of this playbook, by its id.")]
AccountOption = Annotated[str | None, typer.Option("--account", help="Only rows of this account or CRM record, by id.")]
AllOption = Annotated[bool, typer.Option("--all-matching", help="Change every row that the filters match.")]
IdsArgument = Annotated[list[int] | None, typer.Argument(help="Row numbers from plgsync outbox list.")]


def outbox_list(
    state: StateOption = None,
    destination: DestinationOption = None,
    playbook: PlaybookOption = None,
    account: AccountOption = None,
    project: ProjectOption = None,
    json_: JsonOption = False,
) -> None:
    """Show the rows that wait, are being sent, parked or dead, with the answer of the CRM.

    Example: plgsync outbox list --state parked --state dead --destination hubspot
    """
    from worker.delivery.selection import Selection
    from worker.rendering.outbox import render_outbox
    from worker.service import outbox_rows

    with reading(project) as reader:
        rows = outbox_rows(reader, Selection(_states(state), destination, playbook, account))
    print_result(render_outbox(rows), json_, rows)


def _states(names: Sequence[str] | None) -> tuple[RowState, ...]:
    from worker.reports.names import require_known

    for name in names or ():
        require_known("state", name, RowState)
    return tuple(RowState(name) for name in names or ())


def outbox_change(
    context: typer.Context,
    ids: IdsArgument = None,
    state: StateOption = None,
    destination: DestinationOption = None,
    playbook: PlaybookOption = None,
    account: AccountOption = None,
    all_matching: AllOption = False,
    project: ProjectOption = None,
) -> None:
    """Change rows by number, or count those that match the filters and change them with ``--all-matching``."""
    from worker.delivery.selection import Selection
    from worker.service import change_matching, change_rows, count_matching

    what = cast("Change", context.command.name)
    selection = Selection(_states(state), destination, playbook, account)
    if bool(ids) == (all_matching or not selection.empty):
        raise typer.BadParameter("give either row numbers or filters (all rows: --all-matching alone)")
    with reading(project, to_change=True) as reader:
        if ids:
            done = change_rows(reader, ids, what)
            console().print(f"{done} of {counted(len(ids), 'row')} {_CHANGED[what]}")
            if done < len(ids):
                raise SystemExit(1)
            return
        count = count_matching(reader, selection, what)
        console().print(counted(count, "row matches", "rows match"))
        if count and not all_matching:
            fail(f"nothing was done; add --all-matching to {what} them")
        if count:
            console().print(f"{counted(change_matching(reader, selection, what), 'row')} {_CHANGED[what]}")
