"""A tiny OTLP receiver that remembers what it was sent; for tests of senders."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_MESSAGES: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


@dataclass
class Sink:
    """What arrived, in order. While `held` is set, nothing is answered."""

    url: str = ""
    headers: list[dict[str, str]] = field(default_factory=list)
    requests: list[tuple[str, Any]] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)

    def spans(self) -> dict[str, Any]:
        """Spans by name."""
        return {
            span.name: span
            for group in self._groups("/v1/traces", "resource_spans")
            for scope in group.scope_spans
            for span in scope.spans
        }

    def logs(self) -> dict[str, Any]:
        """Log records by their text."""
        return {
            record.body.string_value: record
            for group in self._groups("/v1/logs", "resource_logs")
            for scope in group.scope_logs
            for record in scope.log_records
        }

    def metrics(self) -> dict[str, Any]:
        """Metrics by name, the latest of each."""
        return {
            metric.name: metric
            for group in self._groups("/v1/metrics", "resource_metrics")
            for scope in group.scope_metrics
            for metric in scope.metrics
        }

    def resource_of(self, span: str) -> dict[str, str]:
        """The attributes of the resource that a span came from."""
        for group in self._groups("/v1/traces", "resource_spans"):
            if any(one.name == span for scope in group.scope_spans for one in scope.spans):
                return {one.key: one.value.string_value for one in group.resource.attributes}
        raise KeyError(span)

    def connection_of(self, span: str) -> int:
        """The sender's port that a span came from."""
        for connection, (path, message) in zip(self.connections, self.requests, strict=True):
            groups = message.resource_spans if path == "/v1/traces" else ()
            if any(one.name == span for group in groups for scope in group.scope_spans for one in scope.spans):
                return connection
        raise KeyError(span)

    def _groups(self, path: str, name: str) -> list[Any]:
        return [group for sent, message in self.requests if sent == path for group in getattr(message, name)]


@contextmanager
def otlp_sink() -> Iterator[Sink]:
    """A receiver on a free port until the block ends."""
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            sink.headers.append({name.lower(): value for name, value in self.headers.items()})
            sink.requests.append((self.path, _MESSAGES[self.path].FromString(body)))
            sink.connections.append(self.client_address[1])
            while sink.held.is_set():
                threading.Event().wait(0.05)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sink.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield sink
    finally:
        sink.held.clear()
        server.shutdown()
        server.server_close()
