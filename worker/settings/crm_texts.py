"""The texts of config/crm.yaml that have a form: addresses, domains and names."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, WithJsonSchema

from connectors.base.values import domain_of, email_address
from worker.settings.environment import PROJECT_ID

_OUR_NAME = re.compile(r"[a-z][a-z0-9_]*")


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text.strip())
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("expected an address such as https://acme.my.salesforce.com")
    if parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"):
        raise ValueError("expected only https:// and the host: no path, no user, no password")
    return f"{parts.scheme}://{parts.netloc}"


def _email(text: str) -> str:
    address = email_address(text)
    if not address:
        raise ValueError(f'"{text}" is not an e-mail address')
    return address


def _domain(text: str) -> str:
    domain = domain_of(text)
    if not domain:
        raise ValueError(f'"{text}" is not a domain such as acme.com')
    return domain


def _our_name(text: str) -> str:
    if not _OUR_NAME.fullmatch(text):
        raise ValueError(f'"{text}" must be a small name such as health_score')
    return text


BaseUrl = Annotated[str, AfterValidator(_base_url), WithJsonSchema({"type": "string", "format": "uri"})]
Email = Annotated[str, AfterValidator(_email), WithJsonSchema({"type": "string", "format": "email"})]
Domain = Annotated[str, AfterValidator(_domain), WithJsonSchema({"type": "string"})]
OurName = Annotated[str, AfterValidator(_our_name)]
CrmName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
ProjectId = Annotated[str, Field(pattern=PROJECT_ID)]

FallbackField = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)?$")]
