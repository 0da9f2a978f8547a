"""Person accounts: an account that is a person, and the contact that Salesforce maintains with it.

Both records show the same person: the account has the contact's fields as ``PersonEmail``, ``X__pc`` and so on.
A change of one changes both, with the same timestamps. An account created with a last name is a person account,
one created with a name is a company; this never changes.
https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_account.htm
"""

from __future__ import annotations

from collections.abc import Iterable

from connectors.sandbox.salesforce.errors import RequestRejected
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.person_fields import FLAG, PREFIXED, SAME_NAME, are_on, contact_field
from connectors.sandbox.salesforce.table import Journal, Record

_ALIKE = ("Phone", "OwnerId", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp")


def check_names(org: Org, object: str, record: Record, before: Record | None, given: Iterable[str]) -> None:
    """Check that a company has a name, a person a last name, and no fields of the other kind."""
    if object != "Account" or not are_on(org.catalogue.types):
        return
    person = is_person(record, before)
    wanted = "LastName" if person else "Name"
    if record.get(wanted) is None:
        raise RequestRejected("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{wanted}]", (wanted,))
    wrong = [name for name in given if (name == "Name") is person and (name == "Name" or _of_person(name))]
    if wrong:
        message = f"Account: bad field names on insert/update call: {', '.join(wrong)}"
        raise RequestRejected("INVALID_FIELD_FOR_INSERT_UPDATE", message, tuple(wrong))


def is_person(record: Record, before: Record | None) -> bool:
    """Whether an account to be saved is a person."""
    return bool(before[FLAG]) if before is not None and FLAG in before else record.get("LastName") is not None


def follow(org: Org, object: str, record: Record, journal: Journal) -> None:
    """Update the other record after a person account or its contact was saved; create it if it is missing."""
    if object == "Account" and record.get(FLAG):
        shadow = org.record(record["PersonContactId"]) or {
            "Id": record["PersonContactId"],
            "AccountId": record["Id"],
            FLAG: True,
        }
        values = {theirs: record.get(ours) for ours, theirs in _pairs(org)}
        values["Name"], values["IsDeleted"] = record["Name"], record["IsDeleted"]
        journal.put(org.tables["Contact"], shadow["Id"], {**shadow, **values})
    elif object == "Contact" and record.get(FLAG):
        account = org.record(record["AccountId"])
        if account is not None:
            values = {ours: record.get(theirs) for ours, theirs in _pairs(org)}
            journal.put(org.tables["Account"], account["Id"], {**account, **values, "Name": record["Name"]})


def derived_of(org: Org, record: Record, before: Record | None) -> Record:
    """The derived fields of a person account: its name and its contact."""
    if not are_on(org.catalogue.types):
        return {}
    if not is_person(record, before):
        return {FLAG: False, "PersonContactId": None}
    contact_id = record.get("PersonContactId") or org.new_id("003")
    name = " ".join(part for part in (record.get("FirstName"), record.get("LastName")) if part)
    return {FLAG: True, "PersonContactId": contact_id, "Name": name}


def check_deletable(record: Record) -> None:
    """Check that the contact of a person account is not deleted alone. Raises `RequestRejected`."""
    if record["Id"].startswith("003") and record.get(FLAG):
        raise RequestRejected("INVALID_CROSS_REFERENCE_KEY", "cannot reference person contact")


def _of_person(name: str) -> bool:
    return name in SAME_NAME or name.startswith("Person") or name.endswith("__pc")


def _pairs(org: Org) -> list[tuple[str, str]]:
    """Every field that both records have: its name on the account and on the contact."""
    custom = [name for name in org.catalogue.types["Account"].fields if name.endswith("__pc")]
    return [
        *((name, name) for name in (*SAME_NAME, *_ALIKE)),
        *((f"Person{name}", name) for name in PREFIXED),
        *((name, contact_field(name)) for name in custom),
    ]
