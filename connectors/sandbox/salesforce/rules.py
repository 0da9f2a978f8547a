"""Validation rules an admin configured: a condition that must not be true of a saved record."""

from __future__ import annotations

from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.refusal import Refused
from connectors.sandbox.salesforce.schema import ObjectType
from connectors.sandbox.salesforce.soql import parse_condition
from connectors.sandbox.salesforce.soql_run import compile_condition
from connectors.sandbox.salesforce.table import Record


def check_rules(org: Org, kind: ObjectType, record: Record) -> None:
    """Raise `Refused` with the rule's own message when a rule's condition holds."""
    for rule in org.options.validation_rules:
        if rule["object"] != kind.name:
            continue
        holds = compile_condition(org, kind, parse_condition(rule["when"]))
        if holds(record):
            fields = (rule["field"],) if rule.get("field") else ()
            raise Refused("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule["message"], fields)
