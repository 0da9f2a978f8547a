"""What of the mapping and the signals does not fit the data that is there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from connectors.clock import now
from worker.language.need import Need
from worker.language.plural import counted
from worker.language.suggest import suggestion
from worker.settings.base import Loc
from worker.settings.problems import Severity
from worker.settings.product import ProductSettings
from worker.settings.signals import SignalsSettings
from worker.signals.errors import SourceError
from worker.signals.event_health import may_be_absent
from worker.signals.measurements import MissingMapping, measurements_of, missing_mapping
from worker.signals.occurrences import MOST_NAMES
from worker.signals.property_names import Spellings, property_names, spelled_twice
from worker.signals.source import Source
from worker.telemetry.steps import report_step

PRODUCT, SIGNALS = "config/product.yaml", "config/signals.yaml"
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SourceFinding:
    """One finding. ``file`` is the one that ``loc`` points into, ``column`` the place in the text that stands there."""

    file: str
    loc: Loc
    message: str
    severity: Severity = "error"
    column: int = 0


@dataclass(frozen=True, slots=True)
class PlacedNeed:
    """What a score or playbook reads, and where it says so."""

    need: Need
    file: str
    loc: Loc = ()
    column: int = 0


def check_source(
    source: Source, product: ProductSettings, signals: SignalsSettings, needs: Sequence[PlacedNeed]
) -> list[SourceFinding]:
    """Every table or column that does not exist, every event that never occurs, and what stays unknown, each once.

    Looks at all tables, once per opened source. Errors come first.
    """
    findings = list(_unreadable(source, product))
    if not findings:
        findings += _unknown(source, product, signals, {one.need for one in needs})
        findings += _never_seen(source, signals, needs)
        findings += _excludes_nobody(source, product)
        findings += _properties_never_seen(source, signals)
    return sorted(findings, key=lambda finding: finding.severity != "error")


def _unreadable(source: Source, product: ProductSettings) -> Iterator[SourceFinding]:
    for name in product.mapped():
        try:
            table = source.catalogue.table(name)
            if table is not None:
                for column in table.columns:
                    if not column.startswith("extra."):
                        table.value(column)
        except SourceError as error:
            yield SourceFinding(PRODUCT, error.loc or ("tables", name), str(error))


def _unknown(
    source: Source, product: ProductSettings, signals: SignalsSettings, needs: Iterable[Need]
) -> Iterator[SourceFinding]:
    missing: dict[MissingMapping, list[str]] = defaultdict(list)
    for measurement in measurements_of(signals, needs, _ANY_TIME, product.zone):
        mapping = missing_mapping(measurement, source.catalogue)
        if mapping is not None:
            missing[mapping].append(measurement.name)
    for mapping, names in sorted(missing.items(), key=lambda item: (item[0].table, item[0].column or "")):
        what = (
            f"table {mapping.table} is" if mapping.column is None else f"column {mapping.column} of {mapping.table} is"
        )
        yield SourceFinding(
            PRODUCT, ("tables",), f"{what} not mapped, so these stay unknown: {', '.join(names)}", "warning"
        )
    accounts = source.catalogue.table("accounts")
    if not product.exclude.is_a_full_list and (accounts is None or not accounts.has("is_internal")):
        message = (
            "accounts have no is_internal, so account.is_internal stays unknown: map it, "
            "or list your own accounts under exclude: accounts: (an empty list will do)"
        )
        yield SourceFinding(PRODUCT, ("exclude",), message, "warning")


def _excludes_nobody(source: Source, product: ProductSettings) -> Iterator[SourceFinding]:
    accounts, listed = source.catalogue.table("accounts"), [str(one) for one in product.exclude.accounts or ()]
    if accounts is None or not listed:
        return
    account_id = accounts.id("account_id")
    there = source.engine.run(sa.select(account_id).select_from(accounts.rows).where(account_id.in_(listed)))
    found = {str(row[0]) for row in there}
    for index, one in enumerate(listed):
        if one not in found:
            message = f'no account has the id "{one}", so nothing is left out by it'
            yield SourceFinding(PRODUCT, ("exclude", "accounts", index), message, "warning")


def _properties_never_seen(source: Source, signals: SignalsSettings) -> Iterator[SourceFinding]:
    """Every property of events that a signal reads and no event has, or that some events spell in another way."""
    report_step("looking for the properties of events")
    absent = may_be_absent(signals)
    spelled: Spellings | None = None
    for name, signal in signals.signals.items():
        tests = [(block, column) for block in ("where", "that") for column in getattr(signal, block)]
        asked: list[tuple[Loc, str]] = [((block, column), column) for block, column in tests]
        asked += [(("column",), signal.column)] if signal.column else []
        for loc, column in asked:
            read = signal.from_ == "events" and column.startswith("props.") and source.catalogue.events.has(column)
            if not read or column in absent:
                continue
            if spelled is None:
                spelled = property_names(source.engine, source.catalogue.events)
            message = _of_property(source, spelled, signals.event_names(signal) or tuple(spelled), column)
            if message:
                yield SourceFinding(SIGNALS, ("signals", name, *loc), message, "warning")


def _of_property(source: Source, spelled: Spellings, events: Iterable[str | None], column: str) -> str | None:
    if not source.occurs(column):
        known = {one for name in events for one in spelled.get(name, ())}
        hint = suggestion(column, known)
        return f"no event has the property {column} so far, so this is unknown; or list it in may_be_absent{hint}"
    twin = spelled_twice(spelled, events, column)
    if twin is None:
        return None
    other, many, own = twin
    return (
        f"{many / (many + own):.0%} of the newest events have {other} instead of {column}, and only {column} is read: "
        "map a query that makes them one"
    )


def _never_seen(source: Source, signals: SignalsSettings, needs: Sequence[PlacedNeed]) -> Iterator[SourceFinding]:
    """Every event in use that never occurs, where it is named first in the signals and in each other file."""
    seen = {name: event.total for name, event in source.report(now()).events.items()}
    if len(seen) == MOST_NAMES:
        return
    named = [(SIGNALS, loc, event, 0) for loc, event in _named(signals)]
    first: dict[tuple[str, str], PlacedNeed] = {}
    for one in needs:
        if not one.need.fields:
            first.setdefault((one.file, one.need.name), one)
    named += [(one.file, one.loc, one.need.name, one.column) for one in first.values()]
    spellings = signals.names_of_spellings
    twins = twins_of(seen, {spellings.get(event, event) for _, _, event, _ in named})
    for file, loc, event, column in named:
        for message in _of_event(spellings.get(event, event), seen, twins):
            yield SourceFinding(file, loc, message, "warning", column)


def _of_event(event: str, seen: Mapping[str, int], twins: dict[str, list[str]]) -> Iterator[str]:
    """What is wrong with the name of an event; its twins once."""
    if event not in seen:
        yield _never(event, seen)
    for twin in twins.pop(event, ()):
        yield f'"{twin}" ({counted(seen[twin], "event")}) looks like "{event}"; same_event counts both as one'


def _named(signals: SignalsSettings) -> Iterator[tuple[Loc, str]]:
    for name, events in signals.event_lists.items():
        yield from ((("event_lists", name, index), event) for index, event in enumerate(events))
    for name, signal in signals.signals.items():
        if isinstance(signal.events, list):
            yield from ((("signals", name, "events", index), event) for index, event in enumerate(signal.events))


def twins_of(seen: Iterable[str], in_use: Iterable[str]) -> dict[str, list[str]]:
    """Name in use → the other names in the data that differ from it only by case, blanks, underscores or hyphens.

    A name that is in use itself is no twin of another, and a name that never occurs has none.
    """
    names = set(in_use)
    others: dict[str, list[str]] = defaultdict(list)
    for name in sorted(set(seen) - names):
        others[_bare(name)].append(name)
    return {name: others[_bare(name)] for name in names & set(seen) if _bare(name) in others}


def _bare(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).casefold()


def _never(event: str, seen: Iterable[str]) -> str:
    return f'no event is called "{event}" so far{suggestion(event, seen)}'
