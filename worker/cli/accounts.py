"""Account ids that belong to somebody else now: whether what is stored of an id goes on or is forgotten."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.options import ProjectOption
from worker.cli.printing import console

AccountArgument = Annotated[str, typer.Argument(help="The account id, as the plan and the report of a run name it.")]


def accounts_keep(account: AccountArgument, project: ProjectOption = None) -> None:
    """The account is the same as before: go on with its records, scores, playbooks and history.

    Example: plgsync accounts keep acc_7
    """
    from worker.service import settle_account

    settle_account(project, account, "keep")
    console().print("the next plgsync run goes on with this account")


def accounts_renew(account: AccountArgument, project: ProjectOption = None) -> None:
    """The id belongs to another account now: forget the records, scores, playbooks and history of the old one.

    Nothing changes in the CRMs. Before the next run, empty the account id on the old account's CRM records.

    Example: plgsync accounts renew acc_7
    """
    from worker.service import settle_account

    settle_account(project, account, "renew")
    console().print(
        "forgotten; empty the account id on the old CRM records, or the next plgsync run matches them again"
    )
