"""``plgsync why``: who wrote which field or task of a record, when, in which run and why, by the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from worker.language.suggest import did_you_mean
from worker.reports.explain import find_account
from worker.settings.problems import CommandError
from worker.settings.project import Project
from worker.store.ledger import effects_of
from worker.store.subjects import Subject, subject_of


@dataclass(frozen=True, slots=True)
class Written:
    """One CRM field of an effect. ``name`` is ours, ``by`` the score, measurement or playbook that wrote it."""

    field: str
    name: str
    old: Any
    old_known: bool
    new: Any
    by: str
    because: str


@dataclass(frozen=True, slots=True)
class Effect:
    """One intended write and its answer; ``as_of`` and ``config_version`` are those of its run."""

    at: float
    destination: str
    kind: str
    account_id: str
    record_id: str | None
    crm_id: str | None
    key: str
    run_id: str
    as_of: str
    config_version: str
    playbook_id: str
    event: str
    because: str
    task: str
    fields: tuple[Written, ...]
    status: str
    code: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """The effect as JSON."""
        return asdict(self)


def why(
    project: Project, engine: Engine, record: str, *, field: str | None, limit: int, as_of: datetime
) -> list[Effect]:
    """The newest effects on a CRM record (id or address), a task (key or id) or an account, newest first.

    ``field`` is a CRM field or our name of it. Raises `CommandError` when nothing is known by that name.
    """
    names = _crm_fields(project, field) if field else ()
    subject = subject_of(record, project.crm.destinations)
    with engine.begin() as connection:
        rows = effects_of(connection, subject, names, limit)
        known = bool(rows) or bool(effects_of(connection, subject, (), 1))
    if not known:
        subject = Subject((find_account(project, record, as_of),), subject.destinations)
        with engine.begin() as connection:
            rows = effects_of(connection, subject, names, limit)
    return [_effect(row, names) for row in rows]


def _crm_fields(project: Project, field: str) -> tuple[str, ...]:
    """The CRM fields that a name means, in any destination."""
    names: dict[str, str] = {}
    for destination in project.crm.destinations.values():
        names |= {destination.account.match_field: destination.account.match_field}
        for ours, entry in destination.fields.items():
            names |= {ours: ours, entry.field: entry.field}
    wanted = {
        entry.field
        for destination in project.crm.destinations.values()
        for ours, entry in destination.fields.items()
        if ours == field
    }
    hint = did_you_mean(field, names) if field not in names else None
    if hint:
        raise CommandError(f'config/crm.yaml has no field "{field}". Did you mean "{hint}"?')
    return tuple(sorted(wanted | {field}))


def _effect(row: Mapping[str, Any], names: Sequence[str]) -> Effect:
    reasons, operation = row["reasons"], row["operation"]
    return Effect(
        at=row["at"],
        destination=row["destination"],
        kind=row["kind"],
        account_id=row["account_id"],
        record_id=row["record_id"],
        crm_id=row["crm_id"],
        key=row["idem_key"].split(":", 2)[2],
        run_id=row["run_id"],
        as_of=row["as_of"] or "",
        config_version=row["config_version"] or "",
        playbook_id=row["playbook_id"],
        event=row["event"] or "",
        because=reasons.get("because") or row["because"] or "",
        task=_task(row["kind"], operation),
        fields=tuple(_written(operation.get("values", {}), reasons.get("fields", {}), names)),
        status=row["status"],
        code=row["code"],
        reason=row["reason"],
    )


def _task(kind: str, operation: Mapping[str, Any]) -> str:
    if not kind.startswith("task"):
        return ""
    subject = operation.get("subject")
    return f"“{subject}”" if subject else kind.replace("_", " ")


def _written(
    values: Mapping[str, Any], reasons: Mapping[str, Mapping[str, Any]], names: Sequence[str]
) -> Sequence[Written]:
    return [
        Written(
            field,
            reasons.get(field, {}).get("name", ""),
            reasons.get(field, {}).get("old"),
            "old" in reasons.get(field, {}),
            value,
            reasons.get(field, {}).get("by", ""),
            reasons.get(field, {}).get("because", ""),
        )
        for field, value in values.items()
        if not names or field in names
    ]
