"""Watchkeeper's own spans, lines and metrics leave as OTLP that any intake reads, and never hold anything up."""

import io
import logging
import threading
import time

import pytest
import structlog
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.telemetry import metrics, tracing
from watchkeeper.kernel.telemetry.logs import configure_logging
from watchkeeper.kernel.telemetry.self_telemetry import SelfTelemetry

REQUESTS = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}


class Intake:
    """Keeps what arrives, decoded."""

    def __init__(self) -> None:
        self.arrived = {signal: [] for signal in REQUESTS}

    def __call__(self, signal: str, request: bytes) -> bool:
        self.arrived[signal].append(REQUESTS[signal].FromString(request))
        return True


@pytest.fixture
def logged():
    root = logging.getLogger()
    before = (root.handlers, root.level)
    stream = io.StringIO()
    configure_logging(ServerSettings(log_format="json"), stream=stream)
    yield stream
    root.handlers, root.level = before
    structlog.reset_defaults()


def run(export, work) -> None:
    own = SelfTelemetry(export, delay_seconds=0.05, metrics_seconds=0.05)
    own.start()
    try:
        work()
    finally:
        own.stop()


def some_work() -> None:
    with tracing.tracer().start_as_current_span("rotate"):
        structlog.get_logger("watchkeeper.test").warning("rotated", password="swordfish", files=3)
    metrics.counter("test.rotations", "x").add()


def dropped(signal: str) -> float:
    mark = f'watchkeeper_self_telemetry_dropped_total{{signal="{signal}"}} '
    return float(metrics.render()[0].decode().partition(mark)[2].partition("\n")[0] or 0)


def test_all_three_signals_arrive_as_the_service_watchkeeper(logged):
    intake = Intake()
    run(intake, some_work)
    for requests in intake.arrived.values():
        first = requests[0]
        resource = next(iter(first.ListFields()[0][1])).resource
        assert {a.key: a.value.string_value for a in resource.attributes}["service.name"] == "watchkeeper"


def test_a_line_carries_its_severity_its_fields_and_its_trace_but_no_secret(logged):
    intake = Intake()
    run(intake, some_work)
    span = intake.arrived["traces"][0].resource_spans[0].scope_spans[0].spans[0]
    line = intake.arrived["logs"][0].resource_logs[0].scope_logs[0].log_records[0]
    assert (line.body.string_value, line.severity_text, line.severity_number) == ("rotated", "WARNING", 13)
    assert line.trace_id == span.trace_id
    assert line.time_unix_nano > 0
    fields = {a.key: a.value for a in line.attributes}
    assert fields["files"].int_value == 3
    assert fields["password"].string_value == "[redacted]"


def test_what_is_left_is_handed_over_when_it_ends(logged):
    intake = Intake()
    own = SelfTelemetry(intake, delay_seconds=3600, metrics_seconds=3600)
    own.start()
    some_work()
    own.stop()
    assert all(intake.arrived.values())


@pytest.mark.parametrize("refusal", ["false", "raise"])
def test_what_is_refused_is_dropped_and_counted(logged, refusal):
    def refuse(signal: str, request: bytes) -> bool:
        if refusal == "raise":
            raise OSError("the disk is full")
        return False

    before = dropped("traces")
    run(refuse, some_work)
    assert dropped("traces") == before + 1


def test_a_callback_that_hangs_holds_up_no_work(logged):
    free = threading.Event()

    def hang(signal: str, request: bytes) -> bool:
        return free.wait(10)

    def busy() -> None:
        started = time.monotonic()
        for _ in range(10_000):
            with tracing.tracer().start_as_current_span("x"):
                pass
        took.append(time.monotonic() - started)
        free.set()

    took: list[float] = []
    run(hang, busy)
    assert took[0] < 5


def test_what_the_callback_does_is_not_watched_in_turn(logged):
    seen = Intake()

    def export(signal: str, request: bytes) -> bool:
        with tracing.tracer().start_as_current_span("store"):
            structlog.get_logger("watchkeeper.intake").info("stored")
        return seen(signal, request)

    def work() -> None:
        some_work()
        time.sleep(0.3)

    run(export, work)
    spans = [
        s.name for r in seen.arrived["traces"] for rs in r.resource_spans for ss in rs.scope_spans for s in ss.spans
    ]
    lines = [
        rec.body.string_value
        for r in seen.arrived["logs"]
        for rl in r.resource_logs
        for sl in rl.scope_logs
        for rec in sl.log_records
    ]
    assert "store" not in spans
    assert "stored" not in lines


def test_after_the_end_nothing_is_recorded(logged):
    intake = Intake()
    run(intake, lambda: None)
    before = len(intake.arrived["traces"])
    some_work()
    time.sleep(0.1)
    assert len(intake.arrived["traces"]) == before
    assert tracing.current_trace_id() is None
