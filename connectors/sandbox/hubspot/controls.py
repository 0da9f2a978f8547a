"""The portal as the control API sees it."""

from __future__ import annotations

from connectors.sandbox.core.control import JsonObject
from connectors.sandbox.hubspot.portal import Portal, kind_named
from connectors.sandbox.hubspot.seed import load_seed
from connectors.sandbox.hubspot.ui_actions import perform


class PortalControls:
    """Satisfies `core.control.Controlled` for one portal."""

    def __init__(self, portal: Portal) -> None:
        self.sim = portal.sim
        self._portal = portal

    def state(self, object: str | None) -> JsonObject:
        """Every record with all its values, archived ones included; owners, associations and custom properties."""
        portal, contents = self._portal, self._portal.contents
        named = kind_named(portal, object) if object is not None else None
        records = {
            kind.name: [portal.shown(kind, r, dict(r.values)) for r in contents.records[kind.name].by_id.values()]
            for kind in ((named,) if named else contents.kinds)
        }
        if named:
            return {"objects": records}
        return {
            "objects": records,
            "owners": [owner.to_json() for owner in contents.owners.values()],
            "associations": contents.associations.to_json(),
            "properties": {
                name: [known.to_dated_json() for known in schema.properties.values() if not known.defined_by_hubspot]
                for name, schema in contents.schemas.items()
            },
        }

    def mutate(self, action: JsonObject) -> JsonObject:
        """Carry out an action of a user in HubSpot's pages (`ui_actions`). Raises `ControlError`."""
        return perform(self._portal, action)

    def load(self, seed: JsonObject) -> None:
        """Add the records of a seed, all or none. Raises `ControlError`."""
        load_seed(self._portal, seed)

    def restore(self) -> None:
        """Restore the state of the start (`Portal.restore`)."""
        self._portal.restore()

    def configure(self, options: JsonObject) -> JsonObject:
        """Change options and credentials (`Portal.configure`)."""
        return self._portal.configure(options)
