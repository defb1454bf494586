"""Watchkeeper's own log: a line per event on stderr, without secrets, with its request and trace."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import Processor

from watchkeeper.kernel.clock import Clock, SystemClock, rfc3339
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.telemetry.redaction import redact
from watchkeeper.kernel.telemetry.tracing import current_trace_id

Sink = Callable[[MutableMapping[str, Any]], None]
# These tell at `info` what is no news to whoever runs Watchkeeper.
_CHATTY = ("alembic", "httpx", "httpcore", "asyncio", "opentelemetry", "sqlalchemy")
_sinks: list[Sink] = []


def configure_logging(settings: ServerSettings, *, stream: TextIO | None = None, clock: Clock | None = None) -> None:
    """Send structlog and the standard library's log through one chain; call it again to change it."""
    output = stream or sys.stderr
    level = getattr(logging, settings.log_level.upper())
    shared = _shared_chain(clock or SystemClock())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _tee, _renderer(settings, output)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    _take_over_uvicorn()


def add_sink(sink: Sink) -> Callable[[], None]:
    """Hand every finished, redacted line to `sink` as well; returns what ends that."""
    _sinks.append(sink)

    def remove() -> None:
        if sink in _sinks:
            _sinks.remove(sink)

    return remove


def _shared_chain(clock: Clock) -> list[Processor]:
    def stamp(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["at"] = rfc3339(clock.now())
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        stamp,
        _add_trace,
        # As text and before redaction: a traceback with local variables would carry passwords.
        structlog.processors.format_exc_info,
        _redact_all,
    ]


def _add_trace(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    trace_id = current_trace_id()
    if trace_id is not None:
        event["trace_id"] = trace_id
    return event


def _redact_all(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event.pop("color_message", None)  # uvicorn's own, with escape codes
    for name, value in list(event.items()):
        if not name.startswith("_"):
            event[name] = redact(name, value)
    return event


def _tee(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for sink in tuple(_sinks):
        sink(event)
    return event


def _renderer(settings: ServerSettings, output: TextIO) -> Processor:
    on_terminal = output.isatty()
    if settings.log_format == "console" or (settings.log_format == "auto" and on_terminal):
        return structlog.dev.ConsoleRenderer(
            colors=on_terminal, timestamp_key="at", exception_formatter=structlog.dev.plain_traceback
        )
    return structlog.processors.JSONRenderer(serializer=_to_json)


def _to_json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()


def _take_over_uvicorn() -> None:
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.setLevel(logging.NOTSET)
        logger.disabled = False
        logger.propagate = name != "uvicorn.access"  # requests are spans and metrics; a line each is noise
