"""Creates the properties that this project needs, then reads them back, because HubSpot ignores some flags.

HubSpot answers a PATCH of ``hasUniqueValue`` with 200 and changes nothing. So setup reads what it created, and reports
what is wrong with the clicks that a person needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from connectors.base import AccessDenied, Destination, FieldNeed, FieldSpec, SetupStep
from connectors.hubspot import errors
from connectors.hubspot.client import Client
from connectors.hubspot.describe import NEVER_UNIQUE, TASKS, Schema, field_spec, properties
from connectors.hubspot.task_keys import PROMISES
from connectors.hubspot.transport import NoAnswer

GROUP = "plgsync"
READABLE_AFTER_S = 0.5
READ_ATTEMPTS = 6

_SHAPES: Mapping[str, tuple[str, str]] = {
    "string": ("string", "text"),
    "number": ("number", "number"),
    "bool": ("bool", "booleancheckbox"),
    "date": ("date", "date"),
    "datetime": ("datetime", "date"),
    "enum": ("enumeration", "select"),
}


def setup(
    client: Client,
    schema: Schema,
    destination: Destination,
    needs: Sequence[FieldNeed],
    dry_run: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> list[SetupStep]:
    """The state of each need, in order; creates what is missing unless ``dry_run``. Safe to repeat."""
    schema.forget()
    described = {name: properties(client, name) for name in {_object(destination, need) for need in needs}}
    specs = {name: {spec.name: spec for spec in map(field_spec, found)} for name, found in described.items()}
    groups: dict[str, str] = {}
    steps = []
    for need in needs:
        owner = _object(destination, need)
        if need.name in specs[owner]:
            steps.append(_compare(need, owner, specs[owner][need.name], "exists"))
        elif dry_run:
            steps.append(SetupStep(need, "would_create", f"{owner}.{need.name}"))
        else:
            if owner not in groups:
                groups[owner] = _group(client, owner, described[owner])
            steps.append(_create(client, owner, groups[owner], need, sleep))
    schema.forget()
    return steps


def _object(destination: Destination, need: FieldNeed) -> str:
    return destination.object if need.object == "account" else TASKS


def _group(client: Client, object: str, described: Sequence[Mapping[str, Any]]) -> str:
    """A property group of our own; where HubSpot rejects it, the group of the object's first property."""
    if any(one.get("groupName") == GROUP for one in described):
        return GROUP
    try:
        answer = client.write("POST", f"{client.paths.properties}/{object}/groups", {"name": GROUP, "label": GROUP})
    except (AccessDenied, NoAnswer):
        answer = None
    if answer is not None and (answer.ok or answer.status == 409):
        return GROUP
    return str(described[0].get("groupName") or GROUP) if described else GROUP


def _create(client: Client, object: str, group: str, need: FieldNeed, sleep: Callable[[float], None]) -> SetupStep:
    problem = _post(client, object, _body(need, group))
    if problem and need.unique and object == TASKS:
        # Whether a portal allows unique properties on tasks shows only here; a plain one is second best (`task_keys`).
        problem = _post(client, object, _body(replace(need, unique=False), group))
    if problem:
        return SetupStep(need, "todo", f"{problem}; {_click(need, object)}")
    spec = _read(client, object, need.name, sleep)
    if spec is None:
        return SetupStep(
            need, "todo", f"created, but HubSpot does not show it yet: run again; or {_click(need, object)}"
        )
    return _compare(need, object, spec, "created")


def _post(client: Client, object: str, body: Mapping[str, object]) -> str:
    """Why HubSpot rejects a property; empty when it created it, or may have: reading it shows which."""
    try:
        answer = client.write("POST", f"{client.paths.properties}/{object}", body)
    except AccessDenied as denied:
        return str(denied)
    except NoAnswer:
        return ""
    return "" if answer.ok or answer.status == 409 else errors.rejection(answer.body).reason


def _read(client: Client, object: str, name: str, sleep: Callable[[float], None]) -> FieldSpec | None:
    """A property just created; HubSpot shows it within a second."""
    for attempt in range(READ_ATTEMPTS):
        if attempt:
            sleep(READABLE_AFTER_S)
        answer = client.read("GET", f"{client.paths.properties}/{object}/{name}")
        if answer.ok:
            return field_spec(answer.body)
    return None


def _body(need: FieldNeed, group: str) -> dict[str, object]:
    type_, field_type = _SHAPES[need.type]
    body: dict[str, object] = {
        "name": need.name,
        "label": need.label,
        "type": type_,
        "fieldType": field_type,
        "groupName": group,
        "description": need.description,
        "hasUniqueValue": need.unique,
    }
    if need.type == "bool":
        body["options"] = [
            _option(value, label, i) for i, (value, label) in enumerate((("true", "Yes"), ("false", "No")))
        ]
    elif need.type == "enum":
        body["options"] = [_option(value, value, i) for i, value in enumerate(need.options)]
    return body


def _option(value: str, label: str, order: int) -> dict[str, object]:
    return {"value": value, "label": label, "displayOrder": order, "hidden": False}


def _compare(need: FieldNeed, object: str, spec: FieldSpec, right: Literal["exists", "created"]) -> SetupStep:
    wrong = []
    if spec.type != need.type:
        wrong.append(f"it is of type {spec.type}, not {need.type}: archive it in HubSpot and run again")
    if need.unique and not spec.unique and object != TASKS:
        wrong.append(f"it does not keep values unique: {NEVER_UNIQUE}")
    missing = [option for option in need.options if option not in spec.options]
    if missing and spec.type == need.type:
        wrong.append(f"add the options {', '.join(missing)} to it")
    if not spec.writable:
        wrong.append("it is read only")
    where = f"{object}.{need.name}"
    if wrong:
        return SetupStep(need, "wrong", f"{where}: {'; '.join(wrong)}")
    if need.unique and not spec.unique:
        return SetupStep(need, right, PROMISES["looked_for"].format(key=need.name))
    return SetupStep(need, right, where)


def _click(need: FieldNeed, object: str) -> str:
    unique = ", with 'Require unique values for this property'" if need.unique else ""
    return (
        f"Settings > Properties > {object} > Create property: internal name {need.name}, "
        f"type {_SHAPES[need.type][0]}{unique}"
    )
