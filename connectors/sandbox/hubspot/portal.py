"""One HubSpot portal: the state behind the control API, the handlers and the page at ``/``."""

from __future__ import annotations

import copy
from typing import Any

from connectors.sandbox.core.control import ControlError, JsonObject
from connectors.sandbox.core.sim import Sim
from connectors.sandbox.hubspot.auth import Access
from connectors.sandbox.hubspot.contents import Contents
from connectors.sandbox.hubspot.kinds import Kind
from connectors.sandbox.hubspot.limits import WINDOW_S, Competitor, Limits
from connectors.sandbox.hubspot.options import Options
from connectors.sandbox.hubspot.record import Record, Source
from connectors.sandbox.hubspot.timestamps import iso

_ACCESS_OPTIONS = {"token", "scopes", "token_revoked", "oauth"}


class Portal:
    """The state of the sandbox. ``contents`` is replaced as a whole by `seed.load_seed` and `restore`.

    ``source`` is the source of writes through the API.
    """

    def __init__(self, sim: Sim, token: str) -> None:
        self.sim = sim
        self.options = Options()
        self.access = Access(token)
        self.limits = Limits(self.options.app_id)
        self.contents = Contents()
        self.locks: dict[str, int] = {}
        self.competitor = Competitor()
        self.source = Source("INTEGRATION", self.options.app_id)
        self._start = (copy.deepcopy(self.contents), self.options, copy.deepcopy(self.access))

    def now_ms(self) -> int:
        """The current time of the portal, in milliseconds since 1970."""
        return int(self.sim.clock.timestamp() * 1000)

    def foreign_calls(self) -> int:
        """Calls of the window that other apps have used."""
        return self.options.competing_rps * WINDOW_S + self.competitor.takes(self.now_ms())

    def shuffle(self, results: list[JsonObject]) -> None:
        """Reorder the results of a batch at random, as HubSpot does; reproducible by the random seed."""
        rng = self.sim.random.random
        results.sort(key=lambda _result: rng())

    def shown(self, kind: Kind, record: Record, properties: dict[str, Any]) -> JsonObject:
        """The JSON of a record in every answer, with these properties."""
        shown: JsonObject = {
            "id": record.id,
            "properties": properties,
            "createdAt": iso(record.created_ms),
            "updatedAt": iso(record.updated_ms),
            "archived": record.archived_ms is not None,
        }
        if record.archived_ms is not None:
            shown["archivedAt"] = iso(record.archived_ms)
        shown["url"] = f"https://app.hubspot.com/contacts/{self.options.portal_id}/record/{kind.type_id}/{record.id}"
        return shown

    def remember_start(self) -> None:
        """Make the current state the one that `restore` returns to."""
        self._start = (copy.deepcopy(self.contents), self.options, copy.deepcopy(self.access))

    def restore(self) -> None:
        """Restore records, options and credentials of the start; empty the rate windows."""
        contents, self.options, access = self._start
        self.source = Source("INTEGRATION", self.options.app_id)
        self.contents, self.access = copy.deepcopy(contents), copy.deepcopy(access)
        self.limits = Limits(self.options.app_id)
        self.locks, self.competitor = {}, Competitor()

    def configure(self, options: JsonObject) -> JsonObject:
        """Change `Options`, credentials (`Access.configure`) and the calls used today.

        ``daily_used`` sets the calls used today; ``expire_tokens`` expires every issued OAuth token.
        """
        wanted = dict(options)
        used = wanted.pop("daily_used", None)
        expire = wanted.pop("expire_tokens", False)
        credentials = {name: wanted.pop(name) for name in _ACCESS_OPTIONS & wanted.keys()}
        self.options = self.options.changed(wanted)
        self.source = Source("INTEGRATION", self.options.app_id)
        self.access.configure(credentials)
        if expire:
            self.access.expire()
        if used is not None:
            self.limits.used_today = int(used)
        shown = {"daily_used": self.limits.used_today, "scopes": sorted(self.access.scopes)}
        return {**self.options.to_json(), **shown, "token_revoked": self.access.revoked}


def kind_named(portal: Portal, name: str) -> Kind:
    """The kind of object that a seed or a control request names. Raises `ControlError`."""
    kind = portal.contents.kind(name)
    if kind is None:
        raise ControlError(f"unknown kind of object {name!r}")
    return kind
