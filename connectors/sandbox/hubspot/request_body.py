"""Reads the fields of a request body; a field of the wrong type rejects the whole call with 400."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from connectors.sandbox.hubspot.errors import JsonObject, RequestRejected, invalid, invalid_json


def text_of(value: Any) -> str | None:
    """A JSON scalar as HubSpot's text for it; None for null, lists and objects."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def text(body: Mapping[str, Any], name: str) -> str:
    """A scalar in a body as text; empty when absent. Raises `RequestRejected` for lists and objects."""
    value = body.get(name)
    if value.__class__ is str:
        return value
    found = "" if value is None else text_of(value)
    if found is None:
        raise _not_a("java.lang.String", name)
    return found


def integer(value: Any, name: str, usual: int) -> int:
    """A whole number, not negative, in JSON or text; ``usual`` when absent. Raises `RequestRejected`."""
    if value is None:
        return usual
    if value.__class__ is int and value >= 0:
        return int(value)
    if not isinstance(value, str) or not value.isascii() or not value.isdecimal():
        raise _not_a("java.lang.Integer", name)
    return int(value)


def objects(body: Mapping[str, Any], name: str) -> list[JsonObject]:
    """A list of objects in a body; empty when absent. Raises `RequestRejected`."""
    listed = body.get(name) or []
    if not isinstance(listed, list) or any(not isinstance(item, dict) for item in listed):
        raise _not_a("java.util.ArrayList", name)
    return listed


def an_object(body: Mapping[str, Any], name: str) -> JsonObject:
    """An object in a body. Raises `RequestRejected` when it is absent or something else."""
    if body.get(name) is None:
        raise not_set([name])
    found = body[name]
    if not isinstance(found, dict):
        raise _not_a("java.util.LinkedHashMap", name)
    return found


def not_set(names: list[str]) -> RequestRejected:
    """400 for a body that lacks something."""
    return invalid(f"Invalid input JSON on line 1, column 2. Some required fields were not set: [{', '.join(names)}]")


def texts(body: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts in a body; empty when absent. Raises `RequestRejected`."""
    listed = body.get(name) or []
    if not isinstance(listed, list) or any(text_of(value) is None for value in listed):
        raise _not_a("java.util.ArrayList", name)
    return [str(text_of(value)) for value in listed]


def inputs_of(body: Mapping[str, Any], most: int) -> list[JsonObject]:
    """The ``inputs`` of a batch; empty when absent. Raises `RequestRejected` for too many or for no objects."""
    inputs = objects(body, "inputs")
    if len(inputs) > most:
        raise invalid(f"The maximum number of inputs supported in a batch request is {most}. Received {len(inputs)}.")
    return inputs


def properties_of(item: Mapping[str, Any], raw: bytes) -> dict[str, str]:
    """The ``properties`` of one record to write, as text. Raises `RequestRejected` for null, lists and objects."""
    properties = an_object(item, "properties")
    for name, value in properties.items():
        if value.__class__ is not str:
            properties[name] = _scalar(name, value, raw)
    return properties


def _scalar(name: str, value: Any, raw: bytes) -> str:
    found = text_of(value)
    if found is not None:
        return found
    token, java = ("VALUE_NULL", "Null") if value is None else ("START_ARRAY", "Array")
    if isinstance(value, dict):
        token, java = "START_OBJECT", "Object"
    place = re.search(re.escape(json.dumps(name)).encode() + rb"\s*:\s*(null|\[|\{)", raw)
    column = place.start(1) + 1 if place else 1
    raise invalid_json(
        column, f"Cannot deserialize value of type `java.lang.String` from {java} value (token `JsonToken.{token}`)"
    )


def _not_a(java: str, name: str) -> RequestRejected:
    return invalid_json(2, f"Cannot deserialize value of type `{java}` for {name}")
