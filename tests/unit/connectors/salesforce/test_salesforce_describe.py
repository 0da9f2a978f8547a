"""What a describe says of a field, and the words an org uses for a closed task."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.base import FieldSpec
from connectors.salesforce.describe import field_spec
from connectors.salesforce.tasks import TaskWriter
from tests.conftest import SHARED

RECORDED = SHARED / "crm" / "recorded" / "salesforce.json"
PLAIN: dict[str, Any] = {"name": "F__c", "label": "F", "type": "string", "updateable": True, "length": 16}


def spec(**changes: Any) -> FieldSpec:
    return field_spec({**PLAIN, **changes})


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers are not here")
def test_the_recorded_id_field_is_a_reference_nobody_writes() -> None:
    [describe] = [one for one in json.loads(RECORDED.read_text()) if one["note"] == "('describe',)"]
    got = field_spec(describe["response"]["body"]["fields[0]"])
    assert (got.name, got.type, got.length, got.writable, got.nillable) == ("Id", "reference", 18, False, False)


def test_a_formula_is_never_writable() -> None:
    assert spec().writable
    assert not spec(calculated=True).writable
    assert not spec(updateable=False).writable


def test_retired_picklist_values_are_no_options() -> None:
    values = [{"value": "Old", "active": False}, {"value": "New", "active": True}]
    got = spec(type="picklist", picklistValues=values, restrictedPicklist=True)
    assert (got.type, got.options, got.restricted, got.length) == ("enum", ("New",), True, None)


@pytest.mark.parametrize(
    ("described", "precision", "scale"),
    [
        ({"type": "double", "precision": 3, "scale": 0}, 3, 0),
        ({"type": "currency", "precision": 18, "scale": 2}, 18, 2),
        ({"type": "int", "digits": 8, "precision": 0, "scale": 0}, 8, 0),
        ({"type": "double", "precision": 0, "scale": 3}, None, 3),
    ],
)
def test_numbers_keep_their_precision(described: Any, precision: Any, scale: Any) -> None:
    got = spec(**described)
    assert (got.type, got.precision, got.scale, got.length) == ("number", precision, scale, None)


@pytest.mark.parametrize(
    ("kind", "expected"), [("multipicklist", "multi_enum"), ("textarea", "string"), ("address", "other")]
)
def test_types_in_our_words(kind: str, expected: Any) -> None:
    assert spec(type=kind).type == expected


class Words:
    """A describe and a query that know only the words for a task's status."""

    def __init__(self, *options: str) -> None:
        self.options = options

    def fields(self, _object: str) -> dict[str, FieldSpec]:
        return {"Status": FieldSpec(name="Status", type="enum", options=self.options)}

    def rows(self, soql: str) -> list[dict[str, str]]:
        assert "FROM TaskStatus" in soql
        return [{"ApiName": "Erledigt"}]


@pytest.mark.parametrize(
    ("options", "word"), [(("Not Started", "Completed"), "Completed"), (("Offen", "Erledigt"), "Erledigt")]
)
def test_a_task_is_closed_in_the_orgs_own_word(options: Any, word: str) -> None:
    words = Words(*options)
    assert TaskWriter(words, words, "K__c")._closing_status() == word  # type: ignore[arg-type]
