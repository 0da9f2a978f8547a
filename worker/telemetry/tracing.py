"""Traces: one span per stage with ids and counts, never a value, a token, an address or a person.

Tracing is on when the standard variables of OpenTelemetry name a collector; else OpenTelemetry is not imported.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

from worker.settings.environment import traces_wanted

if TYPE_CHECKING:
    from opentelemetry.trace import Span as OtelSpan

    from worker.telemetry.otel import Traces

log = structlog.get_logger()

Attribute = str | int | list[str]

_CONTEXT_KEYS = ("run_id", "destination", "playbook")
"""The keys of the logging context that a span carries too."""


class Span:
    """One span. While tracing is off, its methods do nothing."""

    def __init__(self, traced: OtelSpan | None = None) -> None:
        self._traced = traced

    def set_attributes(self, **attributes: Attribute) -> None:
        """Set ids, names or counts as attributes."""
        if self._traced:
            self._traced.set_attributes({f"plgsync.{name}": value for name, value in attributes.items()})

    def fail(self, kind: str) -> None:
        """Mark the span as failed; ``kind`` is the name of an error or a code, never its text."""
        if self._traced:
            from opentelemetry.trace import StatusCode

            self._traced.set_attribute("error.type", kind)
            self._traced.set_status(StatusCode.ERROR)


_UNTRACED = Span()
_lock = threading.Lock()
_traces: Traces | None = None
_opened = False


@contextmanager
def span(
    name: str,
    *,
    calls_out: bool = False,
    runs: Iterable[str] = (),
    fine: type[Exception] | None = None,
    **attributes: Attribute,
) -> Iterator[Span]:
    """A span around the block, with the ids that the logging context holds.

    ``calls_out``: the block calls another system. ``runs``: the span links to the traces of these runs.
    An error that leaves the block marks the span as failed, unless it is an instance of ``fine``.
    """
    traces = _open()
    if traces is None:
        yield _UNTRACED
        return
    bound = structlog.contextvars.get_contextvars()
    context = {key: bound[key] for key in _CONTEXT_KEYS if key in bound}
    with traces.start(name, context.get("run_id"), calls_out=calls_out, runs=runs) as traced:
        one = Span(traced)
        one.set_attributes(**context, **attributes)
        try:
            yield one
        except BaseException as error:
            if fine is None or not isinstance(error, fine):
                one.fail(type(error).__name__)
            raise


def flush() -> None:
    """Send the unsent spans of this process, for two seconds at most, and end tracing."""
    if _traces is not None:
        _traces.close()


def name_trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: adds the ids of the current span to a log line."""
    if _traces is not None:
        event.update(_traces.current())
    return event


def _open() -> Traces | None:
    """The traces of this process, made at its first span, so that each forked pool process makes its own."""
    global _traces, _opened
    if _opened:
        return _traces
    with _lock:
        if not _opened and traces_wanted():
            try:
                from worker.telemetry.otel import Traces

                _traces = Traces()
            except ImportError:
                log.warning("tracing is off", reason="OpenTelemetry is not installed; install plgsync[otel]")
            except Exception as error:  # noqa: BLE001 - an invalid OTEL_ variable must not stop the work
                log.warning("tracing is off", reason="a variable OTEL_... is wrong", error=type(error).__name__)
        _opened = True
    return _traces
