"""Traces: one span a stage, of ids and counts; never a value, a token, an address or a person.

Off unless the standard variables of OpenTelemetry name a collector; then nothing of it is imported.
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

Fact = str | int | list[str]

_ABOUT = ("run_id", "destination", "playbook")
"""What of the logging context a span belongs to as well."""


class Span:
    """Something that is going on. Where nothing is traced, what it is told goes nowhere."""

    def __init__(self, traced: OtelSpan | None = None) -> None:
        self._traced = traced

    def note(self, **facts: Fact) -> None:
        """Keep ids, names or counts."""
        if self._traced:
            self._traced.set_attributes({f"plgsync.{name}": fact for name, fact in facts.items()})

    def fails(self, kind: str) -> None:
        """It does not come out well; ``kind`` is the name of an error or a code, never its words."""
        if self._traced:
            from opentelemetry.trace import StatusCode

            self._traced.set_attribute("error.type", kind)
            self._traced.set_status(StatusCode.ERROR)


_UNTRACED = Span()
_lock = threading.Lock()
_traces: Traces | None = None
_looked = False


@contextmanager
def span(
    name: str, *, calls_out: bool = False, runs: Iterable[str] = (), fine: type[Exception] | None = None, **facts: Fact
) -> Iterator[Span]:
    """What happens in here, with what the log lines of this moment belong to.

    ``calls_out``: another system is asked. ``runs`` are the runs it goes back to, whose traces it is linked with.
    An error that leaves it marks it as failed, unless it is of the kind ``fine``.
    """
    traces = _open()
    if traces is None:
        yield _UNTRACED
        return
    bound = structlog.contextvars.get_contextvars()
    about = {key: bound[key] for key in _ABOUT if key in bound}
    with traces.start(name, about.get("run_id"), calls_out=calls_out, runs=runs) as traced:
        one = Span(traced)
        one.note(**about, **facts)
        try:
            yield one
        except BaseException as error:
            if fine is None or not isinstance(error, fine):
                one.fails(type(error).__name__)
            raise


def flush() -> None:
    """Send what this process has not sent yet, for two seconds at most; nothing more is sent afterwards."""
    if _traces is not None:
        _traces.close()


def name_trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: log lines name the span that they were written in."""
    if _traces is not None:
        event.update(_traces.current())
    return event


def _open() -> Traces | None:
    """This process's traces, made at its first span: what a pool process is forked from has none."""
    global _traces, _looked
    if _looked:
        return _traces
    with _lock:
        if not _looked and traces_wanted():
            try:
                from worker.telemetry.otel import Traces

                _traces = Traces()
            except ImportError:
                log.warning("nothing is traced", reason="OpenTelemetry is not installed; install plgsync[otel]")
            except Exception as error:  # noqa: BLE001 - a variable of OpenTelemetry's that it cannot use stops no work
                log.warning("nothing is traced", reason="a variable OTEL_... is wrong", error=type(error).__name__)
        _looked = True
    return _traces
