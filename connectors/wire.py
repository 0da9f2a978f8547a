"""JSON as fast as it gets, understood exactly as Python's own json module understands it.

orjson refuses a few documents that json reads (half a surrogate pair, very deep nesting) and values that json
writes (whole numbers above 64 bits): those go to json, so that a client cannot tell the two apart.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

_AS_IT_IS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS


def parse_json(raw: bytes) -> Any:
    """The document. Raises ValueError (or RecursionError) for what is no JSON; NaN and Infinity are none."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return json.loads(raw, parse_constant=_no_constant)


def compact_json(value: Any) -> bytes:
    """UTF-8 without spaces; half a surrogate pair, which UTF-8 does not have, becomes a question mark."""
    try:
        return orjson.dumps(value, option=_AS_IT_IS)
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
