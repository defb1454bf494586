"""The OpenTelemetry objects of one process and their life: start, fork, end."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import weakref
from collections.abc import Mapping
from typing import Any

import requests
from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from requests.adapters import HTTPAdapter

from watchkeeper_client._log_handler import LogHandler, hush_exporters

_METRICS_EVERY_MS = 10_000
_DELTA: dict[type, AggregationTemporality] = dict.fromkeys(
    (Counter, Histogram, ObservableCounter), AggregationTemporality.DELTA
)


def somebody_else_set_up() -> bool:
    """Whether another piece of code, such as `opentelemetry-instrument`, has set global providers."""
    return isinstance(trace.get_tracer_provider(), TracerProvider)


class Pipeline:
    """Traces, metrics and logs on their way to one endpoint."""

    def __init__(self, attributes: Mapping[str, str], endpoint: str | None, token: str | None) -> None:
        self._resource = Resource.create(dict(attributes))
        self._endpoint = endpoint
        self._headers = {"Authorization": f"Bearer {token}"} if token else None
        self.closed = False
        self._closer = _Closer(self._close_all)

    def start(self) -> None:
        """Make the providers and install them for the whole process."""
        # Not by the providers' own exit handlers: those wait for half a minute when the endpoint is away.
        tracer = TracerProvider(resource=self._resource, shutdown_on_exit=False)
        tracer.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(**self._way("traces"))))
        meter = MeterProvider(metric_readers=[self._reader()], resource=self._resource, shutdown_on_exit=False)
        logger = LoggerProvider(resource=self._resource, shutdown_on_exit=False)
        logger.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(**self._way("logs"))))
        self._providers = (meter, tracer, logger)
        trace.set_tracer_provider(tracer)
        metrics.set_meter_provider(meter)
        set_logger_provider(logger)
        hush_exporters()
        self._handler = LogHandler(logger)
        logging.getLogger().addHandler(self._handler)

    def close(self, timeout: float) -> bool:
        """Flush and stop within `timeout` seconds; whether that was enough. Later calls only wait."""
        if not self.closed:
            self.closed = True
            logging.getLogger().removeHandler(self._handler)
        return self._closer.close(timeout)

    def _close_all(self) -> None:
        for provider in self._providers:
            # A provider that fails to end must not keep the next from sending what it holds.
            with contextlib.suppress(Exception):
                provider.shutdown()

    def _reader(self) -> PeriodicExportingMetricReader:
        preference = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
        exporter = OTLPMetricExporter(
            preferred_temporality=None if os.environ.get(preference) else _DELTA, **self._way("metrics")
        )
        every = None if os.environ.get("OTEL_METRIC_EXPORT_INTERVAL") else _METRICS_EVERY_MS
        return _Reader(exporter, export_interval_millis=every)

    def _way(self, signal: str) -> dict[str, Any]:
        """What all three exporters are told; None leaves it to the variables."""
        chosen = any(os.environ.get(f"OTEL_EXPORTER_OTLP_{part}COMPRESSION") for part in ("", f"{signal.upper()}_"))
        return {
            "endpoint": None if self._endpoint is None else f"{self._endpoint}/v1/{signal}",
            "headers": self._headers,
            "compression": None if chosen else Compression.Gzip,
            "session": _ForkedSession(),
        }


class _Reader(PeriodicExportingMetricReader):
    """Also exports in a child that was forked in the middle of an export."""

    def _at_fork_reinit(self) -> None:
        # A lock that a thread of the parent held is never released in the child: that thread is not there.
        self._export_lock = threading.Lock()
        super()._at_fork_reinit()  # type: ignore[no-untyped-call]


class _ForkedSession(requests.Session):
    """Connections of its own in each process: parent and child writing to one socket would garble both."""

    def __init__(self) -> None:
        super().__init__()
        _after_fork(self._connect_anew)

    def _connect_anew(self) -> None:
        self.mount("https://", HTTPAdapter())
        self.mount("http://", HTTPAdapter())


class _Closer:
    """Ends the pipeline on a thread that waits for it: at the end of an interpreter no thread can be started."""

    def __init__(self, close: Any) -> None:
        self._close = close
        self._wait_for_the_end()
        _after_fork(self._wait_for_the_end)

    def close(self, timeout: float) -> bool:
        self._asked.set()
        return self._done.wait(timeout)

    def _wait_for_the_end(self) -> None:
        self._asked = threading.Event()
        self._done = threading.Event()
        threading.Thread(
            target=self._run, args=(self._asked, self._done), name="watchkeeper-telemetry-end", daemon=True
        ).start()

    def _run(self, asked: threading.Event, done: threading.Event) -> None:
        asked.wait()
        self._close()
        done.set()


def _after_fork(renew: Any) -> None:
    if not hasattr(os, "register_at_fork"):
        return
    method = weakref.WeakMethod(renew)

    def in_child() -> None:
        if call := method():
            call()

    os.register_at_fork(after_in_child=in_child)
