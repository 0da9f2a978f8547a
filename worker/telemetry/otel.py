"""OpenTelemetry, imported only where traces are wanted. The library reads its own variables and does the sending."""

from __future__ import annotations

import atexit
import hashlib
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib.metadata import version
from threading import Thread

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, TraceFlags, get_current_span

_FLUSH_S = 2.0
"""A collector that is away must not hold up a process that is told to end."""

_beginning: ContextVar[str | None] = ContextVar("beginning", default=None)
"""The run whose trace begins at this moment."""


class Traces:
    """A provider of our own: what else in this process may be instrumented neither sees nor sends our spans."""

    def __init__(self) -> None:
        # A collector that is away is said in the logs of workers, and is nothing to the person at a command.
        logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
        named = OTELResourceDetector().detect().attributes
        of_service = {SERVICE_NAME: "plgsync", SERVICE_VERSION: version("plgsync"), **named}
        self._provider = TracerProvider(
            resource=Resource.create(of_service), id_generator=_Ids(), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("plgsync")
        atexit.register(self.close)

    @contextmanager
    def start(self, name: str, run_id: str | None, *, calls_out: bool, runs: Iterable[str]) -> Iterator[Span]:
        """A span; the first of a run begins the run's own trace. No error is recorded: its words may hold values."""
        around = get_current_span().get_span_context()
        begins = _beginning.set(None if around.is_valid else run_id)
        try:
            started = self._tracer.start_as_current_span(
                name,
                kind=SpanKind.CLIENT if calls_out else SpanKind.INTERNAL,
                links=[Link(root) for root in map(_root_of, runs) if root.trace_id != around.trace_id],
                record_exception=False,
                set_status_on_exception=False,
            )
            span = started.__enter__()
        finally:
            _beginning.reset(begins)
        try:
            yield span
        finally:
            started.__exit__(None, None, None)

    def current(self) -> dict[str, str]:
        """The ids of the span that we are in, as they are written."""
        inside = get_current_span().get_span_context()
        if not inside.is_valid:
            return {}
        return {"trace_id": f"{inside.trace_id:032x}", "span_id": f"{inside.span_id:016x}"}

    def close(self) -> None:
        """Send what is left."""
        atexit.unregister(self.close)
        with suppress(RuntimeError):  # Python 3.12.0 starts no thread so late
            closing = Thread(target=self._provider.shutdown, daemon=True)
            closing.start()
            closing.join(_FLUSH_S)


def _root_of(run_id: str) -> SpanContext:
    """Where the trace of a run begins: made from the run's id, so that whoever delivers later knows it too."""
    digest = hashlib.sha256(run_id.encode()).digest()
    return SpanContext(
        int.from_bytes(digest[:16]), int.from_bytes(digest[16:24]), is_remote=True, trace_flags=TraceFlags(1)
    )


class _Ids(RandomIdGenerator):
    """Random, but for the first span of a run."""

    def generate_trace_id(self) -> int:
        run_id = _beginning.get()
        return _root_of(run_id).trace_id if run_id else super().generate_trace_id()

    def generate_span_id(self) -> int:
        run_id = _beginning.get()
        return _root_of(run_id).span_id if run_id else super().generate_span_id()
