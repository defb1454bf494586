"""Hands the standard library's log records to OpenTelemetry, tied to the span they were written in."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Mapping

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import get_current
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.util.types import AnyValue

# What every record has; the rest of its attributes came from `extra=`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OF_THE_EXPORT = ("opentelemetry.sdk", "opentelemetry.exporter", "urllib3", "requests")
_SEVERITY = (
    (logging.CRITICAL, SeverityNumber.FATAL, "FATAL"),
    (logging.ERROR, SeverityNumber.ERROR, "ERROR"),
    (logging.WARNING, SeverityNumber.WARN, "WARN"),
    (logging.INFO, SeverityNumber.INFO, "INFO"),
    (logging.DEBUG, SeverityNumber.DEBUG, "DEBUG"),
)


class LogHandler(logging.Handler):
    """A log handler that never blocks and never raises: the record is queued or dropped."""

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__()
        self._provider = provider

    def emit(self, record: logging.LogRecord) -> None:
        # A failed export that logs would be exported, fail and log again.
        if record.name.startswith(_OF_THE_EXPORT):
            return
        try:
            number, text = _severity(record.levelno)
            self._provider.get_logger(record.name).emit(
                LogRecord(
                    timestamp=int(record.created * 1e9),
                    observed_timestamp=time.time_ns(),
                    context=get_current(),
                    severity_number=number,
                    severity_text=text,
                    body=record.getMessage(),
                    attributes=_attributes(record),
                )
            )
        except Exception:  # noqa: BLE001 (as the standard handlers do: a bad log call is reported, not raised)
            self.handleError(record)


def hush_exporters() -> None:
    """Let the exporters complain once a minute each, not at every failed batch, while Watchkeeper is away."""
    for name in ("trace_exporter", "metric_exporter", "_log_exporter"):
        logging.getLogger(f"opentelemetry.exporter.otlp.proto.http.{name}").addFilter(_OncePerMinute())
    logging.getLogger("opentelemetry.sdk._shared_internal").addFilter(_OncePerMinute())


class _OncePerMinute(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, _record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + 60
        return True


def _severity(level: int) -> tuple[SeverityNumber, str]:
    for least, number, text in _SEVERITY:
        if level >= least:
            return number, text
    return SeverityNumber.TRACE, "TRACE"


def _attributes(record: logging.LogRecord) -> Mapping[str, AnyValue]:
    attributes: dict[str, AnyValue] = {
        name: value if isinstance(value, (str, bool, int, float)) else str(value)
        for name, value in vars(record).items()
        if name not in _STANDARD and value is not None
    }
    attributes["code.file.path"] = record.pathname
    attributes["code.line.number"] = record.lineno
    attributes["code.function.name"] = record.funcName or ""
    if record.exc_info and record.exc_info[0] is not None:
        attributes["exception.type"] = record.exc_info[0].__qualname__
        attributes["exception.message"] = str(record.exc_info[1])
        attributes["exception.stacktrace"] = "".join(traceback.format_exception(*record.exc_info))
    return attributes
