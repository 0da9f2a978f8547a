"""Calls on owners, deal pipelines, custom objects and the account itself."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from connectors.sandbox.hubspot.call import Call, HttpResponse
from connectors.sandbox.hubspot.defaults import CLOSED_LOST, CLOSED_WON, STAGES
from connectors.sandbox.hubspot.errors import JsonObject, not_found, rejected
from connectors.sandbox.hubspot.kinds import DEALS, KINDS, Kind
from connectors.sandbox.hubspot.timestamps import iso

LONGEST_PAGE = 500
SCHEMAS_SCOPE = "crm.schemas.custom.read"


def list_owners(call: Call) -> HttpResponse:
    """200 with a page of active, or archived, owners."""
    email, archived = call.asked("email"), call.flag("archived")
    found = [
        owner
        for owner in call.portal.contents.owners.values()
        if owner.archived == archived and (not email or owner.email.lower() == email.lower())
    ]
    owners, paging = call.page(found, lambda owner: owner.id, usual=100, most=LONGEST_PAGE)
    return 200, {"results": [owner.to_json() for owner in owners], **paging}


def get_owner(call: Call) -> HttpResponse:
    """200 with the owner of an owner id or, with ``idProperty=userId``, a user id."""
    by_user, archived = call.asked("idProperty") == "userId", call.flag("archived")
    for owner in call.portal.contents.owners.values():
        known_as = str(owner.user_id) if by_user else owner.id
        if known_as == call.params["id"] and owner.archived == archived:
            return 200, owner.to_json()
    raise not_found()


def list_pipelines(call: Call) -> HttpResponse:
    """200 with the only pipeline of deals."""
    return 200, {"results": [_pipeline(call)]}


def get_pipeline(call: Call) -> HttpResponse:
    """200 with the pipeline."""
    if call.params["id"] != "default":
        raise not_found()
    return 200, _pipeline(call)


def list_stages(call: Call) -> HttpResponse:
    """200 with the stages of the pipeline."""
    return 200, {"results": get_pipeline(call)[1]["stages"]}  # type: ignore[index]


def account_details(call: Call) -> HttpResponse:
    """200 with the portal's id, time zone and currency."""
    options = call.portal.options
    offset = datetime.fromtimestamp(call.at_ms / 1000, ZoneInfo(options.time_zone)).utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset else 0
    return 200, {
        "portalId": options.portal_id,
        "accountType": "STANDARD",
        "timeZone": options.time_zone,
        "companyCurrency": "USD",
        "additionalCurrencies": [],
        "utcOffset": f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}",
        "utcOffsetMilliseconds": minutes * 60_000,
        "uiDomain": "app.hubspot.com",
        "dataHostingLocation": "na1",
    }


def daily_usage(call: Call) -> HttpResponse:
    """200 with the number of calls that private apps made today."""
    options, limits = call.portal.options, call.portal.limits
    usage = {
        "name": "private-apps-api-calls-daily",
        "usageLimit": options.daily,
        "currentUsage": limits.used_today,
        "collectedAt": iso(call.at_ms),
        "fetchStatus": "SUCCESS",
    }
    return 200, {"results": [usage]}


def list_schemas(call: Call) -> HttpResponse:
    """200 with the custom objects; 403 in its own form for a token without the scope (recorded)."""
    if SCHEMAS_SCOPE not in call.portal.access.scopes:
        context = {"requiredGranularScopes": ["custom-object-read"], "links": ["https://developers.hubspot.com/scopes"]}
        raise rejected(403, "MISSING_SCOPES", "One or more of the following scopes are required.", context=context)
    custom = [kind for kind in call.portal.contents.kinds if kind not in KINDS]
    return 200, {"results": [_schema(call, kind) for kind in custom]}


def _schema(call: Call, kind: Kind) -> JsonObject:
    definitions = call.schema(kind).listed(archived=False)
    return {
        "id": kind.type_id.partition("-")[2],
        "name": kind.name,
        "labels": {"singular": kind.singular, "plural": kind.name},
        "objectTypeId": kind.type_id,
        "fullyQualifiedName": f"p{call.portal.options.portal_id}_{kind.name}",
        "requiredProperties": list(kind.required),
        "searchableProperties": list(kind.searched),
        "secondaryDisplayProperties": [],
        "allowsSensitiveProperties": False,
        "properties": [definition.to_dated_json() for definition in definitions],
        "associations": [],
        "archived": False,
    }


def _pipeline(call: Call) -> JsonObject:
    if call.kind() is not DEALS:
        raise not_found()
    long_ago = iso(0)
    stages = [
        {
            "id": stage,
            "label": label,
            "displayOrder": place,
            "metadata": {
                "isClosed": "true" if stage in (CLOSED_WON, CLOSED_LOST) else "false",
                "probability": probability,
            },
            "createdAt": long_ago,
            "updatedAt": long_ago,
            "archived": False,
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
        }
        for place, (stage, label, probability) in enumerate(STAGES)
    ]
    return {
        "id": "default",
        "label": "Sales Pipeline",
        "displayOrder": 0,
        "stages": stages,
        "createdAt": long_ago,
        "updatedAt": long_ago,
        "archived": False,
    }
