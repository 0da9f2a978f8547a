"""A collector of OpenTelemetry traces on this machine, that keeps what it gets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    """One span that arrived."""

    name: str
    id: bytes
    trace: bytes
    parent: bytes
    failed: bool
    facts: dict[str, Any]
    links: tuple[bytes, ...]


@dataclass
class Collector:
    """What arrived: the requests' paths, their bytes, and the names the service gave itself."""

    url: str
    paths: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def spans(self) -> list[Seen]:
        """Every span that arrived so far."""
        return [_seen(span) for resource in self._resources() for scope in resource.scope_spans for span in scope.spans]

    def services(self) -> set[str]:
        """What the spans' senders call themselves."""
        found = [_facts(resource.resource.attributes) for resource in self._resources()]
        return {one["service.name"] for one in found}

    def named(self, name: str) -> list[Seen]:
        """The spans of one name."""
        return [span for span in self.spans() if span.name == name]

    def _resources(self) -> Iterator[Any]:
        for body in list(self.bodies):
            request = ExportTraceServiceRequest()
            request.ParseFromString(body)
            yield from request.resource_spans


def _seen(span: Any) -> Seen:
    links = tuple(link.trace_id for link in span.links)
    return Seen(
        span.name,
        span.span_id,
        span.trace_id,
        span.parent_span_id,
        span.status.code == span.status.STATUS_CODE_ERROR,
        _facts(span.attributes),
        links,
    )


def _facts(attributes: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.paths.append(self.path)
            collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
