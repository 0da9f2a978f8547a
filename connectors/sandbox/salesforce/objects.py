"""The standard objects of a new org, as far as the sandbox models them.

Names, types, lengths and flags are those of the public object reference; the wording is not.
https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/
"""

from __future__ import annotations

from typing import Any

from connectors.sandbox.salesforce.field_kinds import (
    SYSTEM,
    address,
    area,
    changes,
    checkbox,
    date,
    datetime,
    email,
    field,
    integer,
    key,
    number,
    owner,
    phone,
    picklist,
    ref,
    system,
    text,
)
from connectors.sandbox.salesforce.schema import Field, ObjectType, Option, words

_INDUSTRIES = (
    "Agriculture|Banking|Biotechnology|Communications|Consulting|Education|Electronics|Energy|Engineering|"
    "Finance|Government|Healthcare|Hospitality|Insurance|Manufacturing|Media|Not For Profit|Retail|"
    "Technology|Telecommunications|Transportation|Utilities|Other"
)
_SOURCES = "Web|Phone Inquiry|Partner Referral|Purchased List|Other"


def _object(name: str, prefix: str, fields: list[Field], plural: str | None = None, **more: Any) -> ObjectType:
    label = more.pop("label", None) or words(name)
    named = {one.name: one for one in [*system(label), *fields]}
    return ObjectType(name=name, prefix=prefix, label=label, plural=plural or f"{label}s", fields=named, **more)


def standard_objects() -> dict[str, ObjectType]:
    """Every object of a new org by name; each call creates new ones."""
    fixed: dict[str, Any] = {"createable": False, "deletable": False, "feed": False}
    every = [
        _object("Account", "001", _account()),
        _object("Contact", "003", _contact()),
        _object("Lead", "00Q", _lead()),
        _object("Opportunity", "006", _opportunity(), "Opportunities"),
        _object("Task", "00T", _task()),
        _object("Event", "00U", _event()),
        _object("User", "005", _user(), deletable=False),
        _object("Group", "00G", [text("Name", 40, name_field=True), picklist("Type", "Queue|Regular")]),
        _object("Organization", "00D", _organization(), **fixed),
        _object("Profile", "00e", [text("Name", 255, name_field=True, nillable=False)], **fixed),
        _object("PermissionSet", "0PS", _permission_set(), feed=False),
        _object("FieldPermissions", "01k", _field_permissions(), "Field Permissions", feed=False),
        _object("PermissionSetAssignment", "0Pa", _assignment(), feed=False),
        _object("CustomField", "00N", _custom_field(), tooling=True),
        *(_object(f"{of}History", "017", changes(of), **fixed) for of in ("Account", "Contact", "Lead")),
    ]
    return {one.name: one for one in every}


def _account() -> list[Field]:
    return [
        ref("MasterRecordId", "Account", label="Master Record ID", **SYSTEM),
        text("Name", 255, label="Account Name", nillable=False, name_field=True),
        picklist("Type", "Prospect|Customer - Direct|Customer - Channel|Partner|Other", label="Account Type"),
        ref("ParentId", "Account", label="Parent Account ID"),
        *address("Billing"),
        *address("Shipping"),
        phone("Phone"),
        text("AccountNumber", 40),
        field("Website", "url", length=255),
        picklist("Industry", _INDUSTRIES),
        number("AnnualRevenue", type="currency"),
        integer("NumberOfEmployees", label="Employees"),
        area("Description", label="Account Description"),
        picklist("Rating", "Hot|Warm|Cold", label="Account Rating"),
        text("Site", 80, label="Account Site"),
        owner(),
        date("LastActivityDate", label="Last Activity", **SYSTEM),
        picklist("AccountSource", _SOURCES),
        key("Sync_Ext__c"),
    ]


def _person() -> list[Field]:
    return [
        text("LastName", 80, nillable=False),
        text("FirstName", 40),
        picklist("Salutation", "Mr.|Ms.|Mrs.|Dr.|Prof."),
        text("Name", 121, label="Full Name", nillable=False, name_field=True, defaulted=True, **SYSTEM),
    ]


def _contact() -> list[Field]:
    return [
        ref("MasterRecordId", "Contact", label="Master Record ID", **SYSTEM),
        ref("AccountId", "Account"),
        *_person(),
        *address("Mailing"),
        phone("Phone"),
        phone("MobilePhone"),
        text("Title", 128),
        text("Department", 80),
        email(id_lookup=True),
        picklist("LeadSource", _SOURCES),
        area("Description"),
        owner(),
        date("LastActivityDate", label="Last Activity", **SYSTEM),
        key("Sync_Ext__c"),
    ]


