"""OTLP log records to rows of the dataset `logs`."""

from __future__ import annotations

from typing import Any

from watchkeeper.modules.telemetry.model import LARGEST, Batch, Dataset, Decoded, Signal
from watchkeeper.modules.telemetry.window import Window
from watchkeeper.modules.telemetry.wire_otlp import LONGEST_BODY, Sender, attributes_of, clean, dump, name_of, value_of

SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
# Texts that loggers send without a number, and the number that the OpenTelemetry data model gives them.
_NUMBERS = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "WARNING": 13, "ERROR": 17, "CRITICAL": 21, "FATAL": 21}


def decode_logs(request: Any, window: Window) -> Decoded:
    """Rows of all log records that can be kept; those with times outside the window are rejected and counted."""
    decoded = Decoded(Signal.LOGS, Batch(Dataset.LOGS))
    for of_resource in request.resource_logs:
        sender = Sender.of(of_resource.resource)
        for of_scope in of_resource.scope_logs:
            scope = name_of(of_scope.scope.name or None)
            for record in of_scope.log_records:
                _append(decoded, record, sender, scope, window)
    return decoded


def severity_text(number: int) -> str | None:
    """The short name of a severity number 1..24; None where the sender said nothing."""
    return SEVERITIES[(number - 1) // 4] if 1 <= number <= 24 else None


def _append(decoded: Decoded, record: Any, sender: Sender, scope: str | None, window: Window) -> None:
    observed = record.observed_time_unix_nano
    if not 0 < observed <= LARGEST:
        observed = window.now
    time = record.time_unix_nano or observed
    if not window.holds(time):
        decoded.reject(window.complaint("log record", time))
        return
    number = record.severity_number
    if not 1 <= number <= 24:
        number = _NUMBERS.get(record.severity_text.upper(), 0)
    columns = decoded.batch.columns
    columns["time"].append(time)
    columns["observed"].append(observed)
    columns["service"].append(sender.service)
    columns["environment"].append(sender.environment)
    columns["version"].append(sender.version)
    columns["severity"].append(number)
    columns["severity_text"].append(severity_text(number))
    columns["body"].append(_body(record))
    columns["trace_id"].append(record.trace_id.hex() if len(record.trace_id) == 16 and any(record.trace_id) else None)
    columns["span_id"].append(record.span_id.hex() if len(record.span_id) == 8 and any(record.span_id) else None)
    columns["event_name"].append(clean(record.event_name) or None)
    columns["attributes"].append(dump(attributes_of(record.attributes)))
    columns["resource"].append(sender.resource)
    columns["scope"].append(scope)


def _body(record: Any) -> str:
    if record.body.WhichOneof("value") == "string_value":
        text: str = record.body.string_value
        return (text if len(text) <= LONGEST_BODY else text[:LONGEST_BODY] + "…").replace("\x00", "")
    value = value_of(record.body)
    return "" if value is None else dump(value)
