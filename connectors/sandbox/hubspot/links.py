"""Calls on associations: one pair, batches, labels; v3 paths answer in the older form."""

from __future__ import annotations

from collections.abc import Callable

from connectors.sandbox.hubspot.associations import TYPES, AssociationType, Node, type_with_id
from connectors.sandbox.hubspot.call import Call, HttpResponse
from connectors.sandbox.hubspot.errors import JsonObject, batch_error, invalid, not_found
from connectors.sandbox.hubspot.kinds import Kind
from connectors.sandbox.hubspot.request_body import an_object, inputs_of, not_set, objects, text
from connectors.sandbox.hubspot.writes import STRICT, not_permitted

MOST_CREATED = 2000
MOST_READ = 1000
LONGEST_PAGE = 500

_CATEGORY = "HUBSPOT_DEFINED"


def associate_default(call: Call) -> HttpResponse:
    """200; associates one pair without a label, in both directions."""
    a, b = _pair(call)
    _permit(call)
    return _batch(call, 200, _defaults(a, b, call.portal.contents.associations.associate_plainly(a, b)), [])


def associate(call: Call) -> HttpResponse:
    """201 (200 on 2026-09) with the labels of the pair."""
    a, b = _pair(call)
    _permit(call)
    types = _types(call, (a[0], b[0]), _specs(call))
    call.portal.contents.associations.associate(a, b, types)
    return _created(call), _labels(call, a, b, types)


def dissociate(call: Call) -> HttpResponse:
    """204, whether there was an association or not."""
    _forget(call, call.params["id"], call.params["id2"])
    return 204, None


def list_associated(call: Call) -> HttpResponse:
    """200 with a page of associated records of one kind."""
    kind, other = call.kind(), call.kind("to")
    node = _node(call, kind, call.params["id"])
    if node is None:
        raise not_found()
    linked = call.portal.contents.associations.of(node, other.name)
    found, paging = call.page(linked, lambda pair: pair[0], usual=LONGEST_PAGE, most=LONGEST_PAGE)
    return 200, {"results": _to(call, node[0], found, other), **paging}


def labels(call: Call) -> HttpResponse:
    """200 with the association types between two kinds."""
    pair = _kinds(call)
    return 200, {"results": [_typed(known) for known in TYPES[pair]]}


def types_v3(call: Call) -> HttpResponse:
    """200 with the association types by their v3 names."""
    pair = _kinds(call)
    name = f"{call.kind().singular}_to_{call.kind('to').singular}"
    return 200, {"results": [{"id": str(known.id), "name": name} for known in TYPES[pair]]}


def batch_default(call: Call) -> HttpResponse:
    """200, or 207 when some records do not exist."""

    def one(a: Node, b: Node, _item: JsonObject) -> list[JsonObject]:
        return _defaults(a, b, call.portal.contents.associations.associate_plainly(a, b))

    return _each_pair(call, one, 200)


def batch_create(call: Call) -> HttpResponse:
    """201 (200 on 2026-09), or 207."""
    pair = _kinds(call)

    def one(a: Node, b: Node, item: JsonObject) -> list[JsonObject]:
        types = _types(call, pair, objects(item, "types"))
        call.portal.contents.associations.associate(a, b, types)
        return [_labels(call, a, b, types)]

    def one_v3(a: Node, b: Node, item: JsonObject) -> list[JsonObject]:
        call.portal.contents.associations.associate(a, b, TYPES[pair][:1])
        return [{"from": {"id": a[1]}, "to": {"id": b[1]}, "type": text(item, "type")}]

    return _each_pair(call, one_v3 if call.version == "v3" else one, _created(call))


def batch_archive(call: Call) -> HttpResponse:
    """204, unknown records and associations included."""
    _kinds(call)
    for item in inputs_of(call.body(), MOST_CREATED):
        targets = [item["to"]] if isinstance(item.get("to"), dict) else objects(item, "to")
        for target in targets:
            _forget(call, _id(item, "from"), text(target, "id"))
    return 204, None


def batch_labels_archive(call: Call) -> HttpResponse:
    """204; removes only the named association types."""
    pair = _kinds(call)
    for item in inputs_of(call.body(), MOST_CREATED):
        a, b = _nodes(call, _id(item, "from"), _id(item, "to"))
        if a is not None and b is not None:
            call.portal.contents.associations.forget_types(a, b, _types(call, pair, objects(item, "types")))
    return 204, None


def batch_read(call: Call) -> HttpResponse:
    """200, or 207 when some records do not exist or have no association."""
    kind, other = call.kind(), call.kind("to")
    _kinds(call)
    results: list[JsonObject] = []
    unknown: list[str] = []
    inputs = inputs_of(call.body(), MOST_READ)
    call.exchange.records = len(inputs)
    for item in inputs:
        number = text(item, "id")
        node = _node(call, kind, number)
        linked = [] if node is None else call.portal.contents.associations.of(node, other.name)
        if linked:
            to = _to(call, kind.name, linked, other)
            results.append({"from": {"id": number}, "to": to})
        else:
            unknown.append(number)
    errors = []
    if unknown:
        message = f"No {other.singular} is associated with some {kind.singular} records."
        more = {"subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"}
        shown = {"fromObjectId": unknown}
        errors = [{**batch_error("OBJECT_NOT_FOUND", message, **shown), **more}]
    return _batch(call, 200, results, errors)


