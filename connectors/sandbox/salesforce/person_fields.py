"""The fields that person accounts add to accounts, contacts and leads, and their names on both sides.

The account of a person shows the contact's fields: ``Email`` as ``PersonEmail``, a custom ``X__c`` as ``X__pc``.
https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_account.htm
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from connectors.sandbox.salesforce.field_kinds import SYSTEM, checkbox, ref
from connectors.sandbox.salesforce.schema import Field, ObjectType

SAME_NAME = ("LastName", "FirstName", "Salutation")
PREFIXED = ("Email", "Title", "Department", "MobilePhone", "LeadSource", "MailingStreet", "MailingCity",
             "MailingState", "MailingPostalCode", "MailingCountry")  # fmt: skip
FLAG = "IsPersonAccount"


def are_on(types: Mapping[str, ObjectType]) -> bool:
    """Whether the org has person accounts."""
    return FLAG in types["Account"].fields


def turn_on(types: Mapping[str, ObjectType]) -> list[tuple[str, Field]]:
    """The fields that person accounts add to an org, each with its object. They cannot be turned off again."""
    contact = types["Contact"].fields
    flag = checkbox(FLAG, label="Is Person Account", **SYSTEM)
    made = [("Account", flag), ("Contact", flag), ("Account", ref("PersonContactId", "Contact", **SYSTEM))]
    made += [("Account", replace(contact[name], nillable=True)) for name in SAME_NAME]
    made += [("Account", _shown_on_account(contact[name], f"Person{name}")) for name in PREFIXED]
    made += [("Account", on_account(one)) for one in contact.values() if one.custom]
    # A person has no company name, nor has a lead that converts to a person.
    made.append(("Account", replace(types["Account"].fields["Name"], defaulted=True)))
    made.append(("Lead", replace(types["Lead"].fields["Company"], nillable=True)))
    return made


def on_account(field: Field) -> Field:
    """A custom field of contacts as it appears on person accounts: ``X__c`` as ``X__pc``."""
    return _shown_on_account(field, account_field(field.name))


def account_field(name: str) -> str:
    """The account's name of a contact's ``X__c``."""
    return name.removesuffix("__c") + "__pc"


def contact_field(name: str) -> str:
    """The contact's name of an account's ``X__pc``; empty for any other field."""
    return name.removesuffix("__pc") + "__c" if name.endswith("__pc") else ""


def _shown_on_account(field: Field, name: str) -> Field:
    return replace(field, name=name, unique=False, external_id=False, id_lookup=name == "PersonEmail", nillable=True)
