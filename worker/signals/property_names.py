"""The properties that the newest events have: how their names are spelled, and how often each occurs."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from worker.signals.constructs import Column
from worker.signals.engines import Engine
from worker.signals.mapped_table import MappedTable
from worker.signals.reading.texts import JsonOf

_SAMPLE = 5_000
_DEEPEST = 5
Spellings = Mapping[str | None, Mapping[str, int]]
"""Event → its properties as ``props.x``, and in how many events of the sample each occurs."""


def property_names(engine: Engine, events: MappedTable) -> Spellings:
    """The properties of the newest events that have any; names beside ``props`` are columns. Raises SourceError."""
    if "props" not in events.columns:
        return {}
    cell, kind = events.cell("props"), events.kind("props")
    text = cell if kind in {"text", "any"} else JsonOf(cell, kind)
    columns: list[Column] = [events.text("name"), sa.cast(text, sa.Text())]
    asked = sa.select(*columns).select_from(events.rows).where(cell.is_not(None))
    newest = asked.order_by(events.time("occurred_at").desc().nulls_last()).limit(_SAMPLE)
    found: dict[str | None, Counter[str]] = defaultdict(Counter)
    for name, written in engine.run(newest):
        found[name].update(set(_names(_object(written), "props")))
    return found


def _object(written: Any) -> Any:
    try:
        return json.loads(written)
    except (TypeError, ValueError, RecursionError):
        return None


def _names(value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict) or path.count(".") > _DEEPEST:
        return
    for key, inner in value.items():
        if inner is not None:
            yield f"{path}.{key}"
            yield from _names(inner, f"{path}.{key}")


def spelled_twice(found: Spellings, names: Iterable[str | None], prop: str) -> tuple[str, int, int] | None:
    """Another spelling of ``prop`` in the same events, and how many have it and how many ``prop``; None without."""
    twins: Counter[str] = Counter()
    own = 0
    for name in names:
        spelled = found.get(name, {})
        if prop in spelled:
            own += spelled[prop]
            for other in spelled:
                if other != prop and _bare(other) == _bare(prop):
                    twins[other] += spelled[other]
    return (*twins.most_common(1)[0], own) if twins else None


def _bare(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")
