"""Names of config/signals.yaml that exist nowhere, and signals that cannot be measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from worker.language.suggest import suggestion
from worker.settings.base import Finding, Loc
from worker.settings.known import Known
from worker.settings.old_words import old_words_of_test
from worker.settings.product_schema import SCHEMA, kind_of
from worker.settings.score_specs import score_specs
from worker.settings.signals import NEEDS_COLUMN, OF_EVENTS, OF_NUMBERS, Signal, SignalsSettings

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?")
_TAKEN = frozenset({"account", "crm", "playbook", "task"}).union(*(spec.prefixes for spec in score_specs()))


def check_signals(settings: SignalsSettings, known: Known) -> Iterable[Finding]:
    """Names that exist nowhere and signals that cannot be measured, without looking at the data."""
    for name, events in settings.event_lists.items():
        if not events:
            yield Finding(("event_lists", name), f'"{name}" is empty: name at least one event')
    yield from _same_event_findings(settings)
    for name, signal in settings.signals.items():
        loc: Loc = ("signals", name)
        if not _NAME.fullmatch(name):
            yield Finding(loc, f'"{name}" must be a small name such as active_users_28d or nps.latest')
        elif name.split(".")[0] in _TAKEN:
            yield Finding(loc, f'names beginning with "{name.split(".")[0]}." are taken: choose another')
        if signal.of is not None:
            yield from _of_findings(settings, signal, known, loc)
        else:
            yield from _row_findings(signal, loc)
            yield from _measure_findings(signal, loc)
            yield from _renewal_findings(signal, loc)
            yield from _event_findings(settings, signal, loc)


def _same_event_findings(settings: SignalsSettings) -> Iterator[Finding]:
    """Spellings that would count as two events."""
    seen: dict[str, str] = {}
    for name, spellings in settings.same_event.items():
        for index, spelling in enumerate(spellings):
            loc: Loc = ("same_event", name, index)
            if spelling in settings.same_event:
                yield Finding(loc, f'"{spelling}" has other spellings itself: put all of them under one name')
            elif spelling in seen:
                yield Finding(loc, f'"{spelling}" is a spelling of "{seen[spelling]}" already')
            seen.setdefault(spelling, name)


def _of_findings(settings: SignalsSettings, signal: Signal, known: Known, loc: Loc) -> Iterator[Finding]:
    assert signal.of is not None  # noqa: S101 - narrows the type; the caller has looked
    measured = {name for name, other in settings.signals.items() if other.of is None}
    usable = measured | {name for name in known.fields if name.startswith("account.")}
    for need in signal.of.needs():
        if need.kind != "field":
            yield Finding((*loc, "of"), f'"of" takes signals, not {need.key}: make that a signal of its own first')
        elif need.name in settings.signals and need.name not in measured:
            yield Finding((*loc, "of"), f'"{need.name}" is itself made "of" others: use what it is made of')
        elif need.name not in usable and not need.name.startswith("account."):
            yield Finding((*loc, "of"), f'unknown signal "{need.name}"{_hint(need.name, usable)}')


def _row_findings(signal: Signal, loc: Loc) -> Iterator[Finding]:
    assert signal.from_ is not None  # noqa: S101 - narrows the type
    schema = SCHEMA[signal.from_]
    named: list[tuple[Loc, str]] = [((*loc, "where", column), column) for column in signal.where]
    named += [((*loc, "that", column), column) for column in signal.that]
    if signal.column is not None and signal.measure != "top_user":
        named.append(((*loc, "column"), signal.column))
    if signal.from_ == "subscriptions":
        for block, tests in (("where", signal.where), ("that", signal.that)):
            yield from old_words_of_test((*loc, block, "state"), tests.get("state"))
    for where, column in named:
        props = signal.from_ == "events" and re.fullmatch(r"props(\.\w+)+", column)
        if column not in schema.columns and not props:
            yield Finding(where, f'unknown column "{column}" of {signal.from_}{_hint(column, schema.columns)}')
    if signal.at is not None and (signal.at not in schema.columns or kind_of(signal.from_, signal.at) != "time"):
        times = [name for name, kind in schema.columns.items() if kind == "time"]
        yield Finding((*loc, "at"), f'"{signal.at}" is not a time of {signal.from_}{_hint(signal.at, times)}')
    if signal.current and not (schema.since or schema.current):
        yield Finding((*loc, "current"), f"rows of {signal.from_} happen at a moment: none of them is current")
    if signal.window is not None and not (signal.at or schema.at):
        yield Finding((*loc, "window"), f"rows of {signal.from_} have no time: take the window out")
    if signal.previous and signal.window is None:
        yield Finding((*loc, "previous"), '"previous" needs a window')
    if signal.previous and signal.days == 0:
        yield Finding((*loc, "previous"), 'the day before is "window: 1d" without "previous"')


def _measure_findings(signal: Signal, loc: Loc) -> Iterator[Finding]:
    measure, table = signal.measure, signal.from_
    if measure in NEEDS_COLUMN and signal.column is None:
        yield Finding((*loc, "measure"), f'"{measure}" needs a column')
    elif measure not in NEEDS_COLUMN and signal.column is not None:
        yield Finding((*loc, "column"), f'"{measure}" takes no column')
    if measure in OF_NUMBERS and table and signal.column in _not_numbers(table):
        yield Finding((*loc, "column"), f'"{signal.column}" is no number: "{measure}" needs one')
    if (measure == "share") != bool(signal.that):
        yield Finding((*loc, "measure"), '"share" and "that" go together: the share of rows for which "that" holds')
    if measure in OF_EVENTS and table != "events":
        yield Finding((*loc, "measure"), f'"{measure}" is measured from events, not {table}')
    if measure == "users" and table is not None and "user_id" not in SCHEMA[table].columns:
        yield Finding((*loc, "measure"), f"rows of {table} name no user")
    if measure == "top" and table != "subscriptions":
        yield Finding((*loc, "measure"), '"top" reads the highest subscription; elsewhere use "latest"')
    if measure == "top_user" and signal.column not in {None, "email", "user_id"}:
        yield Finding((*loc, "column"), 'of the most active user, "email" and "user_id" can be read')
    if signal.as_ is not None and not _gives_a_time(signal):
        yield Finding(
            (*loc, "as"), f'"{signal.as_}" needs a date: measure first, last, or a time column of latest or top'
        )


def _renewal_findings(signal: Signal, loc: Loc) -> Iterator[Finding]:
    """Days until the end of a term or trial, which also count for subscriptions that do not renew or that converted."""
    better = {"term_end": "renews_at", "trial_end": "trial_ends_at"}.get(signal.column or "")
    if better and signal.from_ == "subscriptions" and signal.measure == "top" and signal.as_ == "days_until":
        when = "renews" if signal.column == "term_end" else "is on trial"
        message = f'"{signal.column}" is known of every subscription; "{better}" only of one that {when}'
        yield Finding((*loc, "column"), message, severity="warning")


def _not_numbers(table: str) -> frozenset[str]:
    return frozenset(column for column, kind in SCHEMA[table].columns.items() if kind != "number")


def _gives_a_time(signal: Signal) -> bool:
    if signal.measure in {"first", "last"}:
        return True
    if signal.measure not in {"latest", "top"} or signal.from_ is None or signal.column is None:
        return False
    return kind_of(signal.from_, signal.column) == "time"


def _event_findings(settings: SignalsSettings, signal: Signal, loc: Loc) -> Iterator[Finding]:
    if signal.events is None:
        return
    if signal.from_ != "events":
        yield Finding((*loc, "events"), f'"events" only makes sense with "from: events", not {signal.from_}')
    if isinstance(signal.events, str) and signal.events not in settings.event_lists:
        hint = _hint(signal.events, settings.event_lists)
        yield Finding(
            (*loc, "events"),
            f'"{signal.events}" is none of event_lists{hint} One event goes in brackets: [{signal.events}]',
        )
    elif signal.events == []:
        yield Finding((*loc, "events"), "name at least one event, or leave the line out for all")


def _hint(word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    return suggestion(word, names, f". Known: {', '.join(names)}." if 0 < len(names) <= 20 else ".")
