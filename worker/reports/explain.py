"""Explains one account: its scores part by part, and every playbook's conditions. Calls no CRM, writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from connectors.base import Connector
from worker.language.values import Fields
from worker.pipeline.decide import programs_of
from worker.pipeline.measure import Measured, measure, pql_playbooks, score
from worker.planning.account_in_crm import AccountInCrm, account_in_crms
from worker.planning.crm_facts import CrmFacts
from worker.planning.crm_view import load_view
from worker.reports.names import only_one, require_account
from worker.rules.business_days import zone_remark
from worker.rules.explain import Explanation as PlaybookExplanation
from worker.rules.explain import explain as explain_playbook
from worker.scores import Scored, ScoreMemory
from worker.settings.project import Project
from worker.store import state

_NAMES = ("account.name", "account.domain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything known of one account as of one moment; ``playbooks`` are in the order of their files.

    ``crms`` is the account in each CRM as of the last run. ``remarks`` say what of its data is not used as it is.
    """

    account_id: str
    as_of: datetime
    config_version: str
    fields: Fields
    scored: Scored
    playbooks: tuple[PlaybookExplanation, ...]
    crms: tuple[AccountInCrm, ...] = ()
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The explanation as JSON."""
        return {
            "account_id": self.account_id,
            "as_of": self.as_of.isoformat(),
            "config_version": self.config_version,
            "fields": dict(self.fields),
            **{name: asdict(result) for name, result in self.scored.results.items()},
            "playbooks": [asdict(playbook) for playbook in self.playbooks],
            "remarks": list(self.remarks),
            "crms": [asdict(account) for account in self.crms],
        }


def explain(
    project: Project, engine: Engine, connectors: Mapping[str, Connector], account: str, as_of: datetime
) -> Explanation:
    """Explain one account, named by its id, name or domain. Raises `UnknownName` for none, `CommandError` for several.

    The facts of the CRMs are as of the last run. Before the moment of the last run there is no memory of scores: bands
    and means start without one.
    """
    with engine.begin() as connection:
        memories = state.load_memories(connection)
        enrollments = state.load_enrollments(connection)
        previous = programs_of(project, state.load_playbook_texts(connection))
        views = [load_view(connection, name, project.crm, connectors[name], as_of) for name in project.crm.destinations]
    measured, account_id = _measure(project, account, as_of)
    memory = ScoreMemory.from_json(memories[account_id]) if account_id in memories else ScoreMemory()
    if memory.as_of is not None and memory.as_of > as_of:
        memory = ScoreMemory()
    facts = CrmFacts(views, pql_playbooks(project), enrollments)
    fields = {account_id: {**measured.now[account_id], **facts.fields(account_id)}}
    scored = score(project, fields, measured, {account_id: memory}, as_of)[account_id]
    crms = account_in_crms(engine, views, account_id)
    return Explanation(
        account_id=account_id,
        as_of=as_of,
        config_version=project.config_version,
        fields=fields[account_id],
        scored=scored,
        playbooks=tuple(
            explain_playbook(
                playbook,
                facts.with_tasks(playbook, fields, as_of)[account_id],
                enrollments.get(playbook.id, {}).get(account_id),
                as_of,
                previous.get(playbook.id),
            )
            for playbook in project.playbooks
        ),
        crms=crms,
        remarks=tuple(filter(None, [zone_remark(project.schedule.calendar, fields[account_id])])),
    )


def _measure(project: Project, account: str, as_of: datetime) -> tuple[Measured, str]:
    measured = measure(project, as_of, None, [account])
    if account in measured.now:
        return measured, account
    everybody = measure(project, as_of, None, None)
    return everybody, _only_one(everybody, account)


def find_account(project: Project, account: str, as_of: datetime) -> str:
    """The id of the one account with this id, name or domain. Raises `UnknownName`, `CommandError` for several."""
    return _measure(project, account, as_of)[1]


def _only_one(everybody: Measured, account: str) -> str:
    wanted = account.strip().lower()
    by_name = {
        account_id: {str(row[name]) for name in _NAMES if row.get(name)} for account_id, row in everybody.now.items()
    }
    found = [account_id for account_id, names in by_name.items() if wanted in {name.lower() for name in names}]
    if not found:
        require_account(account, by_name, (name for names in by_name.values() for name in names))
    return only_one(account, found)
