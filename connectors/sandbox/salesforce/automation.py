"""Automation that an admin configured: validation rules reject a record, flows set one of its fields on every save."""

from __future__ import annotations

from connectors.sandbox.salesforce.errors import RequestRejected
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.schema import ObjectType
from connectors.sandbox.salesforce.soql import parse_condition
from connectors.sandbox.salesforce.soql_run import compile_condition
from connectors.sandbox.salesforce.table import Record


def check_rules(org: Org, kind: ObjectType, record: Record) -> None:
    """Raise `RequestRejected` with the rule's own message when a rule's condition holds."""
    for rule in org.options.validation_rules:
        if rule["object"] != kind.name:
            continue
        holds = compile_condition(org, kind, parse_condition(rule["when"]))
        if holds(record):
            fields = (rule["field"],) if rule.get("field") else ()
            raise RequestRejected("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule["message"], fields)


def run_flows(org: Org, kind: ObjectType, record: Record) -> None:
    """Set the field of every flow of this object in ``record``."""
    for flow in org.options.flows:
        if flow["object"] == kind.name:
            record[flow["field"]] = flow["value"]
