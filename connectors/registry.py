"""Which code serves which kind of CRM; imported only when that CRM is used."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from connectors.base import Budget, Connector, Destination, Journal

KINDS = ("hubspot", "salesforce")


class UnknownKind(ValueError):
    """A destination names a kind of CRM that this project has no connector for."""


def connect(destination: Destination, journal: Journal | None = None, budget: Budget | None = None) -> Connector:
    """The connector for a configured CRM; nothing is sent before its first call.

    Without a ``journal`` it does nothing that has to be remembered across a crash (no bulk jobs). Without a ``budget``
    it keeps to the CRM's windows by itself, as if nobody else called, and to no share of the day.

    Raises `UnknownKind`, and `ValueError` when ``auth`` or ``base_url`` cannot work.
    """
    if destination.kind not in KINDS:
        raise UnknownKind(
            f"{destination.name}: kind {destination.kind!r} is not one of {', '.join(KINDS)}; see CONTRIBUTING.md"
        )
    module = import_module(f"connectors.{destination.kind}.connector")
    return cast("Connector", module.connect(destination, journal, budget))


def fallback_problem(kind: str, object: str, field: str) -> str:
    """Why a fallback cannot find a record of this object in that kind of CRM; empty when it can."""
    try:
        import_module(f"connectors.{kind}.fallbacks").check(object, field)
    except ValueError as problem:
        return str(problem)
    return ""
