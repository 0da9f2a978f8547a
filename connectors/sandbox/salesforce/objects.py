"""The standard objects of a new org, as far as the sandbox has them.

Names, types, lengths and flags are those of the public object reference; the wording is ours.
https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/
"""

from __future__ import annotations

from typing import Any

from connectors.sandbox.salesforce.schema import Field, ObjectType, Option, words

_SYSTEM: dict[str, Any] = {"createable": False, "updateable": False}
_INDUSTRIES = (
    "Agriculture|Banking|Biotechnology|Communications|Consulting|Education|Electronics|Energy|Engineering|"
    "Finance|Government|Healthcare|Hospitality|Insurance|Manufacturing|Media|Not For Profit|Retail|"
    "Technology|Telecommunications|Transportation|Utilities|Other"
)
_SOURCES = "Web|Phone Inquiry|Partner Referral|Purchased List|Other"


def _field(name: str, type: str, **more: Any) -> Field:
    return Field(name=name, type=type, label=more.pop("label", None) or words(name), **more)


def _text(name: str, length: int = 255, **more: Any) -> Field:
    return _field(name, "string", length=length, **more)


def _area(name: str, length: int = 32000, **more: Any) -> Field:
    return _field(name, "textarea", length=length, **more)


def _email(name: str = "Email", **more: Any) -> Field:
    return _field(name, "email", length=80, **more)


def _phone(name: str) -> Field:
    return _field(name, "phone", length=40)


def _picklist(name: str, values: str, default: str | None = None, **more: Any) -> Field:
    options = tuple(Option(value, default=value == default) for value in values.split("|"))
    given = {"length": 255, "defaulted": default is not None, "default": default, "options": options, **more}
    return _field(name, given.pop("type", "picklist"), **given)


def _bool(name: str, **more: Any) -> Field:
    return _field(name, "boolean", **{"nillable": False, "defaulted": True, "default": False, **more})


def _number(name: str, precision: int = 18, scale: int = 0, **more: Any) -> Field:
    return _field(name, more.pop("type", "double"), precision=precision, scale=scale, **more)


def _int(name: str, **more: Any) -> Field:
    return _field(name, "int", precision=8, **more)


def _date(name: str, **more: Any) -> Field:
    return _field(name, "date", **more)


def _datetime(name: str, **more: Any) -> Field:
    return _field(name, "datetime", **more)


def _ref(name: str, *targets: str, relationship: str | None = None, **more: Any) -> Field:
    known = relationship or (name[:-2] if name.endswith("Id") else None)
    return _field(name, "reference", length=18, reference_to=targets, relationship=known, **more)


def _address(prefix: str) -> list[Field]:
    return [
        _area(f"{prefix}Street", 255),
        _text(f"{prefix}City", 40),
        _text(f"{prefix}State", 80, label=f"{words(prefix)} State/Province"),
        _text(f"{prefix}PostalCode", 20, label=f"{words(prefix)} Zip/Postal Code"),
        _text(f"{prefix}Country", 80),
    ]


def _system(label: str) -> list[Field]:
    read_only: dict[str, Any] = {**_SYSTEM, "nillable": False, "defaulted": True}
    return [
        _field("Id", "id", label=f"{label} ID", length=18, id_lookup=True, **read_only),
        _field("IsDeleted", "boolean", label="Deleted", default=False, **read_only),
        _datetime("CreatedDate", **read_only),
        _ref("CreatedById", "User", **read_only),
        _datetime("LastModifiedDate", **read_only),
        _ref("LastModifiedById", "User", **read_only),
        _datetime("SystemModstamp", label="System Modstamp", **read_only),
    ]


def _owner(*targets: str) -> Field:
    return _ref("OwnerId", *(targets or ("User",)), label="Owner ID", nillable=False, defaulted=True)


def _key(name: str) -> Field:
    return _text(name, 80, external_id=True, unique=True, id_lookup=True, custom=True)


def _object(name: str, prefix: str, fields: list[Field], plural: str | None = None, **more: Any) -> ObjectType:
    label = more.pop("label", None) or words(name)
    named = {one.name: one for one in [*_system(label), *fields]}
    return ObjectType(name, prefix, label, plural or f"{label}s", named, **more)


def standard_objects() -> dict[str, ObjectType]:
    """Every object of a new org by name; each call makes fresh ones."""
    every = [*_people_and_companies(), *_activities(), *_administration()]
    return {one.name: one for one in every}


