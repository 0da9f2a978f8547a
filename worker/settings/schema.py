"""JSON Schemas of the YAML files, made from the models, so that editors complete and check while typing."""

from __future__ import annotations

import ast
import inspect
from datetime import timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind
from pydantic_core import PydanticSerializationError
from pydantic_core.core_schema import ModelSchema

from worker.language.units import Duration
from worker.settings.base import CONDITION_SCHEMA
from worker.settings.playbook import Playbook
from worker.settings.project import CONFIG

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CONDITION_REF = {"$ref": "#/$defs/condition"}
_CONDITIONS: dict[str, Any] = {
    "description": "One test as text, or all / any / not around others.",
    "anyOf": [
        {"type": "string", "examples": ["health.score < 40", "plan in [free, trial]", "count(Signed In, 7d) >= 1"]},
        *(
            {
                "type": "object",
                "properties": {word: {"type": "array", "items": _CONDITION_REF, "minItems": 1}},
                "required": [word],
                "additionalProperties": False,
            }
            for word in ("all", "any")
        ),
        {"type": "object", "properties": {"not": _CONDITION_REF}, "required": ["not"], "additionalProperties": False},
        {
            "type": "object",
            "properties": {"if": {"type": "string"}, "when_missing": {"type": "boolean"}},
            "required": ["if", "when_missing"],
            "additionalProperties": False,
        },
    ],
}


class _Generator(GenerateJsonSchema):
    """Shows defaults as their author would write them; those that are whole blocks are left out."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"non-serializable-default", "skipped-choice"}  # noqa: RUF012 - as its base class declares it

    def model_schema(self, schema: ModelSchema) -> dict[str, Any]:
        """A model, each field with the text that stands below it."""
        made = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        for name, meaning in _meanings(model).items():
            made["properties"][name.removesuffix("_")]["description"] = meaning  # from_ stands for "from"
        return made

    def encode_default(self, dft: Any) -> Any:
        """A default as YAML text or number."""
        if isinstance(dft, Duration):
            return str(dft)
        if isinstance(dft, timedelta):
            return f"{dft.days}d"
        if isinstance(dft, str | int | float | None) or not dft:
            return super().encode_default(dft)
        raise PydanticSerializationError("a block has no short form")


def schemas() -> dict[str, dict[str, Any]]:
    """By name (product, signals, scores, crm, schedule, alerts, playbook): the JSON Schema of that YAML file."""
    models = {name: model for name, (model, _) in CONFIG.items()} | {"playbook": Playbook}
    return {name: schema_of(name, model) for name, model in models.items()}


def schema_of(name: str, model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of one YAML file."""
    made = _with_conditions(model.model_json_schema(by_alias=True, schema_generator=_Generator))
    if _CONDITION_REF["$ref"] in repr(made):
        made.setdefault("$defs", {})["condition"] = _CONDITIONS
    return {"$schema": _DIALECT, **made, "title": f"plgsync {name}.yaml"}


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """The descriptions in the source of the fields of a model, and of its base models."""
    bases = [base for base in reversed(model.__mro__) if issubclass(base, BaseModel) and base is not BaseModel]
    texts = {name: text for base in bases for name, text in _texts_in(inspect.getsourcefile(base), base.__name__)}
    return {name: text for name, text in texts.items() if name in model.model_fields}


@cache
def _texts_in(file: str | None, model: str) -> tuple[tuple[str, str], ...]:
    found = (node for node in _classes_in(file or "") if node.name == model)
    return tuple(
        (field.target.id, inspect.cleandoc(below.value.value))
        for node in found
        for field, below in pairwise(node.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    )


@cache
def _classes_in(file: str) -> tuple[ast.ClassDef, ...]:
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return tuple(node for node in tree.body if isinstance(node, ast.ClassDef))


def _with_conditions(node: Any) -> Any:
    if isinstance(node, dict):
        if node.get("$comment") == CONDITION_SCHEMA["$comment"]:
            return {key: value for key, value in node.items() if key not in CONDITION_SCHEMA} | _CONDITION_REF
        return {key: _with_conditions(inner) for key, inner in node.items()}
    if isinstance(node, list):
        return [_with_conditions(inner) for inner in node]
    return node
