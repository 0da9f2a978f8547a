"""Batch calls on records: what one invalid record does to the others.

With a distinct ``objectWriteTraceId`` on every input, invalid records are reported one by one (207) and the others
are written. Without, one invalid record rejects the whole call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from connectors.sandbox.hubspot.call import Call, HttpResponse
from connectors.sandbox.hubspot.errors import JsonObject, Violation, batch_error, duplicate_ids, invalid, invalid_values
from connectors.sandbox.hubspot.faults import WriteFault
from connectors.sandbox.hubspot.kinds import Kind
from connectors.sandbox.hubspot.objects import history_of
from connectors.sandbox.hubspot.record import Record
from connectors.sandbox.hubspot.request_body import inputs_of, not_set, properties_of, text, texts
from connectors.sandbox.hubspot.writes import RecordRejected, Write, apply, check_links, check_unique, check_write

MOST = 100
MOST_WITH_HISTORY = 50


@dataclass(slots=True, kw_only=True)
class _Input:
    item: JsonObject
    trace: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    id: str = ""
    id_property: str = ""
    implicit: bool = False
    """Whether the sandbox added the addressing value: the answer then does not show it."""
    record: Record | None = None
    key: tuple[str, str] = ("", "")
    """(property, value) that addresses the record."""


def batch_create(call: Call) -> HttpResponse:
    """201, or 207."""
    kind = call.kind()
    inputs, traced = _inputs(call)
    return _write(call, kind, inputs, traced, [], 201)


def batch_update(call: Call) -> HttpResponse:
    """200, or 207; unknown ids are listed in one error."""
    kind = call.kind()
    inputs, traced = _inputs(call)
    _address(call, kind, inputs)
    unknown = [given.id for given in inputs if given.record is None]
    errors = [_not_there(kind, unknown)] if unknown else []
    return _write(call, kind, [given for given in inputs if given.record is not None], traced, errors, 200)


def batch_upsert(call: Call) -> HttpResponse:
    """200, or 207; every result says whether it is ``new``. The addressing value is written too."""
    kind = call.kind()
    inputs, traced = _inputs(call)
    for given in inputs:
        if not given.item.get("idProperty"):
            raise _not_unique(call, kind, "hs_object_id")
    _address(call, kind, inputs)
    for given in inputs:
        if given.record is None:
            given.implicit = given.id_property not in given.properties
            given.properties.setdefault(given.id_property, given.id)
    return _write(call, kind, inputs, traced, [], 200, upsert=True)


def batch_read(call: Call) -> HttpResponse:
    """200, or 207 when some ids are unknown."""
    kind, body = call.kind(), call.body()
    with_history = texts(body, "propertiesWithHistory")
    inputs = inputs_of(body, MOST)
    if with_history and len(inputs) > MOST_WITH_HISTORY:
        raise invalid(
            "The maximum number of inputs supported in a batch request for property histories is "
            f"{MOST_WITH_HISTORY}. Received {len(inputs)}."
        )
    given = [_Input(item=item, id=_id(item), id_property=text(body, "idProperty")) for item in inputs]
    call.exchange.records = len(given)
    archived = call.flag("archived")
    _address(call, kind, given, archived=archived, once=False)
    names = call.known_names(kind, texts(body, "properties") or with_history)
    found = {one.record.id: one.record for one in given if one.record is not None}
    results = []
    for record in found.values():
        shown = call.read_echo(kind, record, names)
        if with_history:
            shown["propertiesWithHistory"] = history_of(record, with_history)
        results.append(shown)
    unknown = [one.id for one in given if one.record is None]
    call.portal.shuffle(results)
    return call.batch_answer(200, results, [_not_there(kind, unknown)] if unknown else [])


def batch_archive(call: Call) -> HttpResponse:
    """204, unknown ids included."""
    store = call.store(call.kind())
    inputs = inputs_of(call.body(), MOST)
    call.exchange.records = len(inputs)
    for item in inputs:
        if record := store.find(_id(item)):
            store.archive(record, call.at_ms)
    return 204, None


# -------------------------------------------------------------------------------- shared


def _inputs(call: Call) -> tuple[list[_Input], bool]:
    items = inputs_of(call.body(), MOST)
    call.exchange.records = len(items)
    traces = [text(item, "objectWriteTraceId") for item in items]
    traced = all(traces) and len(set(traces)) == len(traces)
    raw = call.exchange.body
    inputs = [
        _Input(item=item, trace=trace, properties=properties_of(item, raw))
        for item, trace in zip(items, traces, strict=True)
    ]
    return inputs, traced


def _address(call: Call, kind: Kind, inputs: Sequence[_Input], *, archived: bool = False, once: bool = True) -> None:
    """Find the record of each input. Rejects properties that are not unique and, with ``once``, repeated ids."""
    store = call.store(kind)
    seen: set[tuple[str, str]] = set()
    for given in inputs:
        given.id = key = given.id or _id(given.item)
        name = given.id_property = given.id_property or text(given.item, "idProperty")
        if not name:
            given.record = store.find(key, archived=archived)
        elif store.is_unique(name):
            key = key.lower() if name == "email" else key
            given.record = store.find_by(name, key)
        else:
            raise _not_unique(call, kind, name)
        given.key = (name, key)
        seen.add(given.key)
    if once and len(seen) < len(inputs):
        counted = Counter(given.key for given in inputs)
        twice = [given.id for given in inputs if counted[given.key] > 1]
        raise duplicate_ids(list(dict.fromkeys(twice)))


def _write(
    call: Call,
    kind: Kind,
    inputs: list[_Input],
    traced: bool,
    errors: list[JsonObject],
    ok: int,
    *,
    upsert: bool = False,
) -> HttpResponse:
    fault = WriteFault.of(call)
    fault.before_write(call, kind, [given.item for given in inputs])
    if upsert and fault.races:
        _address(call, kind, inputs)
    writes = _checked_one_by_one if traced else _checked_together
    portal, at_ms, source, echo_trace = call.portal, call.at_ms, call.portal.source, call.portal.options.echo_trace
    results: list[JsonObject] = []
    for number, (given, write) in enumerate(writes(call, kind, inputs, errors, fault)):
        if fault.fails_after is not None:
            fault.before_record(number)
        new = write.record is None
        record, shown = apply(portal, write, at_ms, source)
        result = portal.shown(kind, record, shown)
        if upsert:
            result["new"] = new
        if echo_trace and given.trace:
            result["objectWriteTraceId"] = given.trace
        results.append(result)
    fault.after_records(len(results))
    call.exchange.add_notes(applied=[result["id"] for result in results])
    results = fault.lose_results(results)
    call.portal.shuffle(results)
    status, body = call.batch_answer(ok, results, errors)
    return status, fault.unfinish(body)


def _checked_one_by_one(
    call: Call, kind: Kind, inputs: list[_Input], errors: list[JsonObject], fault: WriteFault
) -> Iterable[tuple[_Input, Write]]:
    """Checks each write just before it is applied, because an earlier one may have taken its unique value."""
    for given in inputs:
        try:
            write = _check(call, kind, given, fault)
            check_unique(call.portal, write)
        except RecordRejected as problem:
            errors.append(problem.for_result(given.trace))
        else:
            yield given, write


def _checked_together(
    call: Call, kind: Kind, inputs: list[_Input], _errors: list[JsonObject], fault: WriteFault
) -> Iterable[tuple[_Input, Write]]:
    """Checks all writes before the first is applied."""
    checked: list[tuple[_Input, Write]] = []
    violations: list[Violation] = []
    first: RecordRejected | None = None
    claimed: set[tuple[str, str]] = set()
    for given in inputs:
        try:
            write = _check(call, kind, given, fault)
            check_unique(call.portal, write)
            _claim(call, kind, write, claimed)
        except RecordRejected as problem:
            violations += problem.violations
            first = first or problem
        else:
            checked.append((given, write))
    if violations:
        raise invalid_values(violations)
    if first:
        raise first.rejection(in_batch=True)
    return checked


def _check(call: Call, kind: Kind, given: _Input, fault: WriteFault) -> Write:
    if fault.kind == "poison":
        fault.poison((given.id, given.trace), given.properties)
    write = check_write(call.portal, kind, given.record, given.properties, call.version)
    if given.implicit:
        write.sent = tuple(name for name in write.sent if name != given.id_property)
    if given.record is None and given.item.get("associations"):
        write.links = check_links(call.portal, kind, given.item, call.version)
    return write


def _claim(call: Call, kind: Kind, write: Write, claimed: set[tuple[str, str]]) -> None:
    store = call.store(kind)
    for name, value in store.unique_values(write.changes):
        if (name, value) in claimed:
            raise RecordRejected("VALIDATION_ERROR", f"Property {name} must be unique; {value} is in this batch twice")
        claimed.add((name, value))


def _id(item: JsonObject) -> str:
    if item.get("id") is None:
        raise not_set(["id"])
    return text(item, "id")


def _not_there(kind: Kind, ids: list[str]) -> JsonObject:
    message = (
        f"Could not get some {kind.singular.upper()} objects, they may be deleted or not exist. "
        "Check that ids are valid."
    )
    return batch_error("OBJECT_NOT_FOUND", message, ids=ids)


def _not_unique(call: Call, kind: Kind, name: str) -> Exception:
    portal_id = call.portal.options.portal_id
    return invalid(
        f"Unable to perform update/upsert by non-unique {kind.type_id} property {name} in portal ID {portal_id}"
    )
