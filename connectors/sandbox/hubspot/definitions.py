"""Calls on property definitions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.sandbox.hubspot.call import Call, HttpResponse
from connectors.sandbox.hubspot.errors import JsonObject, RequestRejected, batch_error, invalid, not_found, rejected
from connectors.sandbox.hubspot.kinds import TASKS, Kind
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.request_body import inputs_of, integer, not_set, objects, text
from connectors.sandbox.hubspot.schema import MAX_UNIQUE, TRUE_FALSE, Property, Schema, option_of

PAIRS = {
    "number": {"number", "calculation_equation"},
    "enumeration": {"select", "radio", "checkbox", "booleancheckbox", "calculation_equation"},
    "bool": {"booleancheckbox", "calculation_equation"},
    "date": {"date"},
    "datetime": {"date"},
    "string": {"text", "textarea", "html", "phonenumber", "file", "calculation_equation"},
    "phone_number": {"phonenumber"},
}
HINTS = {"unformatted", "formatted", "percentage", "currency", "duration", "probability"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}\Z")
_REQUIRED = ("name", "label", "type", "fieldType", "groupName")
_EXISTS = "Properties.PROPERTY_WITH_NAME_EXISTS"


def define(portal: Portal, kind: Kind, described: Mapping[str, Any]) -> Property:
    """Create a property, or restore and redefine an archived one of that name. Raises `RequestRejected`."""
    return _add(portal, kind, _parsed(portal, kind, portal.contents.schemas[kind.name], described))


def _add(portal: Portal, kind: Kind, definition: Property) -> Property:
    schema = portal.contents.schemas[kind.name]
    existing = schema.get(definition.name)
    if existing is not None:
        message = f"A property named '{definition.name}' already exists."
        context = {"name": [definition.name]}
        raise rejected(409, "OBJECT_ALREADY_EXISTS", message, subCategory=_EXISTS, context=context)
    schema.put(definition)
    if definition.unique:
        portal.contents.records[kind.name].index(definition.name)
    return definition


def list_properties(call: Call) -> HttpResponse:
    """200 with every definition that is (not) archived."""
    listed = call.schema(call.kind()).listed(call.flag("archived"))
    return 200, {"results": [definition.to_dated_json() for definition in listed if _readable(call, definition)]}


def create_property(call: Call) -> HttpResponse:
    """201 with the definition."""
    return 201, define(call.portal, call.kind(), _plain(call.body())).to_dated_json()


def get_property(call: Call) -> HttpResponse:
    """200 with the definition."""
    return 200, _found(call, call.flag("archived")).to_dated_json()


def patch_property(call: Call) -> HttpResponse:
    """200 with the definition; ``options`` replaces the whole list; ``hasUniqueValue`` is ignored."""
    definition, body = _found(call, archived=False), _plain(call.body())
    if definition.defined_by_hubspot and body.keys() - {"options", "label", "description"}:
        raise invalid(f"Property {definition.name} is defined by HubSpot and cannot be changed")
    type_, field_type = text(body, "type") or definition.type, text(body, "fieldType") or definition.field_type
    _check_pair(type_, field_type)
    changed = replace(
        definition,
        label=text(body, "label") or definition.label,
        description=text(body, "description") if "description" in body else definition.description,
        group=_known_group(call.schema(call.kind()), text(body, "groupName") or definition.group),
        type=type_,
        field_type=field_type,
        display_order=order_of(body, definition.display_order),
        hidden=body.get("hidden", definition.hidden) is True,
        form_field=body.get("formField", definition.form_field) is True,
        options=_options(type_, body) if "options" in body else definition.options,
        hint=_hint(body) or definition.hint,
        updated_ms=call.at_ms,
    )
    call.schema(call.kind()).put(changed)
    return 200, changed.to_dated_json()


def delete_property(call: Call) -> HttpResponse:
    """204; the definition is archived and can be restored by creating it again."""
    definition = _found(call, archived=False)
    _archive(call, definition)
    return 204, None


def batch_create(call: Call) -> HttpResponse:
    """201, or 207 with an error for every name that exists; nothing is created when another one is invalid."""
    kind = call.kind()
    made: list[JsonObject] = []
    errors: list[JsonObject] = []
    schema, inputs = call.schema(kind), inputs_of(call.body(), 100)
    for definition in [_parsed(call.portal, kind, schema, _plain(described)) for described in inputs]:
        try:
            made.append(_add(call.portal, kind, definition).to_json())
        except RequestRejected as rejection:
            errors.append({name: value for name, value in rejection.body.items() if name != "correlationId"})
    return call.batch_answer(201, made, errors)


def batch_read(call: Call) -> HttpResponse:
    """200, or 207 with an error naming those that do not exist."""
    body, schema = call.body(), call.schema(call.kind())
    archived = body.get("archived") is True
    names = [text(item, "name") for item in inputs_of(body, 100)]
    known = [definition for name in names if (definition := schema.properties.get(name))]
    found = [each for each in known if each.archived == archived and _readable(call, each)]
    missing = sorted(set(names) - {known.name for known in found})
    errors = [batch_error("OBJECT_NOT_FOUND", _no_such(name), name=[name]) for name in missing]
    return call.batch_answer(200, [known.to_dated_json() for known in found], errors)


def batch_archive(call: Call) -> HttpResponse:
    """204, unknown names included."""
    schema = call.schema(call.kind())
    for item in inputs_of(call.body(), 100):
        if (known := schema.get(text(item, "name"))) and not known.defined_by_hubspot:
            _archive(call, known)
    return 204, None


# -------------------------------------------------------------------------------- shared


def _parsed(portal: Portal, kind: Kind, schema: Schema, described: Mapping[str, Any]) -> Property:
    require(described, _REQUIRED)
    name, type_, field_type = text(described, "name"), text(described, "type"), text(described, "fieldType")
    if not _NAME.match(name):
        raise invalid(f"Property name '{name}' must be lower case, begin with a letter and use only a-z, 0-9 and _")
    _check_pair(type_, field_type)
    unique = described.get("hasUniqueValue") is True
    if unique:
        _check_unique(portal, kind, schema, name, type_)
        unique = kind.name not in portal.options.unique_ignored
    at = portal.now_ms()
    return Property(
        name=name,
        label=text(described, "label"),
        type=type_,
        field_type=field_type,
        group=_known_group(schema, text(described, "groupName")),
        description=text(described, "description"),
        options=_options(type_, described),
        display_order=order_of(described, -1),
        unique=unique,
        hidden=described.get("hidden") is True,
        calculated=field_type == "calculation_equation",
        form_field=described.get("formField", kind is not TASKS) is True,
        hint=_hint(described),
        created_ms=at,
        updated_ms=at,
    )


def _check_pair(type_: str, field_type: str) -> None:
    if type_ not in PAIRS:
        raise invalid(f"Invalid property type '{type_}'; must be one of [{', '.join(PAIRS)}]")
    if field_type not in PAIRS[type_]:
        raise invalid(f"Property field type '{field_type}' is not valid for type '{type_}'")


def _check_unique(portal: Portal, kind: Kind, schema: Schema, name: str, type_: str) -> None:
    if kind is TASKS and not portal.options.task_unique:
        raise invalid("Properties of TASK objects cannot have unique values")
    if type_ not in ("string", "number"):
        raise invalid(f"A property of type '{type_}' cannot have unique values")
    if len([held for held in schema.unique_names() if held != name]) >= MAX_UNIQUE:
        raise invalid(f"The limit of {MAX_UNIQUE} unique value properties for {kind.type_id} has been reached")


def _known_group(schema: Schema, name: str) -> str:
    if name not in schema.groups:
        raise invalid(f"Property group '{name}' does not exist")
    return name


def order_of(described: Mapping[str, Any], usual: int) -> int:
    """The ``displayOrder``; -1 leaves the order to HubSpot. Raises `RequestRejected`."""
    return (
        usual
        if str(described.get("displayOrder", "")) == "-1"
        else integer(described.get("displayOrder"), "displayOrder", usual)
    )


def _options(type_: str, described: Mapping[str, Any]) -> tuple[JsonObject, ...]:
    listed = objects(described, "options")
    if type_ not in ("enumeration", "bool"):
        return ()
    for option in listed:
        require(option, ("label", "value"))
        order_of(option, 0)
    options = tuple(option_of(option, place) for place, option in enumerate(listed))
    values = [option["value"] for option in options]
    if len(set(values)) < len(values):
        raise invalid("Property option values must be unique")
    if type_ == "bool":
        if sorted(values) != ["false", "true"]:
            message = "Boolean properties must have exactly two options: true and false"
            detail = {"message": message, "code": "INVALID_BOOLEAN_OPTION"}
            raise invalid(message, errors=[detail])
        return options or TRUE_FALSE
    return options


def _hint(described: Mapping[str, Any]) -> str | None:
    hint = text(described, "numberDisplayHint") or None
    if hint is not None and hint not in HINTS:
        raise invalid(f"Invalid numberDisplayHint '{hint}'; must be one of [{', '.join(sorted(HINTS))}]")
    return hint


def require(body: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Raise `RequestRejected` when a body lacks one of ``names``."""
    if missing := [name for name in names if not text(body, name)]:
        raise not_set(missing)


def _found(call: Call, archived: bool) -> Property:
    found = call.schema(call.kind()).properties.get(call.params["name"])
    if found is None or found.archived != archived or not _readable(call, found):
        raise not_found(_no_such(call.params["name"]))
    return found


def _readable(call: Call, definition: Property) -> bool:
    """Whether the option ``property_lag`` has passed since the creation."""
    return definition.created_ms + call.portal.options.property_lag * 1000 <= call.at_ms


def _no_such(name: str) -> str:
    return f"Property {name} does not exist"


def _archive(call: Call, definition: Property) -> None:
    if definition.defined_by_hubspot:
        raise invalid(f"Property {definition.name} is defined by HubSpot and cannot be archived")
    call.schema(call.kind()).archive(definition.name, call.at_ms)
    call.store(call.kind()).forget_index(definition.name)


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    """A definition with booleans in place of ``"true"`` and ``"false"``."""
    words = {"true": True, "false": False}
    flags = ("hasUniqueValue", "hidden", "formField")
    return {
        name: words.get(value, False) if name in flags and isinstance(value, str) else value
        for name, value in body.items()
    }
