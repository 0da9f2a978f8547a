"""Who wrote the values that properties hold now: by property history, which HubSpot keeps of every property.

An entry names its source: an app (``INTEGRATION`` and the app's id), a person (``CRM_UI``), an import, a workflow, …
https://developers.hubspot.com/docs/api-reference/latest/crm/objects/companies/guide (propertiesWithHistory)

We are the app that wrote the keys of our tasks: nobody else writes those. In a portal without such tasks, the app that
wrote the record's account id counts as us; where a person or an import wrote that, an app's value is not said.

| the newest entry | answer |
|---|---|
| has the value of now | whether we are its source |
| is of a merge, or has another value (a merge adds the other record's history) | whether we are the source of the \
entries with the value of now, if they agree |

https://developers.hubspot.com/changelog/updated-merge-functionality-for-contacts-and-companies
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice

from connectors.base import Destination, FieldSpec, FieldWriters
from connectors.hubspot import search
from connectors.hubspot.adoption import CREATED, key_property
from connectors.hubspot.client import Client
from connectors.hubspot.describe import TASKS, Schema, canonical
from connectors.hubspot.read_back import BY_AN_APP
from connectors.hubspot.records import SIZE_WITH_HISTORY, Record, read_batch
from connectors.hubspot.tasks import authors

BY_A_MERGE = "MERGE_"
"""The start of the source types of merges: MERGE_OBJECTS, MERGE_COMPANIES, MERGE_CONTACTS."""

Author = tuple[str, str]
"""The type and the id of a source."""


def field_writers(
    client: Client, schema: Schema, destination: Destination, record_ids: Sequence[str], fields: Sequence[str]
) -> FieldWriters:
    """Whether we wrote each value: one call per 50 records, and two to learn which app we are."""
    specs = schema.fields(destination.object)
    names = [name for name in dict.fromkeys(fields) if name in specs]
    if not record_ids or not names:
        return {record_id: {} for record_id in record_ids}
    match_field = destination.match_field
    records = read_batch(client, destination.object, record_ids, names, history=[*names, match_field])
    apps = _our_apps(client, key_property(schema, destination))
    return {
        asked: {name: _wrote(record, specs[name], apps or _apps_of(record, match_field)) for name in names}
        for asked, record in records.items()
    }


def _our_apps(client: Client, key: str) -> set[Author]:
    """The apps that wrote the keys of our newest tasks."""
    if not key:
        return set()
    newest = islice(search.last_first(client, TASKS, [search.present(key)], [key], CREATED), SIZE_WITH_HISTORY)
    tasks = read_batch(client, TASKS, [one.id for one in newest], [], history=[key])
    return {app for task in tasks.values() for app in _apps_of(task, key)}


def _apps_of(record: Record, name: str) -> set[Author]:
    return {author for author in authors(record, name)[:1] if author[0] == BY_AN_APP}


def _wrote(record: Record, spec: FieldSpec, us: Collection[Author]) -> bool | None:
    value = canonical(spec, record.properties.get(spec.name))
    values = [canonical(spec, entry.get("value")) for entry in record.history.get(spec.name) or ()]
    entries = list(zip(values, authors(record, spec.name), strict=True))
    if not entries:
        return None
    holders = [author for held, author in entries if held == value and not author[0].startswith(BY_A_MERGE)]
    if entries[0] == (value, holders[0] if holders else None):
        holders = holders[:1]
    answers = {_is_ours(author, us) for author in holders}
    return answers.pop() if len(answers) == 1 else None


def _is_ours(author: Author, us: Collection[Author]) -> bool | None:
    return None if not us and author[0] == BY_AN_APP else author in us
