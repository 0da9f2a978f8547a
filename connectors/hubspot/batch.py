"""Batch writes of 100 records, each answer joined to what was asked for.

HubSpot shuffles results, so nothing is ever joined by position: by trace id, key or record id only. A
batch whose answer does not account for every input leaves the rest ``unknown``: a body without
``inputs`` is answered with a cheerful empty 200.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from connectors import coerce
from connectors.base import AccessDenied, CallFailed, Outcome, Scalar
from connectors.hubspot import errors
from connectors.hubspot.client import Client, astray
from connectors.hubspot.transport import Answer, NoAnswer

log = structlog.get_logger(__name__)

SIZE = 100
LIFECYCLE = "lifecyclestage"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Input:
    """One record of a batch write. ``key`` is the operation's; ``id`` a record id or the ``id_property``'s value.

    A ``create`` is not addressed: there the two only join the answer, and ``ties`` are its associations.
    """

    key: str
    id: str
    properties: Mapping[str, str]
    id_property: str = ""
    ties: Sequence[Mapping[str, object]] = ()


def chunks(items: Sequence[T], size: int = SIZE) -> Iterator[Sequence[T]]:
    """``items`` in slices of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def wire(value: Scalar) -> str:
    """A canonical value as HubSpot takes it: always text, and an empty text clears."""
    # Most values are texts and whole numbers, and this is called for every field of every record.
    if type(value) is str:
        return value.strip()
    return str(value) if type(value) is int else coerce.text(value)


def write_batch(client: Client, object: str, verb: str, inputs: Sequence[Input]) -> dict[str, Outcome]:
    """One outcome per input, by operation key. ``verb`` is ``create``, ``update`` or ``upsert``.

    Every input carries a trace id, without which one bad record would fail all. Where HubSpot refuses
    the batch as a whole all the same, it is halved until the bad record stands alone. A refusal that can be about
    no record raises `AccessDenied`.
    """
    if not inputs:
        return {}
    path = f"{client.paths.objects}/{object}/batch/{verb}"
    try:
        answer = client.write("POST", path, {"inputs": [_body(verb, i, one) for i, one in enumerate(inputs)]})
    except NoAnswer as lost:
        return {one.key: Outcome(one.key, "unknown", code="no_answer", reason=str(lost)) for one in inputs}
    if answer.ok:
        return _join(inputs, answer.body)
    if not errors.about_records(answer.status, answer.body):
        raise astray(answer, "POST", path)
    return _refused(client, object, verb, inputs, answer)


def _body(verb: str, position: int, one: Input) -> dict[str, object]:
    body: dict[str, object] = {"properties": one.properties, "objectWriteTraceId": str(position)}
    if one.ties:
        body["associations"] = one.ties
    if verb != "create":
        body["id"] = one.id
        if one.id_property:
            body["idProperty"] = one.id_property
    return body


def _refused(client: Client, object: str, verb: str, inputs: Sequence[Input], answer: Answer) -> dict[str, Outcome]:
    if answer.status == 423:
        return {one.key: _outcome(one.key, errors.refusal({"category": "LOCKED"})) for one in inputs}
    if errors.unique_field_missing(answer.body):
        raise AccessDenied(
            f"{inputs[0].id_property} is not a unique property of HubSpot {object}: run plgsync crm setup"
        )
    if len(inputs) == 1:
        return {inputs[0].key: _outcome(inputs[0].key, errors.refusal(answer.body, _sent(inputs)))}
    log.warning("hubspot refused a whole batch", status=answer.status, inputs=len(inputs))
    outcomes: dict[str, Outcome] = {}
    for part in _parts(inputs, answer.body):
        try:
            outcomes |= write_batch(client, object, verb, part)
        except CallFailed:
            if not outcomes:
                raise
            return outcomes | {one.key: not_sent(one.key) for one in inputs if one.key not in outcomes}
    return outcomes


def _parts(inputs: Sequence[Input], body: object) -> list[Sequence[Input]]:
    named = errors.context(body, "ids")
    blamed = [one for one in inputs if one.id in named]
    rest = [one for one in inputs if one.id not in named]
    if blamed and rest:
        return [rest, *([one] for one in blamed)]
    middle = len(inputs) // 2
    return [inputs[:middle], inputs[middle:]]


def _join(inputs: Sequence[Input], body: object) -> dict[str, Outcome]:
    answer = body if isinstance(body, Mapping) else {}
    if answer.get("status") != "COMPLETE":
        return {one.key: Outcome(one.key, "unknown", code="incomplete") for one in inputs}
    by_trace = {str(position): one for position, one in enumerate(inputs)}
    by_id = {one.id: one for one in inputs}
    id_property = inputs[0].id_property
    outcomes: dict[str, Outcome] = {}
    strangers: list[str] = []
    for result in answer.get("results") or []:
        own_id = (result.get("properties") or {}).get(id_property) if id_property else result.get("id")
        one = by_trace.get(result.get("objectWriteTraceId", "")) or by_id.get(str(own_id))
        if one is None:
            strangers.append(str(result.get("id")))
        else:
            outcomes[one.key] = _accepted(one, result)
    for error in answer.get("errors") or []:
        verdict = errors.refusal(error, _sent(inputs))
        blamed = [by_trace.get(name) for name in errors.context(error, "objectWriteTraceId")]
        blamed += [by_id.get(name) for name in errors.context(error, "ids")]
        outcomes |= {one.key: _outcome(one.key, verdict) for one in blamed if one}
    return outcomes | _left_over([one for one in inputs if one.key not in outcomes], strangers)


def _accepted(one: Input, result: Mapping[str, Any]) -> Outcome:
    """A lifecycle stage moves forward only: HubSpot answers success to a step back and keeps the later one."""
    record_id, stage = str(result.get("id")), one.properties.get(LIFECYCLE)
    if stage and (result.get("properties") or {}).get(LIFECYCLE) != stage:
        reason = f"{LIFECYCLE}: HubSpot keeps the later stage; the other fields of the record are written"
        return Outcome(one.key, "rejected", record_id, "LIFECYCLE_BACKWARD", reason, refused=(LIFECYCLE,))
    return Outcome(one.key, "applied", record_id)


def _left_over(unanswered: Sequence[Input], strangers: Sequence[str]) -> dict[str, Outcome]:
    """A merged record answers under the surviving id, so an equal number of strangers are the ones missing."""
    if unanswered and len(strangers) == len(unanswered):
        alone = strangers[0] if len(strangers) == 1 else None
        return {one.key: Outcome(one.key, "applied", record_id=alone or one.id) for one in unanswered}
    if unanswered:
        log.warning("hubspot left inputs unanswered", inputs=len(unanswered))
    return {one.key: Outcome(one.key, "unknown", code="unanswered") for one in unanswered}


def _sent(inputs: Iterable[Input]) -> set[str]:
    return {value for one in inputs for value in one.properties.values()}


def _outcome(key: str, verdict: errors.Refusal) -> Outcome:
    if not verdict.known:
        log.warning("hubspot answered with a code we do not know", code=verdict.code)
    return Outcome(key, verdict.status, code=verdict.code, reason=verdict.reason, stale_record=verdict.stale)


def not_sent(key: str) -> Outcome:
    """The outcome of an operation that never left, because an earlier one of the same call could not go on."""
    return Outcome(key, "retry", code="not_sent", reason="not sent: the call before it failed")
