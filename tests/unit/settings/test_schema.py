"""The JSON Schemas that editors use say what the models say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from worker.settings.schema import schemas
from worker.settings.shipped import shipped_files
from worker.settings.yaml_document import load_document

NAMES = ("product", "signals", "scores", "crm", "schedule", "alerts", "playbook")


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for inner in node.values():
            yield from nodes(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from nodes(inner)


def test_every_file_has_a_schema_that_is_plain_json() -> None:
    made = schemas()
    assert tuple(made) == NAMES
    for name, schema in made.items():
        assert json.loads(json.dumps(schema)) == schema
        assert schema["additionalProperties"] is False
        assert schema["title"] == f"plgsync {name}.yaml"


@pytest.mark.parametrize("name", NAMES)
def test_every_reference_leads_somewhere(name: str) -> None:
    schema = schemas()[name]
    for node in nodes(schema):
        if "$ref" in node:
            assert node["$ref"].removeprefix("#/$defs/") in schema["$defs"]


def test_a_condition_is_a_text_or_a_tree() -> None:
    schema = schemas()["playbook"]
    assert schema["$defs"]["When"]["properties"]["enters"]["$ref"] == "#/$defs/condition"
    forms = schema["$defs"]["condition"]["anyOf"]
    assert [next(iter(form.get("properties", {"text": 0}))) for form in forms] == ["text", "all", "any", "not", "if"]
    assert not [node for node in nodes(schema) if "$comment" in node]


def test_keys_have_the_names_that_stand_in_the_files() -> None:
    made = schemas()
    assert "from" in made["crm"]["$defs"]["CrmField"]["properties"]
    assert "for" in made["playbook"]["$defs"]["When"]["properties"]


def test_defaults_are_shown_as_an_author_writes_them() -> None:
    holds = [
        d["properties"]["hold"] for d in schemas()["scores"]["$defs"].values() if "hold" in d.get("properties", {})
    ]
    assert [hold["default"] for hold in holds] == ["2 runs", "1d"]


@pytest.mark.parametrize("name", NAMES[:-1])
def test_the_shipped_files_use_only_what_the_schema_knows(name: str) -> None:
    data = load_document(shipped_files() / "config" / f"{name}.yaml").data
    assert set(data) <= set(schemas()[name]["properties"])
