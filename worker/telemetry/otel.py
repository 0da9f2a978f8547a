"""Traces by OpenTelemetry, imported only when tracing is on. The library reads its variables and sends the spans."""

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
"""The longest time for which an unreachable collector delays the end of a process."""

_starting_run: ContextVar[str | None] = ContextVar("starting_run", default=None)
"""The run whose trace starts with the span that is being made."""


class Traces:
    """A tracer provider of its own: other instrumentation in this process neither sees nor sends these spans."""

    def __init__(self) -> None:
        # Workers log an unreachable collector; a command prints nothing about it.
        logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
        environment = OTELResourceDetector().detect().attributes
        service = {SERVICE_NAME: "plgsync", SERVICE_VERSION: version("plgsync"), **environment}
        self._provider = TracerProvider(
            resource=Resource.create(service), id_generator=_RunIdGenerator(), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("plgsync")
        atexit.register(self.close)

    @contextmanager
    def start(self, name: str, run_id: str | None, *, calls_out: bool, runs: Iterable[str]) -> Iterator[Span]:
        """A span; the first span of a run starts its trace. Errors are not recorded: their text may hold values."""
        parent = get_current_span().get_span_context()
        token = _starting_run.set(None if parent.is_valid else run_id)
        try:
            started = self._tracer.start_as_current_span(
                name,
                kind=SpanKind.CLIENT if calls_out else SpanKind.INTERNAL,
                links=[Link(root) for root in map(_root_of, runs) if root.trace_id != parent.trace_id],
                record_exception=False,
                set_status_on_exception=False,
            )
            span = started.__enter__()
        finally:
            _starting_run.reset(token)
        try:
            yield span
        finally:
            started.__exit__(None, None, None)

    def current(self) -> dict[str, str]:
        """The ids of the current span in hex; empty outside a span."""
        current = get_current_span().get_span_context()
        if not current.is_valid:
            return {}
        return {"trace_id": f"{current.trace_id:032x}", "span_id": f"{current.span_id:016x}"}

    def close(self) -> None:
        """Send the spans that are left, for two seconds at most."""
        atexit.unregister(self.close)
        with suppress(RuntimeError):  # Python 3.12.0 starts no thread at exit
            closing = Thread(target=self._provider.shutdown, daemon=True)
            closing.start()
            closing.join(_FLUSH_S)


def _root_of(run_id: str) -> SpanContext:
    """The root span of a run, derived from the id of the run: a later delivery in any process links to it."""
    digest = hashlib.sha256(run_id.encode()).digest()
    return SpanContext(
        int.from_bytes(digest[:16]), int.from_bytes(digest[16:24]), is_remote=True, trace_flags=TraceFlags(1)
    )


class _RunIdGenerator(RandomIdGenerator):
    """Random ids, except for the first span of a run."""

    def generate_trace_id(self) -> int:
        run_id = _starting_run.get()
        return _root_of(run_id).trace_id if run_id else super().generate_trace_id()

    def generate_span_id(self) -> int:
        run_id = _starting_run.get()
        return _root_of(run_id).span_id if run_id else super().generate_span_id()