def _people_and_companies() -> list[ObjectType]:
    account = [
        _ref("MasterRecordId", "Account", label="Master Record ID", **_SYSTEM),
        _text("Name", 255, label="Account Name", nillable=False, name_field=True),
        _picklist("Type", "Prospect|Customer - Direct|Customer - Channel|Partner|Other", label="Account Type"),
        _ref("ParentId", "Account", label="Parent Account ID"),
        *_address("Billing"),
        *_address("Shipping"),
        _phone("Phone"),
        _text("AccountNumber", 40),
        _field("Website", "url", length=255),
        _picklist("Industry", _INDUSTRIES),
        _number("AnnualRevenue", type="currency"),
        _int("NumberOfEmployees", label="Employees"),
        _area("Description", label="Account Description"),
        _picklist("Rating", "Hot|Warm|Cold", label="Account Rating"),
        _text("Site", 80, label="Account Site"),
        _owner(),
        _date("LastActivityDate", label="Last Activity", **_SYSTEM),
        _picklist("AccountSource", _SOURCES),
        _key("Sync_Ext__c"),
    ]
    person = [
        _text("LastName", 80, nillable=False),
        _text("FirstName", 40),
        _picklist("Salutation", "Mr.|Ms.|Mrs.|Dr.|Prof."),
        _text("Name", 121, label="Full Name", nillable=False, name_field=True, defaulted=True, **_SYSTEM),
    ]
    contact = [
        _ref("MasterRecordId", "Contact", label="Master Record ID", **_SYSTEM),
        _ref("AccountId", "Account"),
        *person,
        *_address("Mailing"),
        _phone("Phone"),
        _phone("MobilePhone"),
        _text("Title", 128),
        _text("Department", 80),
        _email(id_lookup=True),
        _picklist("LeadSource", _SOURCES),
        _area("Description"),
        _owner(),
        _date("LastActivityDate", label="Last Activity", **_SYSTEM),
        _key("Sync_Ext__c"),
    ]
    lead = [
        _ref("MasterRecordId", "Lead", label="Master Record ID", **_SYSTEM),
        *person,
        _text("Title", 128),
        _text("Company", 255, nillable=False),
        _text("Street", 255),
        _text("City", 40),
        _text("Country", 80),
        _phone("Phone"),
        _email(id_lookup=True),
        _field("Website", "url", length=255),
        _picklist("LeadSource", _SOURCES),
        _picklist(
            "Status",
            "Open - Not Contacted|Working - Contacted|Closed - Converted",
            "Open - Not Contacted",
            nillable=False,
        ),
        _picklist("Industry", _INDUSTRIES),
        _owner("User", "Group"),
        _bool("IsConverted", label="Converted", **_SYSTEM),
        _date("ConvertedDate", **_SYSTEM),
        _ref("ConvertedAccountId", "Account", **_SYSTEM),
        _ref("ConvertedContactId", "Contact", **_SYSTEM),
        _ref("ConvertedOpportunityId", "Opportunity", **_SYSTEM),
        _key("Sync_Ext__c"),
    ]
    return [
        _object("Account", "001", account),
        _object("Contact", "003", contact),
        _object("Lead", "00Q", lead),
        _object("Opportunity", "006", _opportunity(), "Opportunities"),
    ]


_STAGES = (
    "Prospecting|Qualification|Needs Analysis|Value Proposition|Id. Decision Makers|Perception Analysis|"
    "Proposal/Price Quote|Negotiation/Review|Closed Won|Closed Lost"
)


def _opportunity() -> list[Field]:
    stages = tuple(
        Option(name, closed=name.startswith("Closed"), won=name == "Closed Won") for name in _STAGES.split("|")
    )
    return [
        _ref("AccountId", "Account"),
        _text("Name", 120, nillable=False, name_field=True),
        _area("Description"),
        _field("StageName", "picklist", label="Stage", length=255, nillable=False, options=stages),
        _number("Amount", 18, 2, type="currency"),
        _number("Probability", 3, 0, type="percent", label="Probability (%)"),
        _date("CloseDate", nillable=False),
        _picklist("Type", "Existing Business|New Business", label="Opportunity Type"),
        _picklist("LeadSource", _SOURCES),
        _bool("IsClosed", label="Closed", **_SYSTEM),
        _bool("IsWon", label="Won", **_SYSTEM),
        _owner(),
        _date("LastActivityDate", label="Last Activity", **_SYSTEM),
        _key("Sync_Ext__c"),
    ]


