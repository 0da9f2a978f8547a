"""One HubSpot portal: the state that the control API, the handlers and the page at ``/`` work on."""

from __future__ import annotations

import copy
from typing import Any

from connectors.sandbox.core.control import JsonObject
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

    ``source`` is who writes through the API.
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
        """The portal's time."""
        return int(self.sim.clock.timestamp() * 1000)

    def foreign_calls(self) -> int:
        """Calls of the window that other apps have taken."""
        return self.options.competing_rps * WINDOW_S + self.competitor.takes(self.now_ms())

    def shuffle(self, results: list[JsonObject]) -> None:
        """Put the results of a batch into another order, as HubSpot does; which one the seed decides."""
        rng = self.sim.random.random
        results.sort(key=lambda _result: rng())

    def shown(self, kind: Kind, record: Record, properties: dict[str, Any]) -> JsonObject:
        """A record as every answer shows it, with these properties."""
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
        """Make the state as it is now the one `restore` goes back to."""
        self._start = (copy.deepcopy(self.contents), self.options, copy.deepcopy(self.access))

    def restore(self) -> None:
        """Records, options and credentials as they were at the start; rate windows are empty."""
        contents, self.options, access = self._start
        self.contents, self.access = copy.deepcopy(contents), copy.deepcopy(access)
        self.limits = Limits(self.options.app_id)
        self.locks, self.competitor = {}, Competitor()

    def configure(self, options: JsonObject) -> JsonObject:
        """Change `Options`, credentials (`Access.configure`) and what is left of the day.

        ``daily_used`` calls are taken from today; ``expire_tokens`` ends every OAuth token given out.
        """
        wanted = dict(options)
        used = wanted.pop("daily_used", None)
        expire = wanted.pop("expire_tokens", False)
        credentials = {name: wanted.pop(name) for name in _ACCESS_OPTIONS & wanted.keys()}
        self.options = self.options.changed(wanted)
        self.access.configure(credentials)
        if expire:
            self.access.expire()
        if used is not None:
            self.limits.used_today = int(used)
        shown = {"daily_used": self.limits.used_today, "scopes": sorted(self.access.scopes)}
        return {**self.options.to_json(), **shown, "token_revoked": self.access.revoked}
