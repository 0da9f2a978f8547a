"""Answers of the real HubSpot, where there are any beside the checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parents[3] / ".." / "shared" / "crm" / "recorded" / "hubspot"


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text())


def shape(value: Any) -> Any:
    """Keys and types of an answer, without its values; of a list the different shapes it holds."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return sorted({json.dumps(shape(inner), sort_keys=True) for inner in value})
    return type(value).__name__
