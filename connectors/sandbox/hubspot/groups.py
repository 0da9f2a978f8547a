"""Calls on the groups of property definitions."""

from __future__ import annotations

from connectors.sandbox.hubspot.call import Call, HttpResponse
from connectors.sandbox.hubspot.definitions import order_of, require
from connectors.sandbox.hubspot.errors import invalid, not_found, rejected
from connectors.sandbox.hubspot.request_body import text
from connectors.sandbox.hubspot.schema import Group


def list_groups(call: Call) -> HttpResponse:
    """200 with every group."""
    return 200, {"results": [group.to_json() for group in call.schema(call.kind()).groups.values()]}


def get_group(call: Call) -> HttpResponse:
    """200 with the group."""
    group = call.schema(call.kind()).groups.get(call.params["name"])
    if group is None:
        raise not_found(f"Property group {call.params['name']} does not exist")
    return 200, group.to_json()


def create_group(call: Call) -> HttpResponse:
    """201 with the group."""
    body, schema = call.body(), call.schema(call.kind())
    require(body, ("name", "label"))
    group = Group(text(body, "name"), text(body, "label"), order_of(body, -1))
    if group.name in schema.groups:
        raise rejected(409, "OBJECT_ALREADY_EXISTS", f"A property group named '{group.name}' already exists.")
    schema.put_group(group)
    return 201, group.to_json()


def patch_group(call: Call) -> HttpResponse:
    """200 with the group."""
    get_group(call)
    body, schema = call.body(), call.schema(call.kind())
    known = schema.groups[call.params["name"]]
    group = Group(known.name, text(body, "label") or known.label, order_of(body, known.display_order))
    schema.put_group(group)
    return 200, group.to_json()


def delete_group(call: Call) -> HttpResponse:
    """204; 400 while a property is in it."""
    get_group(call)
    schema, name = call.schema(call.kind()), call.params["name"]
    if any(definition.group == name for definition in schema.listed(archived=False)):
        raise invalid(f"Property group {name} cannot be deleted because it has properties")
    schema.drop_group(name)
    return 204, None
