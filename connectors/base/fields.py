"""Fields of a CRM: their values, their description by the CRM, our needs, and the result of setup."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scalar = str | int | float | bool | None
"""A value as it travels and is stored: dates are ``YYYY-MM-DD``, datetimes ``YYYY-MM-DDTHH:MM:SSZ``."""

ObjectKind = Literal["account", "task"]
"""Our two kinds of CRM object; the connector knows the CRM's name of each."""

FieldType = Literal["string", "number", "bool", "date", "datetime", "enum", "multi_enum", "reference", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One CRM field as the CRM describes it. ``length`` in characters, ``scale`` in decimal places."""

    name: str
    type: FieldType
    label: str = ""
    writable: bool = True
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    options: tuple[str, ...] = ()
    restricted: bool = False
    unique: bool = False
    nillable: bool = True
    zone: str = "UTC"
    """Of a date or datetime: the time zone of the CRM's days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldNeed:
    """One CRM field this project needs."""

    object: ObjectKind
    name: str
    label: str
    type: Literal["string", "number", "bool", "date", "datetime", "enum"]
    description: str = ""
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    options: tuple[str, ...] = ()
    unique: bool = False


@dataclass(frozen=True, slots=True)
class SetupStep:
    """What setup did or would do for one field. ``todo`` is for a person; ``detail`` says what to click."""

    need: FieldNeed
    status: Literal["exists", "created", "would_create", "todo", "wrong"]
    detail: str = ""
