"""Problems of config/crm.yaml that concern other files of the project or several of its own entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from connectors.registry import fallback_problem
from worker.language.suggest import suggestion
from worker.settings.base import Finding, Loc
from worker.settings.combining import combine_findings
from worker.settings.crm import CrmSettings, DestinationSettings
from worker.settings.crm_fields import CrmField
from worker.settings.known import CRM_FIELDS, Known


def check_crm(settings: CrmSettings, known: Known) -> Iterable[Finding]:
    """Unknown names, and CRM fields with two writers."""
    computed = settings.computed_names()
    for name, destination in settings.destinations.items():
        at: Loc = ("destinations", name)
        yield from _fallback_findings(destination, known, (*at, "account", "fallbacks"))
        yield from _creation_findings(destination, known, (*at, "account", "create"))
        yield from _shared_fields(name, destination)
        shared = destination.account.record == "parent"
        if shared and known.no_parents:
            yield Finding((*at, "account", "record"), known.no_parents)
        for ours, entry in destination.fields.items():
            yield from _source_findings(ours, entry, known, computed, (*at, "fields", ours))
            yield from combine_findings(ours, entry, shared=shared, loc=(*at, "fields", ours))
        for ours, theirs in destination.read.items():
            if f"crm.{ours}" in CRM_FIELDS:
                yield Finding((*at, "read", ours), f'"{ours}" is always read; choose another name for {theirs}')


def _fallback_findings(destination: DestinationSettings, known: Known, loc: Loc) -> Iterator[Finding]:
    for index, fallback in enumerate(destination.account.fallbacks):
        if fallback.with_ not in known.fields:
            yield Finding(
                (*loc, index, "with"), f'unknown field "{fallback.with_}"{suggestion(fallback.with_, known.fields)}'
            )
        if problem := fallback_problem(destination.kind, destination.account.object, fallback.field):
            yield Finding((*loc, index, "field"), problem)


def _creation_findings(destination: DestinationSettings, known: Known, loc: Loc) -> Iterator[Finding]:
    account = destination.account
    ours = {entry.field.lower() for entry in destination.fields.values()}
    for field, source in account.create.items():
        if source not in known.fields:
            yield Finding((*loc, field), f'unknown field "{source}"{suggestion(source, known.fields)}')
        if field.lower() == account.match_field.lower():
            yield Finding((*loc, field), f"{field} is the match field: a new record gets our account id by itself")
        elif field.lower() in ours:
            yield Finding((*loc, field), f"{field} is filled under fields: already; one writer per CRM field")


def _shared_fields(name: str, destination: DestinationSettings) -> Iterator[Finding]:
    used = Counter(entry.field.lower() for entry in destination.fields.values())
    reserved = {destination.account.match_field.lower()}
    seen: set[str] = set()
    for ours, entry in destination.fields.items():
        field, loc = entry.field.lower(), ("destinations", name, "fields", ours, "field")
        if field in reserved:
            yield Finding(loc, f"{entry.field} is the match field: it holds our account id and nothing else")
        elif used[field] > 1 and field in seen:
            yield Finding(loc, f"{entry.field} is already filled by another of our fields; one writer per CRM field")
        seen.add(field)


def _source_findings(ours: str, entry: CrmField, known: Known, computed: frozenset[str], loc: Loc) -> Iterator[Finding]:
    if entry.from_ is None:
        if ours in computed:
            yield Finding(
                loc, f'"{ours}" has a "from" in another destination; one writer per field: give it one here too'
            )
        return
    if entry.from_ not in known.fields:
        yield Finding((*loc, "from"), f'unknown field "{entry.from_}"{suggestion(entry.from_, known.fields)}')
    missing = [value for value in known.values.get(entry.from_, ()) if entry.options and value not in entry.options]
    if missing:
        yield Finding((*loc, "options"), f"{entry.from_} can also be {', '.join(missing)}: add it to options")
