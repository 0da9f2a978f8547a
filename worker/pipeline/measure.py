"""Signals as of now and of earlier days, and the scores computed from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from worker.language.need import Need
from worker.language.values import Fields, Value
from worker.scores import Scored, ScoreMemory, score_account
from worker.settings.base import Finding
from worker.settings.known import SCORE_FIELDS
from worker.settings.project import Project
from worker.settings.score_specs import score_fields, score_specs
from worker.settings.scores import needs as score_needs
from worker.settings.scores import needs_of_score
from worker.settings.signals import SignalsSettings
from worker.settings.validation import place_findings
from worker.settings.yaml_document import load_document
from worker.signals.compute import compute as compute_signals
from worker.signals.data_report import DataReport
from worker.signals.errors import SourceError, StaleData
from worker.signals.event_health import is_missing
from worker.signals.freshness import check_fresh
from worker.signals.measurements import measurements_of
from worker.signals.property_kinds import typed_properties
from worker.signals.source import Source, open_source
from worker.signals.trust import Usual, check_trust
from worker.telemetry.steps import report_step

TREND_DAYS = 28
_NOTHING_USUAL = Usual()
_TRENDS = {field.change_of: field.name for field in score_fields().values() if field.change_of}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Fields by account id: as of now, and as of so many days earlier. The report is of now.

    ``listed`` are all ids of the accounts table, also of accounts that do not count; ``parents`` those above them,
    where the accounts of a company share a record.
    """

    now: dict[str, dict[str, Value]]
    then: Mapping[int, Mapping[str, Fields]]
    report: DataReport
    listed: frozenset[str]
    parents: Mapping[str, str | None] = field(default_factory=dict)
    undecided: frozenset[str] = frozenset()
    """Accounts that may be deleted."""


def measure(
    project: Project,
    as_of: datetime,
    previous_accounts: int | None,
    accounts: Collection[str] | None,
    usual: Usual = _NOTHING_USUAL,
) -> Measured:
    """Signals as of now, and as of every earlier day that a trend or a ``change(…)`` looks back to.

    Raises `SourceError`, `StaleData` or `DistrustedData`.
    """
    needs = needs_of(project)
    spellings, kinds = project.signals.names_of_spellings, typed_properties(project.signals)
    with _placed(project), open_source(project.product, project.root, as_of, spellings, kinds) as source:
        report = source.report(as_of)
        with reporting(report):
            check_fresh_report(project, source, report, previous_accounts)
            check_trust(report, project.product.trust, usual)
        report_step("reading the accounts")
        listed = source.account_ids(as_of)
        undecided = source.undecided()
        parents = source.parents() if project.crm.shares_records else {}
        lookbacks = _lookbacks(project, needs)
        moments = 1 + len(lookbacks)
        report_step("measuring signals, moment", 1, moments)
        now = compute_signals(source, project.product, project.signals, needs, as_of, accounts)
        then = {}
        for number, (days, looked_back_at) in enumerate(lookbacks.items(), 2):
            report_step("measuring signals, moment", number, moments)
            signals, moment = _only(project.signals, looked_back_at), as_of - timedelta(days=days)
            then[days] = compute_signals(source, project.product, signals, looked_back_at, moment, accounts)
    return Measured(
        now=now,
        then=then,
        report=report,
        listed=listed,
        parents=parents,
        undecided=undecided,
    )


@contextmanager
def reporting(report: DataReport) -> Iterator[None]:
    """Adds what was found to the error that refuses the data."""
    try:
        yield
    except StaleData as error:
        error.report = report
        raise


@contextmanager
def _placed(project: Project) -> Iterator[None]:
    """Puts file, line and column before the message of a SourceError that says what has to change."""
    try:
        yield
    except SourceError as error:
        if not error.loc:
            raise
        document = load_document(project.root / "config" / "product.yaml", "config/product.yaml")
        (problem,) = place_findings(document, [Finding(error.loc, str(error))])
        place = f"{problem.file}:{problem.line}:{problem.column}"
        raise SourceError(f"{place}  {error}", error.loc) from error


def check_fresh_report(
    project: Project, source: Source, report: DataReport, previous_accounts: int | None = None
) -> None:
    """Raise `StaleData` when the data is empty, too old or has shrunk. Raises `SourceError` too."""
    check_fresh(
        report.volume,
        report.as_of,
        project.schedule.max_age(report.as_of),
        previous_accounts,
        lambda latest: source.usual_since(latest, report.as_of),
        project.product.trust,
    )