def _lead() -> list[Field]:
    return [
        ref("MasterRecordId", "Lead", label="Master Record ID", **SYSTEM),
        *_person(),
        text("Title", 128),
        text("Company", 255, nillable=False),
        text("Street", 255),
        text("City", 40),
        text("Country", 80),
        phone("Phone"),
        email(id_lookup=True),
        field("Website", "url", length=255),
        picklist("LeadSource", _SOURCES),
        picklist(
            "Status",
            "Open - Not Contacted|Working - Contacted|Closed - Converted",
            "Open - Not Contacted",
            nillable=False,
        ),
        picklist("Industry", _INDUSTRIES),
        owner("User", "Group"),
        checkbox("IsConverted", label="Converted", **SYSTEM),
        date("ConvertedDate", **SYSTEM),
        ref("ConvertedAccountId", "Account", **SYSTEM),
        ref("ConvertedContactId", "Contact", **SYSTEM),
        ref("ConvertedOpportunityId", "Opportunity", **SYSTEM),
        key("Sync_Ext__c"),
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
        ref("AccountId", "Account"),
        text("Name", 120, nillable=False, name_field=True),
        area("Description"),
        field("StageName", "picklist", label="Stage", length=255, nillable=False, options=stages),
        number("Amount", 18, 2, type="currency"),
        number("Probability", 3, 0, type="percent", label="Probability (%)"),
        date("CloseDate", nillable=False),
        picklist("Type", "Existing Business|New Business", label="Opportunity Type"),
        picklist("LeadSource", _SOURCES),
        checkbox("IsClosed", label="Closed", **SYSTEM),
        checkbox("IsWon", label="Won", **SYSTEM),
        owner(),
        date("LastActivityDate", label="Last Activity", **SYSTEM),
        key("Sync_Ext__c"),
    ]


def _task() -> list[Field]:
    statuses = tuple(
        Option(name, default=name == "Not Started", closed=name == "Completed")
        for name in ["Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred"]
    )
    return [
        ref("WhoId", "Contact", "Lead", label="Name ID"),
        ref("WhatId", "Account", "Opportunity", label="Related To ID"),
        field("Subject", "combobox", length=255, options=tuple(Option(v) for v in ("Call", "Email", "Other"))),
        date("ActivityDate", label="Due Date Only"),
        field(
            "Status",
            "picklist",
            label="Status",
            length=255,
            nillable=False,
            defaulted=True,
            default="Not Started",
            options=statuses,
        ),
        picklist("Priority", "High|Normal|Low", "Normal", nillable=False),
        checkbox("IsHighPriority", label="High Priority", **SYSTEM),
        owner("User", "Group"),
        area("Description"),
        ref("AccountId", "Account", **SYSTEM),
        checkbox("IsClosed", label="Closed", **SYSTEM),
        picklist("Type", "Call|Email|Meeting|Other"),
        checkbox("IsArchived", label="Archived", **SYSTEM),
        picklist("TaskSubtype", "Task|Email|Call|ListEmail", "Task", updateable=False, restricted=True),
        datetime("CompletedDateTime", label="Completed Date", **SYSTEM),
        datetime("ReminderDateTime"),
        checkbox("IsReminderSet", label="Reminder Set"),
        key("Sync_Key__c"),
    ]


def _event() -> list[Field]:
    return [
        ref("WhoId", "Contact", "Lead", label="Name ID"),
        ref("WhatId", "Account", "Opportunity", label="Related To ID"),
        field("Subject", "combobox", length=255, options=(Option("Call"), Option("Meeting"))),
        datetime("StartDateTime", nillable=False),
        integer("DurationInMinutes", nillable=False),
        area("Description"),
        owner(),
    ]


def _user() -> list[Field]:
    return [
        text("Username", 80, nillable=False, id_lookup=True),
        text("LastName", 80, nillable=False),
        text("FirstName", 40),
        text("Name", 121, label="Full Name", name_field=True, **SYSTEM),
        email(nillable=False),
        text("Alias", 8, nillable=False),
        checkbox("IsActive", label="Active"),
        text("Title", 80),
        text("Department", 80),
        ref("ProfileId", "Profile", nillable=False),
        ref("ManagerId", "User"),
        picklist("UserType", "Standard|PowerPartner|Guest|CspLitePortal|AutomatedProcess", "Standard", **SYSTEM),
        picklist("TimeZoneSidKey", "Europe/Vienna|Europe/London|America/New_York|GMT", "GMT", restricted=True),
        picklist("LocaleSidKey", "en_US|en_GB|de_AT", "en_US", restricted=True),
    ]


def _organization() -> list[Field]:
    return [
        text("Name", 80, name_field=True, nillable=False),
        picklist("OrganizationType", "Developer Edition|Enterprise Edition|Unlimited Edition", **SYSTEM),
        checkbox("IsSandbox", **SYSTEM),
        text("InstanceName", 5, **SYSTEM),
        text("NamespacePrefix", 15, **SYSTEM),
        datetime("TrialExpirationDate", **SYSTEM),
        picklist("LanguageLocaleKey", "en_US|de", "en_US"),
        text("TimeZoneSidKey", 40),
    ]


def _permission_set() -> list[Field]:
    return [
        text("Name", 80, nillable=False, name_field=True, unique=True),
        text("Label", 80, nillable=False),
        text("Description", 255),
        ref("ProfileId", "Profile", **SYSTEM),
        checkbox("IsOwnedByProfile", **SYSTEM),
        checkbox("IsCustom", **SYSTEM),
    ]


def _field_permissions() -> list[Field]:
    return [
        ref("ParentId", "PermissionSet", nillable=False, updateable=False),
        text("SobjectType", 40, nillable=False, updateable=False),
        text("Field", 255, nillable=False, updateable=False),
        checkbox("PermissionsEdit"),
        checkbox("PermissionsRead"),
    ]


def _assignment() -> list[Field]:
    return [
        ref("PermissionSetId", "PermissionSet", nillable=False, updateable=False),
        ref("AssigneeId", "User", nillable=False, updateable=False),
    ]


def _custom_field() -> list[Field]:
    return [
        text("DeveloperName", 40, nillable=False),
        text("TableEnumOrId", 40, nillable=False),
        text("FullName", 255, **SYSTEM),
        text("NamespacePrefix", 15, **SYSTEM),
    ]
