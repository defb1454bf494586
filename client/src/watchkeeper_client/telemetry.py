"""Sends a service's traces, metrics and logs to Watchkeeper: one call at its start.

Needs the extra: `watchkeeper-client[otel]`. Whatever happens to Watchkeeper or to the network, the service goes on:
nothing here raises into it, and what can't be sent is dropped once the bounded queues are full.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchkeeper_client._pipeline import Pipeline

__all__ = ["set_up", "shut_down"]

_log = logging.getLogger("watchkeeper_client")
_state = threading.Lock()
_pipeline: Pipeline | None = None
_DEFAULT_ENDPOINT = "http://127.0.0.1:8700"
_PATIENCE_AT_EXIT = 5.0


def set_up(
    service_name: str,
    *,
    endpoint: str | None = None,
    token: str | None = None,
    environment: str | None = None,
    version: str | None = None,
) -> bool:
    """Send this process's telemetry as `service_name`; True when it is on.

    `endpoint` is Watchkeeper's address, without a path. What is left out is taken from the `OTEL_*` variables
    (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_RESOURCE_ATTRIBUTES` …); `OTEL_SDK_DISABLED=true` switches all off.
    A second call changes nothing. A forked child sends for itself. Log lines of the root logger and below are sent
    from the level that the loggers let through. Counters and histograms are sent as deltas, so that several processes
    of one service add up and a restart is no reset; `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` overrides it.
    """
    global _pipeline  # OpenTelemetry's providers are one per process, and so is this
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    with _state:
        if _pipeline is not None:
            return not _pipeline.closed
        try:
            _pipeline = _start(service_name, endpoint, token, environment, version)
        except Exception:  # noqa: BLE001 (telemetry must never stop the service that it describes)
            _log.exception("telemetry could not be set up; the service runs without it")
            return False
        return _pipeline is not None


def shut_down(timeout: float = _PATIENCE_AT_EXIT) -> bool:
    """Send what waits, for at most `timeout` seconds, and stop; True when all of it was handed over in time.

    Called at the end of the process by itself. Telemetry can't be switched on again afterwards.
    """
    pipeline = _pipeline
    return pipeline is None or pipeline.close(timeout)


def _start(
    service_name: str, endpoint: str | None, token: str | None, environment: str | None, version: str | None
) -> Pipeline | None:
    try:
        from watchkeeper_client import _pipeline
    except ImportError as missing:
        _log.warning("no telemetry: %s; install watchkeeper-client[otel]", missing)
        return None
    if _pipeline.somebody_else_set_up():
        _log.info("OpenTelemetry is set up already; leaving it as it is")
        return None
    attributes = {
        "service.name": service_name,
        "deployment.environment.name": environment,
        "service.version": version,
    }
    pipeline = _pipeline.Pipeline(
        {name: value for name, value in attributes.items() if value is not None}, _address(endpoint), token
    )
    pipeline.start()
    atexit.register(shut_down)
    return pipeline


def _address(endpoint: str | None) -> str | None:
    """None leaves it to the variables, which may name an address per signal."""
    if endpoint is None:
        if any(name.startswith("OTEL_EXPORTER_OTLP_") and name.endswith("ENDPOINT") for name in os.environ):
            return None
        endpoint = _DEFAULT_ENDPOINT
    return (endpoint if "://" in endpoint else f"http://{endpoint}").rstrip("/")


def _forget_the_parents_lock() -> None:
    global _state  # another thread of the parent may have held it at the fork
    _state = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_the_parents_lock)
