"""Watchkeeper's own metrics: three verbs for the modules, Prometheus text and OTLP for everybody else.

Instruments belong to the process, as its memory does, so they live in this module. Labels must have few values.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from watchkeeper.kernel.telemetry.resource import own_resource

Labels = Mapping[str, str | int | bool]
GaugeValues = float | Iterable[tuple[Labels, float]]
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

_log = structlog.get_logger("watchkeeper.telemetry")
_registry = CollectorRegistry()
_lock = threading.Lock()
_gauges: dict[str, Callable[[], GaugeValues]] = {}
_instruments: dict[str, Counter | Histogram] = {}


def _make_provider() -> MeterProvider:
    reader = PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=_registry)
    ProcessCollector(registry=_registry)
    GCCollector(registry=_registry)
    seconds = View(instrument_unit="s", aggregation=ExplicitBucketHistogramAggregation(SECONDS))
    return MeterProvider([reader], resource=own_resource(), views=[seconds], shutdown_on_exit=False)


_provider = _make_provider()
_meter = _provider.get_meter("watchkeeper")


@dataclass(frozen=True)
class CounterHandle:
    """A count that only grows."""

    _instrument: Counter

    def add(self, amount: int = 1, **labels: str | int | bool) -> None:
        """Count `amount` more under these labels."""
        self._instrument.add(amount, labels)


@dataclass(frozen=True)
class HistogramHandle:
    """A distribution of measurements."""

    _instrument: Histogram

    def observe(self, value: float, labels: Labels | None = None) -> None:
        """Record one measurement."""
        self._instrument.record(value, dict(labels or {}))


def counter(name: str, description: str, *, unit: str = "") -> CounterHandle:
    """The process's counter of this OpenTelemetry name, such as `watchkeeper.journal.facts`."""
    with _lock:
        instrument = _instruments.get(name)
        if not isinstance(instrument, Counter):
            instrument = _instruments[name] = _meter.create_counter(name, unit, description)
    return CounterHandle(instrument)


def histogram(name: str, description: str, *, unit: str = "s") -> HistogramHandle:
    """The process's histogram of this name; those in seconds have buckets from 5 ms to 10 s."""
    with _lock:
        instrument = _instruments.get(name)
        if not isinstance(instrument, Histogram):
            instrument = _instruments[name] = _meter.create_histogram(name, unit, description)
    return HistogramHandle(instrument)


def gauge_callback(
    name: str, description: str, read: Callable[[], GaugeValues], *, unit: str = ""
) -> Callable[[], None]:
    """Report what `read` answers, whenever metrics are collected; it must answer from memory or a quick query.

    A later registration of the name takes the place of the earlier one. Returns what takes it away again.
    """

    def observe(_: CallbackOptions) -> Iterable[Observation]:
        return _observations(name)

    with _lock:
        known = name in _gauges
        _gauges[name] = read
    if not known:
        _meter.create_observable_gauge(name, [observe], unit, description)

    def remove() -> None:
        with _lock:
            if _gauges.get(name) is read:
                _gauges[name] = _nothing

    return remove


def render(accept: str = "") -> tuple[bytes, str]:
    """All metrics as Prometheus text (or OpenMetrics where `accept` asks for it), and the media type."""
    encode, media_type = choose_encoder(accept)
    return encode(_registry), media_type


def add_reader(reader: MetricReader) -> None:
    """Let a reader collect the same metrics."""
    _provider.add_metric_reader(reader)


def remove_reader(reader: MetricReader) -> None:
    """Stop a reader added before."""
    _provider.remove_metric_reader(reader)


def _nothing() -> Sequence[tuple[Labels, float]]:
    return ()


def _observations(name: str) -> list[Observation]:
    try:
        answer = _gauges[name]()
        pairs = [({}, answer)] if isinstance(answer, (int, float)) else list(answer)
    except Exception as error:  # noqa: BLE001 (an edge: one gauge that breaks must not hide all the others)
        _log.warning("a gauge could not be read", gauge=name, error=type(error).__name__)
        return []
    return [Observation(value, dict(labels)) for labels, value in pairs]
