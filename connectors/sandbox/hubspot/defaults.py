"""The properties and groups of a new portal, and the default deal pipeline."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.sandbox.hubspot.kinds import COMPANIES, CONTACTS, DEALS, TASKS, Kind
from connectors.sandbox.hubspot.schema import TRUE_FALSE, Group, Property, Schema, option_of

CLOSED_WON = "closedwon"
CLOSED_LOST = "closedlost"
STAGES: tuple[tuple[str, str, str], ...] = (
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("contractsent", "Contract Sent", "0.9"),
    (CLOSED_WON, "Closed Won", "1.0"),
    (CLOSED_LOST, "Closed Lost", "0.0"),
)
"""Stage id, label and probability of the default deal pipeline."""
_STAGE_OPTIONS = ",".join(f"{stage}={label}" for stage, label, _ in STAGES)

# One line a property: name | label | type/fieldType | flags | options.
# Flags: r read only, c calculated, h hidden, f usable in forms, o the options are the owners.
_SHARED = """
hs_object_id | Record ID | number/number | rc
hubspot_owner_id | Owner | enumeration/select | o
hubspot_owner_assigneddate | Owner assigned date | datetime/date | r
hs_object_source | Record source | string/text | rh
hs_object_source_id | Record source ID | string/text | rh
hs_object_source_label | Record source | enumeration/select | r | INTEGRATION,CRM_UI,IMPORT,API
hs_merged_object_ids | Merged record IDs | enumeration/checkbox | rc
hs_unique_creation_key | Unique creation key | string/text | rh
hs_created_by_user_id | Created by user ID | number/number | r
hs_updated_by_user_id | Updated by user ID | number/number | r
hs_read_only | Read only object | bool/booleancheckbox | rh
"""
_LIFECYCLE = (
    "subscriber=Subscriber,lead=Lead,marketingqualifiedlead=Marketing Qualified Lead,"
    "salesqualifiedlead=Sales Qualified Lead,opportunity=Opportunity,customer=Customer,evangelist=Evangelist,"
    "other=Other"
)
_INDUSTRIES = (
    "COMPUTER_SOFTWARE=Computer Software,INTERNET=Internet,FINANCIAL_SERVICES=Financial Services,RETAIL=Retail,"
    "HOSPITAL_HEALTH_CARE=Hospital & Health Care,EDUCATION_MANAGEMENT=Education Management,"
    "MANUFACTURING=Manufacturing,OTHER=Other"
)
_TASK_STATUSES = "NOT_STARTED=Not started,IN_PROGRESS=In progress,WAITING=Waiting,DEFERRED=Deferred,COMPLETED=Completed"
_LEAD_STATUS = (
    "NEW=New,OPEN=Open,IN_PROGRESS=In Progress,OPEN_DEAL=Open Deal,UNQUALIFIED=Unqualified,CONNECTED=Connected"
)
_TABLES: dict[str, str] = {
    COMPANIES.name: f"""
name | Company name | string/text | f
domain | Company Domain Name | string/text | f
website | Website URL | string/text | f
phone | Phone Number | string/phonenumber | f
address | Street Address | string/text | f
address2 | Street Address 2 | string/text | f
city | City | string/text | f
state | State/Region | string/text | f
zip | Postal Code | string/text | f
country | Country/Region | string/text | f
timezone | Time Zone | string/text | f
description | Description | string/textarea | f
about_us | About Us | string/textarea | f
industry | Industry | enumeration/select | f | {_INDUSTRIES}
type | Type | enumeration/radio | f | PROSPECT=Prospect,PARTNER=Partner,RESELLER=Reseller,VENDOR=Vendor,OTHER=Other
lifecyclestage | Lifecycle Stage | enumeration/radio | f | {_LIFECYCLE}
hs_lead_status | Lead Status | enumeration/radio | f | {_LEAD_STATUS}
numberofemployees | Number of Employees | number/number | f
annualrevenue | Annual Revenue | number/number | f
founded_year | Year Founded | string/text | f
facebookfans | Facebook Fans | number/number |
twitterhandle | Twitter Handle | string/text |
linkedin_company_page | LinkedIn Company Page | string/text |
closedate | Close Date | datetime/date |
createdate | Create Date | datetime/date | r
hs_lastmodifieddate | Last Modified Date | datetime/date | r
hs_num_open_deals | Number of open deals | number/number | rc
num_associated_contacts | Number of Associated Contacts | number/number | rc
num_associated_deals | Number of Associated Deals | number/number | rc
""",
    CONTACTS.name: f"""
