"""Explains one account: its scores part by part, and every playbook's conditions. Calls no CRM, writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from connectors.base import Connector
from connectors.clock import now
from worker.language.values import Fields
from worker.pipeline.decide import programs_of
from worker.pipeline.measure import Measured, measure, pql_playbooks, score
from worker.planning.account_in_crm import AccountInCrm, account_in_crms
from worker.planning.crm_facts import CrmFacts
from worker.planning.crm_view import load_view
from worker.reports.names import only_one, require_account
from worker.reports.past import Past, read_past
from worker.rules.business_days import zone_remark
from worker.rules.enrollment import Enrollments
from worker.rules.explain import Explanation as PlaybookExplanation
from worker.rules.explain import explain as explain_playbook
from worker.scores import Scored, ScoreMemory
from worker.settings.known import TASK_FIELDS
from worker.settings.playbook import Playbook
from worker.settings.problems import CommandError
from worker.settings.project import Project
from worker.store import state

_NAMES = ("account.name", "account.domain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything known of one account as of one moment; ``playbooks`` are in the order of their files.

    ``crms`` is the account in each CRM as of the last run. ``remarks`` say what of its data is not used as it is.
    ``past``: what was published, and where the account was in playbooks, at a moment before the last run; then scores
    and conditions are what today's settings say of the product data of that moment.
    """

    account_id: str
    as_of: datetime
    config_version: str
    fields: Fields
    scored: Scored
    playbooks: tuple[PlaybookExplanation, ...]
    crms: tuple[AccountInCrm, ...] = ()
    remarks: tuple[str, ...] = ()
    past: Past | None = None

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
            "past": self.past.to_json() if self.past else None,
            "crms": [asdict(account) for account in self.crms],
        }


def explain(
    project: Project, engine: Engine, connectors: Mapping[str, Connector], account: str, as_of: datetime
) -> Explanation:
    """Explain one account, named by its id, name or domain. Raises `UnknownName` for none, `CommandError` for several.

    The facts of the CRMs are as of the last run. Before the moment of the last run there is no memory of scores: bands
    and means start without one, and the state of playbooks is what was stored of then (`Past`). Raises `CommandError`
    for a moment that is yet to come.
    """
    with engine.begin() as connection:
        last = state.last_as_of(connection)
        _refuse_future(as_of, last)
        memories = state.load_memories(connection)
        enrollments = state.load_enrollments(connection)
        previous = programs_of(project, state.load_playbook_texts(connection))
        views = [load_view(connection, name, project.crm, connectors[name], as_of) for name in project.crm.destinations]
    measured, account_id = _measure(project, account, as_of)
    memory = ScoreMemory.from_json(memories[account_id]) if account_id in memories else ScoreMemory()
    past = _past(project, engine, account_id, enrollments, as_of) if last and as_of < _moment(last) else None
    memory = memory.only_milestones(as_of) if past else memory
    facts = CrmFacts(views, pql_playbooks(project), enrollments)
    fields = {account_id: {**measured.now[account_id], **facts.fields(account_id)}}
    scored = score(project, fields, measured, {account_id: memory}, as_of)[account_id]

    def explained(playbook: Playbook) -> PlaybookExplanation:
        if past:
            return _explain_past(playbook, fields[account_id], past, as_of)
        enrollment = enrollments.get(playbook.id, {}).get(account_id)
        of_account = facts.with_tasks(playbook, fields, as_of)[account_id]
        return explain_playbook(playbook, of_account, enrollment, as_of, previous.get(playbook.id))

    return Explanation(
        account_id=account_id,
        as_of=as_of,
        config_version=project.config_version,
        fields=fields[account_id],
        scored=scored,
        playbooks=tuple(map(explained, project.playbooks)),
        past=past,
        crms=account_in_crms(engine, views, account_id),
        remarks=tuple(filter(None, [zone_remark(project.schedule.calendar, fields[account_id])])),
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _past(
    project: Project,
    engine: Engine,
    account_id: str,
    enrollments: Enrollments,
    as_of: datetime,
) -> Past:
    mine = {playbook: one[account_id] for playbook, one in enrollments.items() if account_id in one}
    with engine.begin() as connection:
        return read_past(connection, account_id, mine, project.schedule.retention, as_of)


def _refuse_future(as_of: datetime, last: str | None) -> None:
    latest = max(now(), _moment(last)) if last else now()
    if as_of > latest:
        raise CommandError(
            f"{as_of:%Y-%m-%d %H:%M} UTC is yet to come: explain shows what is known, up to {latest:%Y-%m-%d %H:%M} UTC"
        )


def _explain_past(playbook: Playbook, fields: Fields, past: Past, as_of: datetime) -> PlaybookExplanation:
    """The conditions by today's settings, with the state of then. What tasks showed then is not stored."""
    explained = explain_playbook(playbook, {**fields, **dict.fromkeys(TASK_FIELDS)}, None, as_of)
    state = past.playbooks.get(playbook.id)
    return replace(explained, phase=state.phase, status=state.status) if state else explained


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