def _lookbacks(project: Project, needs: Iterable[Need]) -> dict[int, frozenset[Need]]:
    """How many days back → what has to be known of that day; everything the scores read where one is compared."""
    of_scores = frozenset(score_needs(project.scores))
    found: dict[int, set[Need]] = {TREND_DAYS: set(of_scores)}
    for need in needs:
        if need.kind == "change" and need.days:
            found.setdefault(need.days, set()).add(Need("field", need.name))
            if need.name in SCORE_FIELDS:
                found[need.days] |= of_scores
    return {days: frozenset(found[days]) for days in sorted(found)}


def _only(signals: SignalsSettings, needs: Iterable[Need]) -> SignalsSettings:
    """The needed signals, and the signals they are computed from."""
    names = {name for need in needs for name in need.fields}
    made_of = {
        part.name
        for name in names
        if (signal := signals.signals.get(name)) and signal.of is not None
        for part in signal.of.needs()
    }
    kept = {name: signal for name, signal in signals.signals.items() if name in names | made_of}
    return signals.model_copy(update={"signals": kept})


def score(
    project: Project,
    fields: dict[str, dict[str, Value]],
    measured: Measured,
    memories: Mapping[str, ScoreMemory],
    as_of: datetime,
) -> dict[str, Scored]:
    """Score every account, and add the scores and then the changes to its fields."""
    report_step("scoring accounts")
    changes = [need for need in needs_of(project) if need.kind == "change" and need.days]
    scored = {}
    for account_id, row in fields.items():
        before = _existing(measured.then[TREND_DAYS].get(account_id), as_of - timedelta(days=TREND_DAYS))
        memory = memories.get(account_id) or ScoreMemory()
        scored[account_id] = score_account(project.scores, row, before, memory, as_of)
        row.update(scored[account_id].fields())
        for need in changes:
            row[need.key] = _change(project, need, row, measured.then[need.days or 0].get(account_id), as_of)
    return scored


def _change(project: Project, need: Need, row: Fields, before: Fields | None, as_of: datetime) -> float | None:
    """How much a field moved since ``need.days`` ago; a score of then is computed by today's settings."""
    if need.name in _TRENDS and need.days == TREND_DAYS:
        change = row.get(_TRENDS[need.name])
        return float(change) if isinstance(change, int | float) else None
    moment = as_of - timedelta(days=need.days or 0)
    before = _existing(before, moment)
    if before is None:
        return None
    if need.name not in before and need.name in row:
        before = score_account(project.scores, before, None, ScoreMemory(), moment).fields()
    now, past = row.get(need.name), before.get(need.name)
    if isinstance(now, bool) or isinstance(past, bool):
        return None
    return now - past if isinstance(now, int | float) and isinstance(past, int | float) else None


def _existing(fields: Fields | None, moment: datetime) -> Fields | None:
    """An account's fields of an earlier moment, or None when the account did not exist yet."""
    created = fields.get("account.created_at") if fields else None
    return None if isinstance(created, datetime) and created > moment else fields


def unchanged_fields(project: Project, report: DataReport) -> frozenset[str]:
    """The fields of every score that reads an event which stopped or is missing: their last published values stay."""
    measurements = measurements_of(project.signals, needs_of(project), report.as_of, project.product.zone)
    unknown = {one.name for one in measurements if is_missing(one, report)}
    made_of = {
        name
        for name, signal in project.signals.signals.items()
        if signal.of is not None and unknown & {part.name for part in signal.of.needs()}
    }
    return frozenset(
        field.name
        for spec in score_specs()
        if any((unknown | made_of) & {need.key, *need.fields} for need in needs_of_score(project.scores, spec.name))
        for field in spec.fields
    )


def needs_of(project: Project) -> frozenset[Need]:
    """Everything that the scores and playbooks of a project read."""
    return frozenset(score_needs(project.scores)).union(*(playbook.needs() for playbook in project.playbooks))


def pql_playbooks(project: Project) -> frozenset[str]:
    """The playbooks that read PQL scores: their tasks show whether a rep works a lead."""
    return frozenset(
        playbook.id for playbook in project.playbooks if any(n.name.startswith("pql.") for n in playbook.needs())
    )
