"""Watchkeeper shows itself: its spans, metrics and log lines leave as OTLP bytes through a callback.

Nothing here waits for the callback on a request's path, and nothing that the callback does is watched in turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, MutableMapping, Sequence
from datetime import datetime
from typing import Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

from watchkeeper.kernel.clock import parse_rfc3339, to_unix_nano
from watchkeeper.kernel.telemetry import logs, metrics, tracing
from watchkeeper.kernel.telemetry.resource import own_resource

Export = Callable[[str, bytes], bool | None]
"""`export(signal, request)`: signal is traces, metrics or logs. False or an exception: not taken, and dropped."""

_QUEUE = 4096
_BATCH = 512
_SEVERITIES = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
    "critical": SeverityNumber.FATAL,
}
_NOT_ATTRIBUTES = frozenset({"event", "level", "at", "trace_id", "logger"})
_dropped = metrics.counter(
    "watchkeeper.self_telemetry.dropped", "Batches of Watchkeeper's own telemetry that were refused."
)


class SelfTelemetry:
    """Between `start` and `stop`, everything Watchkeeper does is handed to `export` in batches, from own threads."""

    def __init__(self, export: Export, *, delay_seconds: float = 2.0, metrics_seconds: float = 15.0) -> None:
        self._way_out = _WayOut(export)
        self._delay = delay_seconds * 1000
        self._metrics_every = metrics_seconds
        self._stop: list[Callable[[], object]] = []

    def start(self) -> None:
        """Begin. Only one per process at a time."""
        spans = TracerProvider(sampler=ParentBased(ALWAYS_ON), resource=own_resource(), shutdown_on_exit=False)
        spans.add_span_processor(
            BatchSpanProcessor(_Spans(self._way_out), _QUEUE, self._delay, _BATCH)  # a full queue drops the oldest
        )
        lines = LoggerProvider(own_resource(), shutdown_on_exit=False)
        lines.add_log_record_processor(
            BatchLogRecordProcessor(_Lines(self._way_out), self._delay, _BATCH, None, _QUEUE)
        )
        reader = _Metrics(self._way_out, self._metrics_every)
        reader.begin()
        tracing.use_provider(spans)
        forget_sink = logs.add_sink(_LogSink(lines))
        self._stop = [
            forget_sink,
            lambda: tracing.use_provider(None),
            reader.end,
            spans.shutdown,
            lines.shutdown,
        ]

    def stop(self) -> None:
        """Hand over what is left and end."""
        steps, self._stop = self._stop, []
        for step in steps:
            step()


class _WayOut:
    def __init__(self, export: Export) -> None:
        self._export = export

    def send(self, signal: str, request: bytes) -> bool:
        """Whether it was taken; what isn't is dropped, since keeping it would only move the problem here."""
        with tracing.unwatched():
            try:
                taken = self._export(signal, request) is not False
            except Exception:  # noqa: BLE001 (an edge: telemetry about itself must never harm what it is about)
                taken = False
        if not taken:
            _dropped.add(signal=signal)
        return taken


class _Spans(SpanExporter):
    def __init__(self, out: _WayOut) -> None:
        self._out = out

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        taken = self._out.send("traces", encode_spans(spans).SerializeToString())
        return SpanExportResult.SUCCESS if taken else SpanExportResult.FAILURE


class _Lines(LogRecordExporter):
    def __init__(self, out: _WayOut) -> None:
        self._out = out

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        taken = self._out.send("logs", encode_logs(batch).SerializeToString())
        return LogRecordExportResult.SUCCESS if taken else LogRecordExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 10_000) -> bool:  # noqa: ARG002
        return True

    def shutdown(self) -> None:
        """Nothing to close."""


class _Metrics(MetricReader):
    """Collects every few seconds. The SDK's own periodic reader can't be taken away again without complaining."""

    def __init__(self, out: _WayOut, every: float) -> None:
        super().__init__()
        self._out, self._every = out, every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="own-metrics", daemon=True)

    def begin(self) -> None:
        """Start collecting."""
        metrics.add_reader(self)
        self._thread.start()

    def end(self) -> None:
        """Collect once more and stop."""
        self._ended.set()
        self._thread.join(10)
        metrics.remove_reader(self)

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            self.collect()
        self.collect()

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any) -> None:  # noqa: ARG002
        self._out.send("metrics", encode_metrics(metrics_data).SerializeToString())

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """Nothing to close; `end` did it."""


class _LogSink:
    def __init__(self, provider: LoggerProvider) -> None:
        self._provider = provider

    def __call__(self, event: MutableMapping[str, Any]) -> None:
        if tracing.is_unwatched():
            return
        level = str(event.get("level", "info"))
        self._provider.get_logger(str(event.get("logger", "watchkeeper"))).emit(
            timestamp=_nanoseconds(event.get("at")),
            severity_number=_SEVERITIES.get(level, SeverityNumber.INFO),
            severity_text=level.upper(),
            body=str(event.get("event", "")),
            attributes={name: _plain(value) for name, value in event.items() if name not in _NOT_ATTRIBUTES},
        )


def _nanoseconds(at: Any) -> int | None:
    instant: datetime | None = parse_rfc3339(at) if isinstance(at, str) else None
    return to_unix_nano(instant) if instant else None


def _plain(value: Any) -> str | int | float | bool:
    return value if isinstance(value, (str, int, float, bool)) else str(value)