email | Email | string/text | f
firstname | First Name | string/text | f
lastname | Last Name | string/text | f
phone | Phone Number | string/phonenumber | f
mobilephone | Mobile Phone Number | string/phonenumber | f
company | Company Name | string/text | f
website | Website URL | string/text | f
jobtitle | Job Title | string/text | f
address | Street Address | string/text | f
city | City | string/text | f
state | State/Region | string/text | f
zip | Postal Code | string/text | f
country | Country/Region | string/text | f
lifecyclestage | Lifecycle Stage | enumeration/radio | f | {_LIFECYCLE}
hs_lead_status | Lead Status | enumeration/radio | f | {_LEAD_STATUS}
hs_additional_emails | Additional email addresses | enumeration/checkbox |
createdate | Create Date | datetime/date | r
lastmodifieddate | Last Modified Date | datetime/date | r
hs_all_contact_vids | Merged contact IDs | string/text | rh
hs_associated_target_accounts | Associated target accounts | number/number | rc
hs_currently_enrolled_in_prospecting_agent | Enrolled in prospecting agent | bool/booleancheckbox | rc
hs_email_domain | Email Domain | string/text | rc
hs_full_name_or_email | Full name or email | string/text | rc
hs_is_contact | Is a contact | bool/booleancheckbox | rc
hs_is_unworked | Contact unworked | bool/booleancheckbox | rc
hs_lifecyclestage_lead_date | Became a Lead Date | datetime/date | r
hs_membership_has_accessed_private_content | Has accessed private content | number/number | r
hs_pipeline | Pipeline | enumeration/select | r | contacts-lifecycle-pipeline=Lifecycle Stage Pipeline
hs_prospecting_agent_actively_enrolled_count | Active prospecting enrollments | number/number | rc
hs_prospecting_agent_total_enrolled_count | Prospecting enrollments | number/number | rc
hs_registered_member | Registered member | number/number | r
hs_sequences_actively_enrolled_count | Sequences enrolled | number/number | rc
num_notes | Number of Sales Activities | number/number | rc
""",
    DEALS.name: f"""
dealname | Deal Name | string/text | f
amount | Amount | number/number | f
pipeline | Pipeline | enumeration/select | f | default=Sales Pipeline
dealstage | Deal Stage | enumeration/radio | f | {_STAGE_OPTIONS}
dealtype | Deal Type | enumeration/radio | f | newbusiness=New Business,existingbusiness=Existing Business
closedate | Close Date | datetime/date | f
description | Deal Description | string/textarea | f
closed_lost_reason | Closed Lost Reason | string/textarea | f
closed_won_reason | Closed Won Reason | string/textarea | f
createdate | Create Date | datetime/date |
hs_lastmodifieddate | Last Modified Date | datetime/date | r
hs_is_closed | Is Deal Closed? | bool/booleancheckbox | rc
hs_is_closed_won | Is Closed Won | bool/booleancheckbox | rc
hs_is_closed_lost | Is Closed Lost | bool/booleancheckbox | rc
hs_deal_stage_probability | Deal probability | number/number | rc
""",
    TASKS.name: f"""
hs_timestamp | Due date | datetime/date |
hs_task_subject | Task Title | string/text |
hs_task_body | Task Notes | string/html |
hs_task_status | Task Status | enumeration/select | | {_TASK_STATUSES}
hs_task_priority | Priority | enumeration/select | | NONE=None,LOW=Low,MEDIUM=Medium,HIGH=High
hs_task_type | Task Type | enumeration/select | | TODO=To-do,CALL=Call,EMAIL=Email,LINKED_IN=LinkedIn
hs_task_reminders | Reminders | string/text |
hs_queue_membership_ids | Queue | enumeration/checkbox | r
hs_task_completion_date | Completed at | datetime/date | r
hs_task_is_completed | Is completed | number/number | rc
hs_createdate | Create Date | datetime/date | r
hs_lastmodifieddate | Last Modified Date | datetime/date | r
""",
}
_CUSTOM = """
hs_createdate | Create Date | datetime/date | r
hs_lastmodifieddate | Last Modified Date | datetime/date | r
"""
_GROUPS: dict[str, tuple[tuple[str, str], ...]] = {
    COMPANIES.name: (
        ("companyinformation", "Company Information"),
        ("companylcs", "Company Lifecycle"),
        ("company_activity", "Company Activity"),
    ),
    CONTACTS.name: (("contactinformation", "Contact Information"), ("contact_activity", "Contact Activity")),
    DEALS.name: (("dealinformation", "Deal Information"), ("deal_activity", "Deal Activity")),
    TASKS.name: (("task", "Task Information"), ("task_information", "Task Information")),
}
_EVERYWHERE = (("integrationcreatedproperties", "Integration created properties"),)


def default_schema(kind: Kind) -> Schema:
    """The schema of ``kind`` in a new portal."""
    own = ((f"{kind.singular}_information", f"{kind.singular} information"),)
    groups = [*_GROUPS.get(kind.name, own), *_EVERYWHERE]
    table = _TABLES.get(kind.name, _CUSTOM) + _SHARED
    properties = {definition.name: definition for definition in _parse(table, groups[0][0])}
    return Schema(properties, {name: Group(name, label, place) for place, (name, label) in enumerate(groups)})


def _parse(table: str, group: str) -> Iterator[Property]:
    for line in filter(None, table.splitlines()):
        name, label, types, *rest = (cell.strip() for cell in line.split("|"))
        flags = rest[0] if rest else ""
        type_, field_type = types.split("/")
        choices = [choice.split("=") for choice in rest[1].split(",")] if len(rest) > 1 else []
        options = [option_of({"value": pair[0], "label": pair[-1]}, place) for place, pair in enumerate(choices)]
        yield Property(
            name=name,
            label=label,
            type=type_,
            field_type=field_type,
            group=group,
            options=TRUE_FALSE if type_ == "bool" else tuple(options),
            read_only="r" in flags,
            calculated="c" in flags,
            hidden="h" in flags,
            form_field="f" in flags,
            external_options="o" in flags,
            defined_by_hubspot=True,
        )
