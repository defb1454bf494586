"""`telemetry.set_up` in real processes: OpenTelemetry's providers are one per process, so each test has its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from tests.support.otlp_sink import Sink, otlp_sink

_PREAMBLE = """
import logging, os, sys, time
from opentelemetry import metrics, trace
from watchkeeper_client import telemetry
tracer, meter, log = trace.get_tracer("shop"), metrics.get_meter("shop"), logging.getLogger("shop")
"""


@pytest.fixture
def sink() -> Iterator[Sink]:
    with otlp_sink() as opened:
        yield opened


def run(code: str, *, within: float = 20.0, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a little service to its end; it must not fail."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", _PREAMBLE + code],
        env={**environ, **variables},
        timeout=within,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_one_call_sends_traces_metrics_and_logs(sink: Sink) -> None:
    run(f"""
assert telemetry.set_up("shop", endpoint="{sink.url}", environment="test", version="1.2")
with tracer.start_as_current_span("order"):
    log.warning("stock of %s is low", "tea", extra={{"item": "tea", "left": 2}})
meter.create_counter("orders").add(3)
""")
    span, record = sink.spans()["order"], sink.logs()["stock of tea is low"]
    assert record.trace_id == span.trace_id
    assert record.span_id == span.span_id
    assert record.severity_text == "WARN"
    said = {one.key: one.value for one in record.attributes}
    assert (said["item"].string_value, said["left"].int_value) == ("tea", 2)
    assert sink.metrics()["orders"].sum.data_points[0].as_int == 3
    resource = sink.resource_of("order")
    assert resource["service.name"] == "shop"
    assert resource["deployment.environment.name"] == "test"
    assert resource["service.version"] == "1.2"


def test_requests_are_compressed_and_carry_the_token(sink: Sink) -> None:
    run(f'telemetry.set_up("shop", endpoint="{sink.url}", token="wkt_secret"); tracer.start_span("s").end()')
    assert {headers["content-encoding"] for headers in sink.headers} == {"gzip"}
    assert {headers["authorization"] for headers in sink.headers} == {"Bearer wkt_secret"}


def test_variables_fill_in_what_the_call_leaves_out(sink: Sink) -> None:
    run(
        'telemetry.set_up("shop"); tracer.start_span("s").end()',
        OTEL_EXPORTER_OTLP_ENDPOINT=sink.url,
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20other",
        OTEL_EXPORTER_OTLP_COMPRESSION="none",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=staging",
    )
    assert sink.resource_of("s")["deployment.environment.name"] == "staging"
    assert sink.headers[0]["authorization"] == "Bearer other"
    assert "content-encoding" not in sink.headers[0]


def test_an_argument_wins_over_a_variable(sink: Sink) -> None:
    run(
        f'telemetry.set_up("shop", endpoint="{sink.url}", environment="live"); tracer.start_span("s").end()',
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=staging",
    )
    assert sink.resource_of("s")["deployment.environment.name"] == "live"


def test_an_address_without_a_scheme_is_http(sink: Sink) -> None:
    run(f'telemetry.set_up("shop", endpoint="{sink.url.removeprefix("http://")}/"); tracer.start_span("s").end()')
    assert "s" in sink.spans()


@pytest.mark.parametrize(
    ("preference", "temporality"),
    [
        ({}, AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA),
        (
            {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "cumulative"},
            AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE,
        ),
    ],
)
def test_sums_are_deltas_unless_a_variable_wants_them_cumulative(
    sink: Sink, preference: dict[str, str], temporality: int
) -> None:
    run(
        f'telemetry.set_up("shop", endpoint="{sink.url}")\n'
        'meter.create_counter("orders").add(1); meter.create_histogram("seconds").record(1)',
        **preference,
    )
    assert sink.metrics()["orders"].sum.aggregation_temporality == temporality
    assert sink.metrics()["seconds"].histogram.aggregation_temporality == temporality


def test_the_second_call_changes_nothing(sink: Sink) -> None:
    run(f"""
telemetry.set_up("first", endpoint="{sink.url}")
assert telemetry.set_up("second", endpoint="http://127.0.0.1:9")
assert sum(type(one).__name__ == "LogHandler" for one in logging.getLogger().handlers) == 1
tracer.start_span("s").end()
""")
    assert sink.resource_of("s")["service.name"] == "first"


def test_what_somebody_else_set_up_is_left_alone(sink: Sink) -> None:
    run(f"""
