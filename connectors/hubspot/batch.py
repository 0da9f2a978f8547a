"""Batch writes of 100 records, each result joined to its input.

HubSpot does not keep the order of results, so results are joined by trace id, key or record id, never by position.
Inputs that an answer does not mention are ``unknown``: HubSpot answers a body without ``inputs`` with an empty 200.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from connectors import coerce
from connectors.base import AccessDenied, CallFailed, Outcome, Scalar
from connectors.hubspot import errors
from connectors.hubspot.client import Client, wrong_address
from connectors.hubspot.transport import HttpResponse, NoAnswer

log = structlog.get_logger(__name__)

SIZE = 100
LIFECYCLE = "lifecyclestage"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Input:
    """One record of a batch write. ``key`` is the operation's; ``id`` a record id or the ``id_property``'s value.

    A ``create`` has no id in HubSpot: there the two only join the result. ``associations`` are created with the record.
    """

    key: str
    id: str
    properties: Mapping[str, str]
    id_property: str = ""
    associations: Sequence[Mapping[str, object]] = ()


def chunks(items: Sequence[T], size: int = SIZE) -> Iterator[Sequence[T]]:
    """``items`` in slices of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def property_text(value: Scalar) -> str:
    """A canonical value as HubSpot takes it: always a text; an empty text clears the property."""
    # The fast path: most values are texts and whole numbers, and this runs for every field of every record.
    if type(value) is str:
        return value.strip()
    return str(value) if type(value) is int else coerce.text(value)


def write_batch(client: Client, object: str, verb: str, inputs: Sequence[Input]) -> dict[str, Outcome]:
    """One outcome per input, by operation key. ``verb`` is ``create``, ``update`` or ``upsert``.

    Every input carries a trace id; without it one invalid record fails the whole batch. Where HubSpot rejects the whole
    batch all the same, the batch is halved until the invalid record is alone. Raises `AccessDenied` for a rejection
    that cannot be about a record.
    """
    if not inputs:
        return {}
    path = f"{client.paths.objects}/{object}/batch/{verb}"
    try:
        answer = client.write("POST", path, {"inputs": [_body(verb, i, one) for i, one in enumerate(inputs)]})
    except NoAnswer as lost:
        return {one.key: Outcome(key=one.key, status="unknown", code="no_answer", reason=str(lost)) for one in inputs}
    if answer.ok:
        return _join(inputs, answer.body)
    if not errors.about_records(answer.status, answer.body):
        raise wrong_address(answer, "POST", path)
    return _split_rejected(client, object, verb, inputs, answer)


def _body(verb: str, position: int, one: Input) -> dict[str, object]:
    body: dict[str, object] = {"properties": one.properties, "objectWriteTraceId": str(position)}
    if one.associations:
        body["associations"] = one.associations
    if verb != "create":
        body["id"] = one.id
        if one.id_property:
            body["idProperty"] = one.id_property
    return body


def _split_rejected(
    client: Client, object: str, verb: str, inputs: Sequence[Input], answer: HttpResponse
) -> dict[str, Outcome]:
    if answer.status == 423:
        return {one.key: _outcome(one.key, errors.rejection({"category": "LOCKED"})) for one in inputs}
    if errors.unique_field_missing(answer.body):
        raise AccessDenied(
            f"{inputs[0].id_property} is not a unique property of HubSpot {object}: run plgsync crm setup"
        )
    if len(inputs) == 1:
        return {inputs[0].key: _outcome(inputs[0].key, errors.rejection(answer.body, _sent(inputs)))}
    log.warning("hubspot rejected a whole batch", status=answer.status, inputs=len(inputs))
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
    at_fault = [one for one in inputs if one.id in named]
    rest = [one for one in inputs if one.id not in named]
    if at_fault and rest:
        return [rest, *([one] for one in at_fault)]
    middle = len(inputs) // 2
    return [inputs[:middle], inputs[middle:]]


def _join(inputs: Sequence[Input], body: object) -> dict[str, Outcome]:
    answer = body if isinstance(body, Mapping) else {}
    if answer.get("status") != "COMPLETE":
        return {one.key: Outcome(key=one.key, status="unknown", code="incomplete") for one in inputs}
    by_trace = {str(position): one for position, one in enumerate(inputs)}
    by_id = {one.id: one for one in inputs}
    id_property = inputs[0].id_property
    outcomes: dict[str, Outcome] = {}
    unexpected_ids: list[str] = []
    for result in answer.get("results") or []:
        own_id = (result.get("properties") or {}).get(id_property) if id_property else result.get("id")
        one = by_trace.get(result.get("objectWriteTraceId", "")) or by_id.get(str(own_id))
        if one is None:
            unexpected_ids.append(str(result.get("id")))
        else:
            outcomes[one.key] = _accepted(one, result)
    for error in answer.get("errors") or []:
        rejection = errors.rejection(error, _sent(inputs))
        at_fault = [by_trace.get(name) for name in errors.context(error, "objectWriteTraceId")]
        at_fault += [by_id.get(name) for name in errors.context(error, "ids")]
        outcomes |= {one.key: _outcome(one.key, rejection) for one in at_fault if one}
    return outcomes | _outcomes_of_missing([one for one in inputs if one.key not in outcomes], unexpected_ids)


def _accepted(one: Input, result: Mapping[str, Any]) -> Outcome:
    """HubSpot moves a lifecycle stage forward only: it answers success to a step back and keeps the later stage."""
    record_id, stage = str(result.get("id")), one.properties.get(LIFECYCLE)
    if stage and (result.get("properties") or {}).get(LIFECYCLE) != stage:
        reason = f"{LIFECYCLE}: HubSpot keeps the later stage; the other fields of the record are written"
        return Outcome(
            key=one.key,
            status="rejected",
            record_id=record_id,
            code="LIFECYCLE_BACKWARD",
            reason=reason,
            rejected_fields=(LIFECYCLE,),
        )
    return Outcome(key=one.key, status="applied", record_id=record_id)


def _outcomes_of_missing(missing: Sequence[Input], unexpected_ids: Sequence[str]) -> dict[str, Outcome]:
    """A merged record answers under its surviving id, so as many unexpected ids as missing inputs are those inputs."""
    if missing and len(unexpected_ids) == len(missing):
        only = unexpected_ids[0] if len(unexpected_ids) == 1 else None
        return {one.key: Outcome(key=one.key, status="applied", record_id=only or one.id) for one in missing}
    if missing:
        log.warning("hubspot answered for a part of the inputs only", inputs=len(missing))
    return {one.key: Outcome(key=one.key, status="unknown", code="unanswered") for one in missing}


def _sent(inputs: Iterable[Input]) -> set[str]:
    return {value for one in inputs for value in one.properties.values()}


def _outcome(key: str, rejection: errors.Rejection) -> Outcome:
    if not rejection.known:
        log.warning("hubspot answered with an unknown code", code=rejection.code)
    return Outcome(
        key=key, status=rejection.status, code=rejection.code, reason=rejection.reason, stale_record=rejection.stale
    )


def not_sent(key: str) -> Outcome:
    """The outcome of an operation that was not sent, because an earlier call failed."""
    return Outcome(key=key, status="retry", code="not_sent", reason="not sent: the call before it failed")
