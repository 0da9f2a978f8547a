"""The org as the control API sees it."""

from __future__ import annotations

from connectors.sandbox.core.control import ControlError, JsonObject
from connectors.sandbox.salesforce.bulk import advance_jobs
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.seed import load_seed
from connectors.sandbox.salesforce.ui_actions import perform


class OrgControls:
    """Satisfies `core.control.Controlled` for one org."""

    def __init__(self, org: Org) -> None:
        self.sim = org.sim
        self._org = org

    def state(self, object: str | None) -> JsonObject:
        """Records as stored, deleted ones included; without empty fields."""
        if object is not None and object not in self._org.tables:
            raise ControlError(f"there is no object {object}")
        advance_jobs(self._org)
        names = [object] if object else list(self._org.tables)
        return {
            "objects": {name: list(self._org.tables[name].records.values()) for name in names},
            "api_calls": self._org.calls_used(),
            "sessions": len(self._org.sessions),
            "locked": sorted(self._org.locked),
            "staff": {
                "admin": self._org.staff.admin,
                "integration": self._org.staff.integration,
                "organization": self._org.staff.organization,
            },
        }

    def mutate(self, action: JsonObject) -> JsonObject:
        """Carry out an action of a user in the org's pages (`salesforce.ui_actions`)."""
        return perform(self._org, action)

    def load(self, seed: JsonObject) -> None:
        """Add a seed; a reset removes it again."""
        load_seed(self._org, seed)

    def restore(self) -> None:
        """Restore the state of the start."""
        self._org.restore()

    def configure(self, options: JsonObject) -> JsonObject:
        """Change options; a reset restores those of the seed."""
        self._org.set_options(options)
        return self._org.options.to_json()
