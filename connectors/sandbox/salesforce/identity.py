"""The user of a token in ``/services/oauth2/userinfo`` and at the identity URL of a login."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.salesforce.org import Org

SOAP_FAULT = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
    "<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {words}</faultstring><detail>"
    '<sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>{code}</sf:exceptionCode>'
    "<sf:exceptionMessage>{words}</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault></soapenv:Body>"
    "</soapenv:Envelope>"
)


def userinfo(org: Org, user_id: str, base: str) -> dict[str, Any]:
    """The OpenID Connect view of a user."""
    user = org.tables["User"].records[user_id]
    return {
        "sub": f"{base}/id/{org.staff.organization}/{user_id}",
        "preferred_username": user["Username"],
        "nickname": user["Alias"],
        "name": user["Name"],
        "given_name": user.get("FirstName"),
        "family_name": user.get("LastName"),
        "zoneinfo": "GMT",
        "profile": f"{base}/{user_id}",
        "updated_at": user["LastModifiedDate"],
        **_in_both(org, user_id, base),
    }


def identity(org: Org, user_id: str, base: str) -> dict[str, Any]:
    """The answer of ``/id/{organization}/{user}``."""
    user = org.tables["User"].records[user_id]
    return {
        "id": f"{base}/id/{org.staff.organization}/{user_id}",
        "asserted_user": True,
        "username": user["Username"],
        "nick_name": user["Alias"],
        "display_name": user["Name"],
        "first_name": user.get("FirstName"),
        "last_name": user.get("LastName"),
        "timezone": "GMT",
        "addr_street": None,
        "mobile_phone": None,
        "mobile_phone_verified": False,
        "last_modified_date": user["LastModifiedDate"],
        **_in_both(org, user_id, base),
    }


def _in_both(org: Org, user_id: str, base: str) -> dict[str, Any]:
    user = org.tables["User"].records[user_id]
    return {
        "user_id": user_id,
        "organization_id": org.staff.organization,
        "email": user["Email"],
        "email_verified": True,
        "urls": _urls(base, user_id),
        "active": bool(user["IsActive"]),
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": 0,
        "is_app_installed": True,
    }


def _urls(base: str, user_id: str) -> dict[str, str]:
    rest = f"{base}/services/data/v{{version}}/"
    return {
        "rest": rest,
        "sobjects": f"{rest}sobjects/",
        "query": f"{rest}query/",
        "recent": f"{rest}recent/",
        "search": f"{rest}search/",
        "tooling_rest": f"{rest}tooling/",
        "profile": f"{base}/{user_id}",
        "custom_domain": base,
    }
