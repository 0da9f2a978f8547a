"""One CRM field of ours: where its value comes from and what kind of field holds it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from connectors.base import FieldNeed, FieldSpec
from worker.settings.base import Strict

FieldKind = Literal["string", "number", "bool", "date", "datetime", "enum"]
WriteMode = Literal["always", "if_empty", "if_ours"]
Combine = Literal["worst", "best", "top", "any", "all", "sum", "lowest", "highest", "earliest", "latest"]

_ID_LENGTH = 64
_TEXT_LENGTH = 255
_NUMBER_DIGITS = 18
_LIFECYCLE_STAGE = "lifecyclestage"


class CrmField(Strict):
    """A CRM field that this program writes."""

    field: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    """Its name in the CRM (Salesforce: the API name, such as ``Health_Score__c``)."""
    from_: str | None = Field(default=None, alias="from")
    """What fills it. Left out: playbooks do, with ``set_fields``."""
    null: Literal["clear", "keep"] = "clear"
    """When the value is not known: empty the CRM field, or leave what it holds."""
    write: WriteMode = "always"
    """always: also over what a person put there; if_empty: only while the CRM field is empty; if_ours: not where a
    person changed it since our last write."""
    combine: Combine | None = None
    """With ``record: parent``, how the values of a company's accounts become one."""
    type: FieldKind = "string"
    """The kind of field that ``crm setup`` creates."""
    label: str | None = None
    """What people read in the CRM. Left out: our name in words."""
    description: str = ""
    """What ``crm setup`` writes beside the field for people in the CRM."""
    length: Annotated[int, Field(ge=1, le=255)] | None = None
    """Of a text, in characters."""
    precision: Annotated[int, Field(ge=1, le=18)] | None = None
    """Of a number: digits in all."""
    scale: Annotated[int, Field(ge=0, le=8)] | None = None
    """Of a number: digits behind the point."""
    options: tuple[str, ...] = ()
    """Of a choice: its values, in the order people see."""
    forward_only: bool = False
    """Needed for HubSpot's ``lifecyclestage``, which moves forward only: a step back is rejected."""

    @model_validator(mode="after")
    def _fits_its_type(self) -> CrmField:
        if (self.type == "enum") != bool(self.options):
            raise ValueError('"options" and "type: enum" go together')
        if (self.field.lower() == _LIFECYCLE_STAGE) != self.forward_only:
            raise ValueError(
                '"forward_only: true" goes with the field lifecyclestage: HubSpot moves it forward only, and many '
                "teams steer by it. A status of your own, such as plgsync_pql_status, moves both ways"
            )
        if self.forward_only and self.null == "clear":
            raise ValueError('"null: keep" goes with the field lifecyclestage: an unknown value must not empty it')
        if len(set(self.options)) < len(self.options):
            raise ValueError("an option is named twice")
        if self.length is not None and self.type != "string":
            raise ValueError('"length" is for "type: string"')
        if (self.precision is not None or self.scale is not None) and self.type != "number":
            raise ValueError('"precision" and "scale" are for "type: number"')
        if (self.scale or 0) > (self.precision or _NUMBER_DIGITS):
            raise ValueError('"scale" cannot be more than "precision"')
        return self

    def within(self, spec: FieldSpec) -> FieldSpec:
        """The field as the CRM describes it, no wider than these settings; HubSpot knows neither length nor scale."""
        return replace(spec, length=_narrower(spec.length, self.length), scale=_narrower(spec.scale, self.scale))

    def need(self, name: str) -> FieldNeed:
        """What ``crm setup`` has to create for our field ``name``."""
        number = self.type == "number"
        return FieldNeed(
            object="account",
            name=self.field,
            label=self.label or name.replace("_", " ").capitalize(),
            type=self.type,
            description=self.description,
            length=self.length or (_TEXT_LENGTH if self.type == "string" else None),
            precision=self.precision or (_NUMBER_DIGITS if number else None),
            scale=self.scale or (0 if number else None),
            options=self.options,
        )


def _narrower(theirs: int | None, ours: int | None) -> int | None:
    return min((one for one in (theirs, ours) if one is not None), default=None)


def account_id_need(field: str) -> FieldNeed:
    """The unique CRM field that holds our account id."""
    about = "The account's id in the product. Written by plgsync; it finds records by it."
    return FieldNeed(
        object="account",
        name=field,
        label="Plgsync account id",
        type="string",
        description=about,
        length=_ID_LENGTH,
        unique=True,
    )


def task_key_need(field: str) -> FieldNeed:
    """The unique CRM field on tasks that keeps any task from being made twice."""
    about = "Written by plgsync: one key per task, so that none is made twice."
    return FieldNeed(
        object="task", name=field, label="Plgsync key", type="string", description=about, length=_ID_LENGTH, unique=True
    )
