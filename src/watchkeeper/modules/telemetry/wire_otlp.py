"""OTLP, as OpenTelemetry's SDKs and collectors send it, to rows. The loops here are the hottest code of Watchkeeper.

Source: opentelemetry-proto, collector service definitions v1 and the semantic conventions for HTTP (current and old).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from watchkeeper.modules.telemetry.errors import MalformedRequest
from watchkeeper.modules.telemetry.model import UNKNOWN_SERVICE, Signal

REQUESTS: dict[Signal, type[Any]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
MOST_ATTRIBUTES = 128
LONGEST_VALUE = 4_096
LONGEST_NAME = 300
LONGEST_BODY = 32_768
_DEEPEST = 6

_CONTROL = dict.fromkeys((*range(32), 127))


def parse(signal: Signal, body: bytes) -> Any:
    """The protobuf message of a request. Raises MalformedRequest."""
    try:
        return REQUESTS[signal].FromString(body)
    except DecodeError:
        raise MalformedRequest(f"The body is not an OTLP {signal} request in protobuf.") from None


def clean(text: str, longest: int = LONGEST_NAME) -> str:
    """A name without control characters and no longer than `longest`: it will stand in pages, logs and terminals."""
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return text if text.isprintable() else text.translate(_CONTROL)


def dump(value: Any) -> str:
    """JSON text that can be read back by anybody."""
    return orjson.dumps(value).decode()


def attributes_of(pairs: Any) -> dict[str, Any]:
    """Key-value pairs as plain values; at most 128 of them, long texts cut."""
    found: dict[str, Any] = {}
    for pair in pairs if len(pairs) <= MOST_ATTRIBUTES else pairs[:MOST_ATTRIBUTES]:
        value = pair.value
        # Most values are texts: reading one first spares asking which kind it is.
        text = value.string_value
        if text:
            found[pair.key] = text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"
            continue
        kind = value.WhichOneof("value")
        if kind == "int_value":
            found[pair.key] = value.int_value
        elif kind is not None:
            found[pair.key] = value_of(value)
    if len(pairs) > MOST_ATTRIBUTES:
        found["otel.dropped_attributes_count"] = len(pairs) - MOST_ATTRIBUTES
    return found


def value_of(value: Any, depth: int = 0) -> Any:
    """An AnyValue as a plain value; bytes as hex; what is nested deeper than six levels is left out."""
    kind = value.WhichOneof("value")
    if kind is None or depth > _DEEPEST:
        return None
    if kind == "string_value":
        return value.string_value[:LONGEST_BODY]
    if kind == "array_value":
        return [value_of(one, depth + 1) for one in value.array_value.values[:MOST_ATTRIBUTES]]
    if kind == "kvlist_value":
        pairs = value.kvlist_value.values[:MOST_ATTRIBUTES]
        return {pair.key: value_of(pair.value, depth + 1) for pair in pairs}
    if kind == "bytes_value":
        return value.bytes_value[:LONGEST_VALUE].hex()
    return getattr(value, kind)


@dataclass(frozen=True)
class Sender:
    """What all records of one resource share."""

    service: str
    environment: str
    version: str | None
    resource: str

    @classmethod
    def of(cls, resource: Any) -> Sender:
        """Read from resource attributes; the old name of the environment is known too."""
        found = attributes_of(resource.attributes)
        return cls(
            service=_text(found, "service.name") or UNKNOWN_SERVICE,
            environment=_text(found, "deployment.environment.name", "deployment.environment") or "",
            version=_text(found, "service.version"),
            resource=dump(found),
        )


def first(found: Mapping[str, Any], *keys: str) -> Any:
    """The value of the first of these keys that is there."""
    for key in keys:
        value = found.get(key)
        if value is not None:
            return value
    return None


def whole(value: Any) -> int | None:
    """A status code or the like as a small whole number; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and len(value) <= 5 and value.isascii() and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and 0 <= value < 32_768 else None


def names_of(values: Iterable[Any]) -> list[str | None]:
    """Each value as it stands in a column of names. A request repeats few names often, so each is cleaned once."""
    known: dict[Any, str | None] = {None: None, "": None}
    found = []
    for value in values:
        if not isinstance(value, (str, int, float)) and value is not None:
            found.append(name_of(dump(value)))
            continue
        if value not in known:
            known[value] = name_of(value)
        found.append(known[value])
    return found


def name_of(value: Any) -> str | None:
    """A value that stands in a column of names."""
    return clean(str(value)) or None if value is not None else None


def _text(found: Mapping[str, Any], *keys: str) -> str | None:
    return name_of(first(found, *keys))
