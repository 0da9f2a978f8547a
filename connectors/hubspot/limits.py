"""HubSpot's limits, and what the headers of an answer say of them.

https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from connectors.base import Bucket, RateLimitStatus

BURST = Bucket("burst", 100, 10.0)
"""The smallest limit of any plan; every answer names the portal's own."""
SEARCH = Bucket("search", 5, 1.0)
ASSOCIATIONS = Bucket("associations")
"""Association batches have no burst limit (x-hubspot-rate-limit-exemptions in HubSpot's API description)."""


def rate_limit_status(bucket: Bucket, headers: Mapping[str, str], day_ends: datetime) -> RateLimitStatus:
    """What an answer's headers say. Answers of search carry only the day, answers to OAuth apps all but the day."""
    day_limit = integer(headers, "X-HubSpot-RateLimit-Daily")
    day_left = integer(headers, "X-HubSpot-RateLimit-Daily-Remaining")
    day_used = None if day_limit is None or day_left is None else day_limit - day_left
    if bucket is not BURST:
        return RateLimitStatus(day_limit=day_limit, day_used=day_used, day_ends=day_ends)
    interval_ms = integer(headers, "X-HubSpot-RateLimit-Interval-Milliseconds")
    return RateLimitStatus(
        limit=integer(headers, "X-HubSpot-RateLimit-Max"),
        window_s=interval_ms / 1000 if interval_ms else None,
        remaining=integer(headers, "X-HubSpot-RateLimit-Remaining"),
        day_limit=day_limit,
        day_used=day_used,
        day_ends=day_ends,
    )


def integer(headers: Mapping[str, str], name: str) -> int | None:
    """A header as a whole number, or None when it is absent or something else."""
    text = headers.get(name, "")
    return int(text) if text.isdigit() else None
