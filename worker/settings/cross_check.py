"""Checks that need several files: which names exist, and which field has which writer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from worker.settings.base import Loc
from worker.settings.known import CRM_FIELDS, FIELD_VALUES, SCORE_FIELDS, SCORE_TEXTS, Known
from worker.settings.problems import Problem
from worker.settings.product import ProductSettings, account_fields, is_of_one_kind
from worker.settings.product_schema import SCHEMA
from worker.settings.yaml_document import Document

_NAMING = ("product", "signals", "crm")
_FLAGS_OF_CRMS = frozenset({"crm.open_opportunity", "crm.matched"})
_ACCOUNT_NOT_TEXT = frozenset(
    {"account.age_days"}
    | {f"account.{name}" for name, kind in SCHEMA["accounts"].columns.items() if kind not in {"text", "id"}}
)


def known_names(documents: Mapping[str, Document], settings: Mapping[str, Any]) -> Known | None:
    """Every name of the project, also of files with problems elsewhere; None when one of them cannot be read.

    So a mistake in one file does not hide the unknown names of another.
    """
    if any(name not in documents for name in _NAMING):
        return None
    signals = _block(documents["signals"].data, "signals")
    product = settings["product"] or _stand_in(documents["product"].data)
    destinations = [one for one in _block(documents["crm"].data, "destinations").values() if isinstance(one, dict)]
    fields = [(name, entry) for one in destinations for name, entry in _block(one, "fields").items()]
    read = {f"crm.{name}" for one in destinations for name in _block(one, "read")}
    return Known(
        fields=frozenset(signals) | account_fields(product) | SCORE_FIELDS | CRM_FIELDS | read,
        crm_fields=frozenset(name for name, _ in fields),
        computed_fields=frozenset(_computed(fields)),
        queues=frozenset(_block(documents["crm"].data, "queues")),
        values=FIELD_VALUES,
        not_text=frozenset(_not_text(signals)) | (SCORE_FIELDS - SCORE_TEXTS) | _FLAGS_OF_CRMS | _ACCOUNT_NOT_TEXT,
        windowed_counts=frozenset(_windowed_counts(signals)),
        percentages=frozenset(name for name in signals if _block(signals, name).get("unit") == "percent"),
        no_parents=_no_parents(product),
    )


def _no_parents(product: ProductSettings) -> str:
    if product.account.level == "parent":
        return "account.level: parent in config/product.yaml makes one account of a company already: use one of the two"
    if product.tables.accounts.from_:
        return 'accounts "from: events" have no parents: map a table of accounts in config/product.yaml'
    return ""


def named_lists(product: Document | None) -> dict[str, list[Any]]:
    """The lists of config/product.yaml, also while that file has problems; no values for one that cannot be used."""
    named = {} if product is None else _block(product.data, "lists")
    return {
        name: values if isinstance(values, list) and is_of_one_kind(values) else [] for name, values in named.items()
    }


def _windowed_counts(signals: Mapping[str, Any]) -> Iterator[str]:
    """Signals that count rows or people of whole days, up to the last midnight."""
    for name, signal in signals.items():
        settings = signal if isinstance(signal, dict) else {}
        if settings.get("measure") in {"count", "users"} and settings.get("window") not in {None, "today"}:
            yield name


def _not_text(signals: Mapping[str, Any]) -> Iterator[str]:
    """Signals whose value is a number, a date or yes/no; the value of a latest or top row may be a text."""
    for name, signal in signals.items():
        settings = signal if isinstance(signal, dict) else {}
        if settings.get("unit", "count") != "text" and settings.get("measure") not in {"latest", "top", "top_user"}:
            yield name


def _stand_in(data: Mapping[str, Any]) -> ProductSettings:
    """Product settings with only the columns of accounts, for use while the real settings are invalid."""
    extra = _block(_block(_block(data, "tables"), "accounts"), "extra")
    accounts = {"table": "accounts", "extra": dict.fromkeys(extra, "column")}
    tables = {"accounts": accounts, "events": {"table": "events"}}
    return ProductSettings.model_validate({"version": 1, "source": {"folder": "."}, "tables": tables})


def doubled_ids(playbooks: Iterable[Document]) -> Iterator[Problem]:
    """Playbooks that share an id: the second is invalid, because state is stored by id."""
    first: dict[str, Document] = {}
    for document in playbooks:
        name = document.data.get("id")
        if not isinstance(name, str):
            continue
        if name in first:
            yield document.problem(("id",), f'id "{name}" is already used by {_place(first[name], ("id",))}')
        else:
            first[name] = document


def doubled_writers(playbooks: Iterable[Document], crm: Document | None) -> Iterator[Problem]:
    """Playbooks that set a CRM field which ``from:`` or another playbook fills already."""
    computed: dict[str, Loc] = {}
    for name, place in _computed_places(crm.data) if crm else ():
        computed.setdefault(name, place)
    first: dict[str, tuple[Document, Loc]] = {}
    for document in playbooks:
        for loc in _set_fields(document.data, ()):
            name = str(loc[-1])
            if crm is not None and name in computed:
                source = _place(crm, computed[name])
                advice = (
                    f'already filled by its "from" ({source}); one writer per field: remove it here or the "from" there'
                )
                yield document.problem(loc, f'"{name}" is {advice}', of_key=True)
            elif name in first and first[name][0] is not document:
                other = _place(*first[name])
                yield document.problem(loc, f'"{name}" is already set by {other}; one writer per field', of_key=True)
            else:
                first.setdefault(name, (document, loc))


def unset_fields(playbooks: Sequence[Document], crm: Document) -> Iterator[Problem]:
    """CRM fields without ``from:`` that no playbook sets: they would stay empty."""
    written = {str(loc[-1]) for document in playbooks for loc in _set_fields(document.data, ())}
    for loc in _field_places(crm.data):
        entry = _at(crm.data, loc)
        if isinstance(entry, dict) and not entry.get("from") and loc[-1] not in written:
            message = f'"{loc[-1]}" has no "from" and no playbook sets it: it stays empty'
            yield crm.problem(loc, message, of_key=True, severity="warning")


def _set_fields(node: Any, loc: Loc) -> Iterator[Loc]:
    """Where a playbook sets CRM fields: the place of each name under a ``set_fields``."""
    if isinstance(node, dict):
        for key, inner in node.items():
            if key == "set_fields" and isinstance(inner, dict):
                yield from ((*loc, key, name) for name in inner)
            else:
                yield from _set_fields(inner, (*loc, key))
    elif isinstance(node, list):
        for index, inner in enumerate(node):
            yield from _set_fields(inner, (*loc, index))


def _field_places(data: Mapping[str, Any]) -> Iterator[Loc]:
    for name, destination in _block(data, "destinations").items():
        for ours in _block(destination, "fields"):
            yield ("destinations", name, "fields", ours)


def _computed_places(data: Mapping[str, Any]) -> Iterator[tuple[str, Loc]]:
    for loc in _field_places(data):
        entry = _at(data, loc)
        if isinstance(entry, dict) and entry.get("from"):
            yield str(loc[-1]), (*loc, "from")


def _computed(fields: Iterable[tuple[str, Any]]) -> Iterator[str]:
    return (name for name, entry in fields if isinstance(entry, dict) and entry.get("from"))


def _at(data: Any, loc: Loc) -> Any:
    for part in loc:
        data = data[part]
    return data


def _block(data: Any, name: str) -> dict[str, Any]:
    inner = data.get(name) if isinstance(data, dict) else None
    return inner if isinstance(inner, dict) else {}


def _place(document: Document, loc: Loc) -> str:
    return f"{document.file}:{document.position(loc)[0]}"
