"""Custom objects such as ``Subscription__c``; only a seed creates them, no API of the sandbox does.

::

    {"FullName": "Subscription__c", "label": "Subscription", "pluralLabel": "Subscriptions"}

Each has a Name, an owner and the system fields; its other fields are custom fields of the seed. Tasks may be
related to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.sandbox.core.control import ControlError
from connectors.sandbox.salesforce.catalogue import ACTIVITIES
from connectors.sandbox.salesforce.field_kinds import owner, system, text
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import ObjectType

_FULL_NAME = re.compile(r"[A-Za-z]\w*__c\Z")


def add_custom_object(org: Org, given: Mapping[str, Any]) -> ObjectType:
    """Add an object to the org. Raises `ControlError`."""
    name, label = given.get("FullName"), given.get("label")
    if not isinstance(name, str) or not _FULL_NAME.match(name) or not isinstance(label, str) or not label:
        raise ControlError(f"seed: a custom object needs FullName (ending in __c) and label: {dict(given)}")
    if org.catalogue.find(name):
        raise ControlError(f"seed: there is an object {name} already")
    named = text("Name", 80, label=f"{label} Name", name_field=True, nillable=False)
    fields = {one.name: one for one in [*system(label), named, owner("User", "Group")]}
    prefix = f"a{len(custom_objects(org)):02}"
    plural = str(given.get("pluralLabel") or f"{label}s")
    kind = ObjectType(name=name, prefix=prefix, label=label, plural=plural, fields=fields, custom=True)
    org.add_object(kind)
    for activity in ACTIVITIES:
        what = org.catalogue.types[activity].fields["WhatId"]
        org.catalogue.put(activity, replace(what, reference_to=(*what.reference_to, name)))
    return kind


def custom_objects(org: Org) -> list[dict[str, str]]:
    """The custom objects of an org, in order, in the form of `add_custom_object`."""
    return [
        {"FullName": one.name, "label": one.label, "pluralLabel": one.plural}
        for one in org.catalogue.types.values()
        if one.custom
    ]
