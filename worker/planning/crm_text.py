"""What comes from outside goes into a CRM as data: it commands no terminal and is no formula in an export."""

from __future__ import annotations

from connectors.base import FieldSpec
from connectors.base.values import not_a_formula, stored_text
from worker.language.values import Value


def as_data(spec: FieldSpec, value: Value) -> Value:
    """A value for a CRM field. Options and unique texts, by which records are found, stay as they are."""
    free = spec.type == "string" and not spec.unique
    return not_a_formula(stored_text(value)) if isinstance(value, str) and free else value
