"""One line per event, from structlog and the standard library alike."""

import io
import json
import logging

import pytest
import structlog

from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.telemetry import tracing
from watchkeeper.kernel.telemetry.logs import add_sink, configure_logging


@pytest.fixture
def output(clock):
    stream = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers, root.level)
    configure_logging(ServerSettings(log_format="json"), stream=stream, clock=clock)
    yield stream
    structlog.reset_defaults()
    root.handlers, root.level = before


def lines(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_its_time_level_logger_and_fields(output):
    structlog.get_logger("watchkeeper.test").info("started", port=8700)
    assert lines(output) == [
        {
            "event": "started",
            "port": 8700,
            "level": "info",
            "logger": "watchkeeper.test",
            "at": "2026-03-02T12:00:00.000000Z",
        }
    ]


def test_the_standard_librarys_log_comes_the_same_way(output):
    logging.getLogger("uvicorn.error").warning("bound to %s", "127.0.0.1")
    logging.getLogger("other").error("odd", extra={"port": 1})
    first, second = lines(output)
    assert (first["event"], first["level"], first["logger"]) == ("bound to 127.0.0.1", "warning", "uvicorn.error")
    assert second["port"] == 1


def test_there_is_no_line_per_request_and_no_chatter_of_libraries(output):
    logging.getLogger("uvicorn.access").info("GET /")
    logging.getLogger("alembic.runtime").info("Will assume")
    logging.getLogger("httpx").info("HTTP Request")
    assert lines(output) == []


def test_lines_below_the_level_are_not_written(output):
    structlog.get_logger("x").debug("detail")
    assert lines(output) == []


def test_the_request_and_the_trace_are_on_the_line(output):
    from opentelemetry.sdk.trace import TracerProvider

    tracing.use_provider(TracerProvider())
    with (
        structlog.contextvars.bound_contextvars(request_id="req_1"),
        tracing.tracer().start_as_current_span("work") as span,
    ):
        structlog.get_logger("x").info("inside")
    tracing.use_provider(None)
    (line,) = lines(output)
    assert line["request_id"] == "req_1"
    assert line["trace_id"] == f"{span.get_span_context().trace_id:032x}"


def test_secrets_are_hidden_in_fields_messages_and_tracebacks(output):
    log = structlog.get_logger("x")
    token = "wkt_" + "s" * 43
    log.info(f"got {token}", authorization="Bearer abc", url="postgresql://u:swordfish@h/d")
    try:
        secret_in_a_local_variable = "swordfish"
        raise ValueError(f"bad {token}")
    except ValueError:
        log.exception("failed")
    assert "swordfish" not in output.getvalue().replace('secret_in_a_local_variable = "swordfish"', "")
    assert token not in output.getvalue()
    assert "ValueError" in lines(output)[1]["exception"]
    assert secret_in_a_local_variable


def test_an_odd_value_does_not_break_the_line(output):
    structlog.get_logger("x").info("odd", thing=object(), keys={1: {2}})
    assert lines(output)[0]["event"] == "odd"


def test_people_get_readable_lines(clock):
    stream = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers, root.level)
    configure_logging(ServerSettings(log_format="console"), stream=stream, clock=clock)
    structlog.get_logger("x").warning("slow", ms=7)
    root.handlers, root.level = before
    structlog.reset_defaults()
    assert "slow" in stream.getvalue()
    assert "ms=7" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_a_sink_hears_what_is_written_until_it_leaves(output):
    heard = []
    leave = add_sink(lambda event: heard.append(event["event"]))
    log = structlog.get_logger("x")
    log.info("one")
    leave()
    leave()
    log.info("two")
    assert heard == ["one"]
