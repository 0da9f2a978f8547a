"""Functions that build the fields of the standard objects (`salesforce.objects`)."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.salesforce.schema import Field, Option, words

SYSTEM: dict[str, Any] = {"createable": False, "updateable": False}


def field(name: str, type: str, **more: Any) -> Field:
    """A field of any type."""
    return Field(name=name, type=type, label=more.pop("label", None) or words(name), **more)


def text(name: str, length: int = 255, **more: Any) -> Field:
    """A line of text."""
    return field(name, "string", length=length, **more)


def area(name: str, length: int = 32000, **more: Any) -> Field:
    """A text area; above 255 characters it cannot be filtered."""
    return field(name, "textarea", length=length, **more)


def email(name: str = "Email", **more: Any) -> Field:
    """An e-mail address."""
    return field(name, "email", length=80, **more)


def phone(name: str) -> Field:
    """A phone number."""
    return field(name, "phone", length=40)


def picklist(name: str, values: str, default: str | None = None, **more: Any) -> Field:
    """A picklist of ``values`` separated by ``|``."""
    options = tuple(Option(value, default=value == default) for value in values.split("|"))
    given = {"length": 255, "defaulted": default is not None, "default": default, "options": options, **more}
    return field(name, given.pop("type", "picklist"), **given)


def checkbox(name: str, **more: Any) -> Field:
    """A checkbox, false unless set."""
    return field(name, "boolean", **{"nillable": False, "defaulted": True, "default": False, **more})


def number(name: str, precision: int = 18, scale: int = 0, **more: Any) -> Field:
    """A number with its total digits and the digits after the point."""
    return field(name, more.pop("type", "double"), precision=precision, scale=scale, **more)


def integer(name: str, **more: Any) -> Field:
    """A whole number."""
    return field(name, "int", precision=8, **more)


def date(name: str, **more: Any) -> Field:
    """A date."""
    return field(name, "date", **more)


def datetime(name: str, **more: Any) -> Field:
    """A date with time."""
    return field(name, "datetime", **more)


def ref(name: str, *targets: str, relationship: str | None = None, **more: Any) -> Field:
    """A reference to a record of one of the ``targets``."""
    known = relationship or (name[:-2] if name.endswith("Id") else None)
    return field(name, "reference", length=18, reference_to=targets, relationship=known, **more)


def address(prefix: str) -> list[Field]:
    """The five lines of a postal address."""
    return [
        area(f"{prefix}Street", 255),
        text(f"{prefix}City", 40),
        text(f"{prefix}State", 80, label=f"{words(prefix)} State/Province"),
        text(f"{prefix}PostalCode", 20, label=f"{words(prefix)} Zip/Postal Code"),
        text(f"{prefix}Country", 80),
    ]


def system(label: str) -> list[Field]:
    """The system fields of every object."""
    read_only: dict[str, Any] = {**SYSTEM, "nillable": False, "defaulted": True}
    return [
        field("Id", "id", label=f"{label} ID", length=18, id_lookup=True, **read_only),
        field("IsDeleted", "boolean", label="Deleted", default=False, **read_only),
        datetime("CreatedDate", **read_only),
        ref("CreatedById", "User", **read_only),
        datetime("LastModifiedDate", **read_only),
        ref("LastModifiedById", "User", **read_only),
        datetime("SystemModstamp", label="System Modstamp", **read_only),
    ]


def owner(*targets: str) -> Field:
    """The owner of the record."""
    return ref("OwnerId", *(targets or ("User",)), label="Owner ID", nillable=False, defaulted=True)


def key(name: str) -> Field:
    """A unique external id."""
    return text(name, 80, external_id=True, unique=True, id_lookup=True, custom=True)


def changes(of: str) -> list[Field]:
    """The fields of the object with the history of another's fields."""
    values = [field(name, "anyType", length=255, **SYSTEM) for name in ("OldValue", "NewValue")]
    return [ref(f"{of}Id", of, **SYSTEM), text("Field", 255, **SYSTEM), *values]
