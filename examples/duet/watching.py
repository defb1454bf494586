"""How Duet watches itself: OpenTelemetry to Watchkeeper, and one JSON line per log record in a file."""

from __future__ import annotations

import json
import logging
import os
import resource
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import httpx
from opentelemetry import metrics, trace
from opentelemetry._logs import LogRecord, SeverityNumber, get_logger
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor, RequestInfo
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import Span
from starlette.applications import Starlette
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper_client import telemetry

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LARGEST_LOG = 5_000_000
# A live connection is no request: how long it lasts says nothing of how quick Duet is.
_NOT_REQUESTS = "healthz,v1/stream"
_events = get_logger("duet.events")


def watch_this_process(service: str, *, release: str, environment: str, endpoint: str | None, logs: Path) -> None:
    """Send this process's telemetry to `endpoint`, or nowhere without one. Before any database is opened."""
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    to_file = RotatingFileHandler(logs / f"{service}.jsonl", maxBytes=_LARGEST_LOG, backupCount=1)
    to_file.setFormatter(JsonLines(service))
    root.addHandler(to_file)
    for chatty in ("httpx", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if endpoint is None:
        return
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    telemetry.set_up(service, endpoint=endpoint, environment=environment, version=release)
    SQLite3Instrumentor().instrument()
    measure_this_process()


class JsonLines(logging.Formatter):
    """One JSON object per record, with what was passed as `extra` and the trace it belongs to."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        span = trace.get_current_span().get_span_context()
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if span.is_valid:
            line["trace_id"] = trace.format_trace_id(span.trace_id)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def tell(event: str, **attributes: str | int | float) -> None:
    """An event of the product, as OpenTelemetry has them: a log record with a name. `report_id` is `duet.report_id`."""
    now = time.time_ns()
    _events.emit(
        LogRecord(
            timestamp=now,
            observed_timestamp=now,
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            event_name=event,
            body=event,
            attributes={f"duet.{name}": value for name, value in attributes.items()},
        )
    )


def measure_this_process() -> None:
    """Memory, processor time and threads of this process as metrics."""
    meter = metrics.get_meter("duet.process")
    meter.create_observable_gauge("process.memory.usage", [_memory], "By", "Resident memory")
    meter.create_observable_counter("process.cpu.time", [_cpu], "s", "Processor time used")
    meter.create_observable_gauge("process.thread.count", [_threads], "{thread}", "Threads")


def watched(app: Starlette) -> ASGIApp:
    """`app` with a server span per request, named by its route's template, and a 500 for what it raises."""

    def details(scope: Scope) -> tuple[str, dict[str, Any]]:
        method = scope.get("method", "")
        for route in app.routes:
            if route.matches(scope)[0] is Match.FULL:
                path = getattr(route, "path", "")
                return f"{method} {path}", {"http.route": path}
        return method or "HTTP", {}

    return OpenTelemetryMiddleware(
        Failures(app), default_span_details=details, exclude_spans=["receive", "send"], excluded_urls=_NOT_REQUESTS
    )


class Failures:
    """Answers 500 for an exception that nobody expected, and logs it inside the request's span."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._log = logging.getLogger("duet.requests")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            # The outermost edge: whatever it is, it is seen in the trace and the log, and the caller gets an answer.
            if scope["type"] != "http":
                raise
            trace.get_current_span().record_exception(error)
            self._log.exception("request failed", extra={"method": scope["method"], "path": scope["path"]})


def watch_calls(client: httpx.AsyncClient, peer: str) -> None:
    """Give each call of `client` a span that says which service it went to, and pass the trace on."""

    async def name_peer(span: Span, _request: RequestInfo) -> None:
        span.set_attribute("peer.service", peer)

    HTTPXClientInstrumentor().instrument_client(client, request_hook=name_peer)


def _memory(_: CallbackOptions) -> Iterable[Observation]:
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            pages = int(statm.read().split()[1])
        yield Observation(pages * resource.getpagesize())
    except OSError:  # not Linux: the peak must do
        yield Observation(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def _cpu(_: CallbackOptions) -> Iterable[Observation]:
    yield Observation(time.process_time())


def _threads(_: CallbackOptions) -> Iterable[Observation]:
    yield Observation(threading.active_count())