def _activities() -> list[ObjectType]:
    statuses = tuple(
        Option(name, default=name == "Not Started", closed=name == "Completed")
        for name in ["Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred"]
    )
    task = [
        _ref("WhoId", "Contact", "Lead", label="Name ID"),
        _ref("WhatId", "Account", "Opportunity", label="Related To ID"),
        _field("Subject", "combobox", length=255, options=tuple(Option(v) for v in ("Call", "Email", "Other"))),
        _date("ActivityDate", label="Due Date Only"),
        _field(
            "Status",
            "picklist",
            label="Status",
            length=255,
            nillable=False,
            defaulted=True,
            default="Not Started",
            options=statuses,
        ),
        _picklist("Priority", "High|Normal|Low", "Normal", nillable=False),
        _bool("IsHighPriority", label="High Priority", **_SYSTEM),
        _owner("User", "Group"),
        _area("Description"),
        _ref("AccountId", "Account", **_SYSTEM),
        _bool("IsClosed", label="Closed", **_SYSTEM),
        _picklist("Type", "Call|Email|Meeting|Other"),
        _bool("IsArchived", label="Archived", **_SYSTEM),
        _picklist("TaskSubtype", "Task|Email|Call|ListEmail", "Task", updateable=False, restricted=True),
        _datetime("CompletedDateTime", label="Completed Date", **_SYSTEM),
        _datetime("ReminderDateTime"),
        _bool("IsReminderSet", label="Reminder Set"),
        _key("Sync_Key__c"),
    ]
    event = [
        _ref("WhoId", "Contact", "Lead", label="Name ID"),
        _ref("WhatId", "Account", "Opportunity", label="Related To ID"),
        _field("Subject", "combobox", length=255, options=(Option("Call"), Option("Meeting"))),
        _datetime("StartDateTime", nillable=False),
        _int("DurationInMinutes", nillable=False),
        _area("Description"),
        _owner(),
    ]  # fmt: skip
    return [_object("Task", "00T", task), _object("Event", "00U", event)]


def _administration() -> list[ObjectType]:
    fixed: dict[str, Any] = {"createable": False, "deletable": False, "feed": False}
    user = [
        _text("Username", 80, nillable=False, id_lookup=True),
        _text("LastName", 80, nillable=False),
        _text("FirstName", 40),
        _text("Name", 121, label="Full Name", name_field=True, **_SYSTEM),
        _email(nillable=False),
        _text("Alias", 8, nillable=False),
        _bool("IsActive", label="Active"),
        _text("Title", 80),
        _text("Department", 80),
        _ref("ProfileId", "Profile", nillable=False),
        _ref("ManagerId", "User"),
        _picklist("UserType", "Standard|PowerPartner|Guest|CspLitePortal|AutomatedProcess", "Standard", **_SYSTEM),
        _picklist("TimeZoneSidKey", "Europe/Vienna|Europe/London|America/New_York|GMT", "GMT", restricted=True),
        _picklist("LocaleSidKey", "en_US|en_GB|de_AT", "en_US", restricted=True),
    ]
    organization = [
        _text("Name", 80, name_field=True, nillable=False),
        _picklist("OrganizationType", "Developer Edition|Enterprise Edition|Unlimited Edition", **_SYSTEM),
        _bool("IsSandbox", **_SYSTEM),
        _text("InstanceName", 5, **_SYSTEM),
        _text("NamespacePrefix", 15, **_SYSTEM),
        _datetime("TrialExpirationDate", **_SYSTEM),
        _picklist("LanguageLocaleKey", "en_US|de", "en_US"),
        _text("TimeZoneSidKey", 40),
    ]
    permission_set = [
        _text("Name", 80, nillable=False, name_field=True, unique=True),
        _text("Label", 80, nillable=False),
        _text("Description", 255),
        _ref("ProfileId", "Profile", **_SYSTEM),
        _bool("IsOwnedByProfile", **_SYSTEM),
        _bool("IsCustom", **_SYSTEM),
    ]
    field_permissions = [
        _ref("ParentId", "PermissionSet", nillable=False, updateable=False),
        _text("SobjectType", 40, nillable=False, updateable=False),
        _text("Field", 255, nillable=False, updateable=False),
        _bool("PermissionsEdit"),
        _bool("PermissionsRead"),
    ]
    assignment = [
        _ref("PermissionSetId", "PermissionSet", nillable=False, updateable=False),
        _ref("AssigneeId", "User", nillable=False, updateable=False),
    ]
    custom_field = [
        _text("DeveloperName", 40, nillable=False),
        _text("TableEnumOrId", 40, nillable=False),
        _text("FullName", 255, **_SYSTEM),
        _text("NamespacePrefix", 15, **_SYSTEM),
    ]
    return [
        _object("User", "005", user, deletable=False),
        _object("Group", "00G", [_text("Name", 40, name_field=True), _picklist("Type", "Queue|Regular")]),
        _object("Organization", "00D", organization, **fixed),
        _object("Profile", "00e", [_text("Name", 255, name_field=True, nillable=False)], **fixed),
        _object("PermissionSet", "0PS", permission_set, feed=False),
        _object("FieldPermissions", "01k", field_permissions, "Field Permissions", feed=False),
        _object("PermissionSetAssignment", "0Pa", assignment, feed=False),
        _object("CustomField", "00N", custom_field, tooling=True),
    ]