from opentelemetry.sdk.trace import TracerProvider
mine = TracerProvider()
trace.set_tracer_provider(mine)
assert not telemetry.set_up("shop", endpoint="{sink.url}")
assert trace.get_tracer_provider() is mine and not logging.getLogger().handlers
tracer.start_span("s").end()
""")
    assert sink.requests == []


def test_a_variable_switches_all_of_it_off(sink: Sink) -> None:
    run(
        f'assert not telemetry.set_up("shop", endpoint="{sink.url}"); log.error("x"); tracer.start_span("s").end()',
        OTEL_SDK_DISABLED="true",
    )
    assert sink.requests == []


def test_a_service_without_the_extra_runs_without_telemetry() -> None:
    done = run("""
for name in [one for one in sys.modules if one.startswith("opentelemetry")]:
    sys.modules[name] = None
assert not telemetry.set_up("shop")
""")
    assert "install watchkeeper-client[otel]" in done.stderr


def test_a_forked_child_sends_for_itself(sink: Sink) -> None:
    run(f"""
telemetry.set_up("shop", endpoint="{sink.url}")
tracer.start_span("before").end()
trace.get_tracer_provider().force_flush()
child = os.fork()
with tracer.start_as_current_span("parent" if child else "child"):
    log.warning("parent speaks" if child else "child speaks")
meter.create_counter("parent.count" if child else "child.count").add(1)
if child:
    assert os.waitpid(child, 0)[1] == 0
    trace.get_tracer_provider().force_flush()
else:
    assert telemetry.shut_down(5)
    os._exit(0)
""")
    assert {"before", "parent", "child"} <= set(sink.spans())
    assert {"parent speaks", "child speaks"} <= set(sink.logs())
    assert {"parent.count", "child.count"} <= set(sink.metrics())
    assert sink.resource_of("parent")["service.instance.id"] != sink.resource_of("child")["service.instance.id"]
    assert sink.connection_of("child") != sink.connection_of("before") == sink.connection_of("parent")


def test_a_child_forked_in_the_middle_of_an_export_sends_all_the_same(sink: Sink) -> None:
    sink.held.set()
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _PREAMBLE
            + f"""
telemetry.set_up("shop", endpoint="{sink.url}")
meter.create_counter("early").add(1)
tracer.start_span("early").end()
time.sleep(1)
child = os.fork()
if child:
    print("forked", flush=True)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
tracer.start_span("child").end()
meter.create_counter("child.count").add(1)
os._exit(0 if telemetry.shut_down(10) else 1)
""",
        ],
        env={**os.environ, "OTEL_METRIC_EXPORT_INTERVAL": "200", "OTEL_BSP_SCHEDULE_DELAY": "200"},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process.stdout as said:
        said.readline()
        sink.held.clear()
        assert process.wait(20) == 0
    assert "child" in sink.spans()
    assert "child.count" in sink.metrics()


def test_a_server_that_never_answers_does_not_hold_up_the_end(sink: Sink) -> None:
    sink.held.set()
    done = run(f"""
telemetry.set_up("shop", endpoint="{sink.url}")
log.error("x"); tracer.start_span("s").end()
began = time.monotonic()
assert telemetry.shut_down(1) is False
print(time.monotonic() - began)
""")
    assert float(done.stdout) < 1.5


def test_a_server_that_is_away_holds_nothing_up_and_is_complained_of_once() -> None:
    began = time.monotonic()
    done = run(
        """
logging.basicConfig(level="WARNING")
telemetry.set_up("shop", endpoint="http://127.0.0.1:9")
began = time.monotonic()
for number in range(20_000):
    tracer.start_span("s").end()
took = time.monotonic() - began
for number in range(5):
    log.error("x"); time.sleep(0.4)
print(took)
""",
        OTEL_BSP_SCHEDULE_DELAY="100",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
    )
    assert float(done.stdout) < 5
    assert time.monotonic() - began < 15
    complaints = [line for line in done.stderr.splitlines() if "trace_exporter" in line]
    assert len(complaints) == 1


def test_after_the_end_nothing_raises_and_nothing_starts_again(sink: Sink) -> None:
    run(f"""
telemetry.set_up("shop", endpoint="{sink.url}")
assert telemetry.shut_down(5) and telemetry.shut_down(5)
log.error("late"); tracer.start_span("late").end()
assert not telemetry.set_up("shop", endpoint="{sink.url}")
""")
    assert "late" not in sink.spans()


def test_a_log_call_that_makes_no_sense_does_not_raise(sink: Sink) -> None:
    done = run(f"""
telemetry.set_up("shop", endpoint="{sink.url}")
log.warning("%d apples", "many")
log.warning("an odd %s", "value", extra={{"odd": object()}})
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it broke")
""")
    assert "Logging error" in done.stderr
    assert "an odd value" in sink.logs()
    said = {one.key: one.value.string_value for one in sink.logs()["it broke"].attributes}
    assert said["exception.type"] == "ZeroDivisionError"
    assert "1 / 0" in said["exception.stacktrace"] or "ZeroDivisionError" in said["exception.stacktrace"]