# -------------------------------------------------------------------------------- shared


def _each_pair(call: Call, connect: Callable[[Node, Node, JsonObject], list[JsonObject]], ok: int) -> HttpResponse:
    _kinds(call)
    _permit(call)
    results: list[JsonObject] = []
    errors: list[JsonObject] = []
    inputs = inputs_of(call.body(), MOST_CREATED)
    call.exchange.records = len(inputs)
    for item in inputs:
        from_id, to_id = _id(item, "from"), _id(item, "to")
        a, b = _nodes(call, from_id, to_id)
        if a is None or b is None:
            ids = [number for number, node in ((from_id, a), (to_id, b)) if node is None]
            message = "One or more objects in the association do not exist. Check that ids are valid."
            errors.append(batch_error("OBJECT_NOT_FOUND", message, ids=ids))
        else:
            results += connect(a, b, item)
    return _batch(call, ok, results, errors)


def _batch(call: Call, ok: int, results: list[JsonObject], errors: list[JsonObject]) -> HttpResponse:
    call.portal.shuffle(results)
    return call.batch_answer(ok, results, errors)


def _created(call: Call) -> int:
    return 200 if call.version == STRICT else 201


def _kinds(call: Call) -> tuple[str, str]:
    pair = (call.kind().name, call.kind("to").name)
    if pair not in TYPES:
        raise invalid(f"Association between {pair[0]} and {pair[1]} is not supported")
    return pair


def _pair(call: Call) -> tuple[Node, Node]:
    _kinds(call)
    a, b = _nodes(call, call.params["id"], call.params["id2"])
    if a is None or b is None:
        raise not_found()
    return a, b


def _forget(call: Call, from_id: str, to_id: str) -> None:
    a, b = _nodes(call, from_id, to_id)
    if a is not None and b is not None:
        call.portal.contents.associations.forget(a, b)


def _permit(call: Call) -> None:
    one, other = call.kind(), call.kind("to")
    if call.version == STRICT and not call.portal.options.may_associate(one.name, other.name):
        raise invalid(not_permitted(one, other))


def _nodes(call: Call, from_id: str, to_id: str) -> tuple[Node | None, Node | None]:
    return _node(call, call.kind(), from_id), _node(call, call.kind("to"), to_id)


def _node(call: Call, kind: Kind, record_id: str) -> Node | None:
    record = call.store(kind).find(record_id)
    return None if record is None else (kind.name, record.id)


def _id(item: JsonObject, end: str) -> str:
    return text(an_object(item, end), "id")


def _specs(call: Call) -> list[JsonObject]:
    if "association_type" in call.params:
        return [{"associationTypeId": call.params["association_type"]}]
    return call.list_body()


def _types(call: Call, pair: tuple[str, str], specs: list[JsonObject]) -> tuple[AssociationType, ...]:
    if not specs:
        raise not_set(["types"])
    found: list[AssociationType] = []
    for spec in specs:
        number = text(spec, "associationTypeId")
        known = type_with_id(pair, int(number)) if number.isdecimal() else None
        if known is None:
            raise invalid(f"No association type with id {number} from {call.kind().type_id}")
        found.append(known)
    return tuple(found)


def _typed(known: AssociationType) -> JsonObject:
    return {"category": _CATEGORY, "typeId": known.id, "label": known.label}


def _to(call: Call, kind: str, found: list[tuple[str, list[int]]], other: Kind) -> list[JsonObject]:
    if call.version == "v3":
        singular = call.kind().singular
        return [{"id": number, "type": f"{singular}_to_{other.singular}"} for number, _ in found]
    return [
        {
            "toObjectId": _object_id(call, number),
            "associationTypes": [_typed(known) for i in ids if (known := type_with_id((kind, other.name), i))],
        }
        for number, ids in found
    ]


def _object_id(call: Call, record_id: str) -> int | str:
    """A number on v4 paths, text on dated ones, as their specifications say."""
    return int(record_id) if call.version == "v4" else record_id


def _labels(call: Call, a: Node, b: Node, types: tuple[AssociationType, ...]) -> JsonObject:
    return {
        "fromObjectTypeId": call.kind().type_id,
        "fromObjectId": _object_id(call, a[1]),
        "toObjectTypeId": call.kind("to").type_id,
        "toObjectId": _object_id(call, b[1]),
        "labels": [known.label for known in types if known.label],
    }


def _defaults(a: Node, b: Node, types: tuple[AssociationType, ...]) -> list[JsonObject]:
    spec = [(a, b, known.id) for known in types] + [(b, a, known.reverse) for known in types]
    return [
        {
            "from": {"id": one[1]},
            "to": {"id": other[1]},
            "associationSpec": {"associationCategory": _CATEGORY, "associationTypeId": number},
        }
        for one, other, number in spec
    ]
