"""What every sandbox CRM shares: clock, randomness, request log, faults, control routes, HTTP server.

How to build a sandbox CRM (``connectors/sandbox/<crm>/app.py``)::

    from connectors.sandbox.core.control import control_routes
    from connectors.sandbox.core.middleware import Middleware
    from connectors.sandbox.core.sim import Sim

    class PortalControls:                            # satisfies control.Controlled
        sim: Sim
        def state(self, object: str | None) -> JsonObject: ...
        def mutate(self, action: JsonObject) -> JsonObject: ...   # raises ControlError for an invalid action
        def load(self, seed: JsonObject) -> None: ...             # atomic: all or nothing
        def restore(self) -> None: ...                            # back to the state at the start
        def configure(self, options: JsonObject) -> JsonObject: ...

    def open_portal(seed: JsonObject, *, random_seed: int, token: str) -> Portal: ...   # serve.py calls it

    def hubspot_app(portal: Portal) -> Middleware:
        app = Starlette(routes=[*control_routes(PortalControls(portal)), ...])
        return Middleware(app, portal.sim, faults_first=False)

`Middleware` wraps the whole app: it reads the body, opens one `Exchange` per request, logs it and applies the
faults that act on the finished answer. A handler gets its exchange from ``exchange_of(request)``. It may set
``exchange.records`` (number of records in the call) and ``exchange.add_notes(...)``, and reads ``exchange.fault`` for
a kind of fault that only this CRM knows (``kind``, ``args``). With ``faults_first=False`` the app decides when
armed faults apply (after its rate limits, for example):
``if (response := await response_before(exchange)): return response``.

A CRM that avoids the cost of Starlette gives ``Middleware(..., direct=answer)``: ``answer(exchange)`` returns a
`middleware.RawResponse`, or None to pass the request to the app. It needs only ``exchange.headers``,
``exchange.query()`` and `connectors.wire` (JSON). `core.persistence` stores in SQLite the state of a CRM that
reports its changes (`persistence.ChangeTracker`).

``Sim(kinds=...)`` names the kinds of fault only this CRM knows. Requests below ``/__sim`` and the page at ``/`` are
neither logged nor affected by faults.
"""
