"""The state of a project as a whole: backup, restore, move to another database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.options import AsOfOption, JsonOption, ProjectOption, moment_of
from worker.cli.printing import console, fail, print_result
from worker.language.plural import counted

FileArgument = Annotated[Path, typer.Argument(help="The file of the backup.")]


def state_backup(file: FileArgument, project: ProjectOption = None, json_: JsonOption = False) -> None:
    """Write the whole state into a file, as of one moment, while workers run.

    The file holds names, scores and texts of your accounts; only you can read it. A backup under that name is replaced.

    Example: plgsync state backup /backups/plgsync.db
    """
    from worker.runtime.state import back_up

    rows = back_up(project, file)
    print_result(f"{_summary(rows)} written to {file}, read again and compared", json_, rows)


def state_restore(
    file: FileArgument, project: ProjectOption = None, as_of: AsOfOption = None, json_: JsonOption = False
) -> None:
    """Replace the state by a backup, then adopt what the CRMs hold by now. Nothing else may use the state meanwhile.

    A damaged SQLite file is kept beside. Where adoption fails, the state stays restored, and nothing runs before
    plgsync adopt has run.

    Example: plgsync state restore /backups/plgsync.db
    """
    from worker.rendering.adoption import adoption_json, render_adoption
    from worker.runtime.failures import explain_failure
    from worker.runtime.state import restore
    from worker.service import adopt_state

    moment = moment_of(as_of)
    rows = restore(project, file)
    if not json_:
        console().print(f"{_summary(rows)} restored from {file}")
    try:
        adoption = adopt_state(project, moment)
    except Exception as error:
        reason = explain_failure(error)
        if reason is None:
            raise
        if json_:
            print_result(None, json_, {"rows": rows, "adoption": None})
        fail(f"{reason}\nthe state is restored and not adopted yet: plgsync adopt has to run before anything else")
    print_result(render_adoption(adoption), json_, {"rows": rows, "adoption": adoption_json(adoption)})


def state_move(
    url: Annotated[
        str,
        typer.Argument(
            help="The new database, which is empty: sqlite:… or postgresql:…, or env:NAME or file:PATH that holds it."
        ),
    ],
    project: ProjectOption = None,
    json_: JsonOption = False,
) -> None:
    """Copy the state to another database and compare every table; the old one is kept, and refuses to be used.

    Example: plgsync state move env:NEW_DATABASE_URL
    """
    from worker.runtime.state import move

    rows = move(project, url)
    print_result(f"{_summary(rows)} moved and compared", json_, rows)
    if not json_:
        console().print("next: set PLGSYNC_DATABASE_URL to the new database wherever plgsync runs")


def _summary(rows: dict[str, int]) -> str:
    return f"{counted(sum(rows.values()), 'row')} of {counted(len(rows), 'table')}"
