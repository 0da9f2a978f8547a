"""The destinations and playbooks of a project: those of its settings, and those in its state database."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, Connection, select

from worker.delivery.task_context import REASONS
from worker.language.suggest import suggestion
from worker.settings.problems import CommandError
from worker.settings.project import Project
from worker.store.tables import crm_records, ledger, outbox, playbook_runs, score_memory

LATELY = 1000
"""The number of the newest effects that are searched for names."""
_NAMING = frozenset({"create", "account.name", "account.domain"})
"""Who writes a name or a domain into a CRM field: ``create`` of config/crm.yaml, or a field that is filled from it."""


class UnknownName(CommandError):
    """A command names something that does not exist; the message says what does."""


_LISTED = 20


def require_known(kind: str, name: str, known: Iterable[str], otherwise: str = "") -> None:
    """Raises `UnknownName` unless ``name`` is one of the ``known`` names of its ``kind``.

    The message ends with the nearest name, else with ``otherwise``, else with the first known names.
    """
    names = sorted(set(known))
    if name in names:
        return
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    listed = f"; known: {', '.join(names[:_LISTED]) or 'none'}{more}"
    raise UnknownName(f'there is no {kind} "{name}"{suggestion(name, names, otherwise or listed)}')


def require_account(account: str, ids: Iterable[str], names: Iterable[str] = ()) -> None:
    """Raises `UnknownName` unless ``account`` is one of these ids, or of the ``names`` by which it may be found."""
    otherwise = "; give an id, a name or a domain of the product data, or the id of a CRM record"
    require_known("account", account, (*ids, *names), otherwise)


def only_one(name: str, ids: Collection[str]) -> str:
    """The one account that has a name. Raises `CommandError` for several."""
    found = sorted(ids)
    if len(found) > 1:
        listed = ", ".join(found[:10])
        raise CommandError(f'"{name}" names {len(found)} accounts; use one of their ids: {listed}')
    return found[0]


def account_ids(connection: Connection) -> set[str]:
    """The id of every account that a run scored, searched for in a CRM or wrote for."""
    return _distinct(connection, *(table.c.account_id for table in (score_memory, crm_records, outbox, ledger)))


def record_ids(connection: Connection) -> set[str]:
    """The id of every CRM record that was matched or written to."""
    return _distinct(connection, *(table.c.record_id for table in (crm_records, outbox, ledger)))


def accounts_named(connection: Connection, name: str) -> set[str]:
    """Accounts with this name or domain, as far as it was written into a CRM: the state database keeps no other."""
    wanted = name.strip().casefold()
    created = select(outbox.c.account_id, outbox.c.payload, outbox.c.context).where(outbox.c.kind == "record_create")
    newest = select(ledger.c.account_id, ledger.c.operation, ledger.c.reasons).order_by(ledger.c.id.desc())
    rows = [(account, payload, context.get(REASONS, {})) for account, payload, context in connection.execute(created)]
    rows += [(account, sent, reasons) for account, sent, reasons in connection.execute(newest.limit(LATELY))]
    return {
        account_id
        for account_id, written, reasons in rows
        for field, why in reasons.get("fields", {}).items()
        if why.get("by") in _NAMING and str(written.get("values", {}).get(field, "")).casefold() == wanted
    }


def destination_names(connection: Connection, project: Project | None) -> set[str]:
    """Every destination that is configured, or that something was queued for or sent to."""
    configured = set(project.crm.destinations) if project else set()
    return configured | _distinct(connection, outbox.c.destination, ledger.c.destination)


def playbook_names(connection: Connection, project: Project | None) -> set[str]:
    """The id of every playbook that is configured, has run, or has a task in the outbox."""
    configured = {one.id for one in project.playbooks} if project else set()
    return configured | _distinct(connection, playbook_runs.c.playbook_id, outbox.c.playbook_id)


def _distinct(connection: Connection, *columns: ColumnElement[str]) -> set[str]:
    found = (connection.execute(select(column).distinct()).scalars() for column in columns)
    return {name for names in found for name in names if name}
