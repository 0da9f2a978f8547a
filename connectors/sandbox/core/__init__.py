"""What every sandbox CRM shares: clock, randomness, request log, faults, control routes, HTTP server.

How a sandbox CRM is put together (``connectors/sandbox/<crm>/app.py``)::

    from connectors.sandbox.core.control import control_routes
    from connectors.sandbox.core.gate import Gate, exchange_of, refuse_before
    from connectors.sandbox.core.sim import Sim

    class Portal:                                    # the CRM's state; satisfies control.Controlled
        sim: Sim
        def state(self, object: str | None) -> JsonObject: ...
        def mutate(self, action: JsonObject) -> JsonObject: ...   # raise ControlError to refuse
        def load(self, seed: JsonObject) -> None: ...             # atomic: all or nothing
        def restore(self) -> None: ...                            # back to how it was after `load`
        def configure(self, options: JsonObject) -> JsonObject: ...

    def open_portal(seed: JsonObject, *, random_seed: int, token: str) -> Portal: ...   # called by serve.py

    def hubspot_app(state: Portal) -> Gate:
        app = Starlette(routes=[*control_routes(state), ...])
        return Gate(app, state.sim, faults_first=False)

`Gate` wraps the whole app: it reads the body, opens one `Exchange` per request, logs it and plays the
faults that act on the finished answer. A handler finds its exchange with ``exchange_of(request)``, may
set ``exchange.records`` (number of records in the call) and ``exchange.note(...)``, and asks
``exchange.fault`` for a fault that only this CRM knows (``kind``, ``args``). With
``faults_first=False`` the app decides when armed faults are looked at (after its rate limits, say):
``if (refusal := await refuse_before(exchange)): return refusal``.

A CRM that wants none of Starlette's cost gives ``Gate(..., direct=answer)``: ``answer(exchange)`` returns a
`gate.Reply`, or None to let the app answer. ``exchange.headers``, ``exchange.query()`` and `connectors.wire` (JSON) are
all it needs. `core.lasting` keeps in SQLite the state of a CRM that says what changed (`lasting.Lasting`).

``Sim(kinds=...)`` names the kinds of fault only this CRM knows. Requests below ``/__sim`` and the page at
``/`` are neither logged nor disturbed by faults.
"""
