"""Fields of a CRM: their values, what a CRM says of them, what we need and what setup made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scalar = str | int | float | bool | None
"""A value as it travels and is stored: dates are ``YYYY-MM-DD``, datetimes ``YYYY-MM-DDTHH:MM:SSZ``."""

FieldType = Literal["string", "number", "bool", "date", "datetime", "enum", "multi_enum", "reference", "other"]


@dataclass(frozen=True, slots=True)
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
    """Of a date or datetime: the time zone in which the CRM's people have their days."""


@dataclass(frozen=True, slots=True)
class FieldNeed:
    """One CRM field this project needs; ``object`` is ``account`` or ``task``, resolved by the connector."""

    object: Literal["account", "task"]
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
    """What setup did or would do about one field. ``todo`` is for a person; ``detail`` says what to click."""

    need: FieldNeed
    status: Literal["exists", "created", "would_create", "todo", "wrong"]
    detail: str = ""
