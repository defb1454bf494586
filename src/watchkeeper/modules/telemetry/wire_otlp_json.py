"""OTLP/JSON: the protobuf JSON mapping, but with ids in hex and enums as numbers.

Source: opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson
from google.protobuf.json_format import ParseDict, ParseError

from watchkeeper.modules.telemetry.errors import MalformedRequest
from watchkeeper.modules.telemetry.model import Signal
from watchkeeper.modules.telemetry.wire_otlp import REQUESTS

_IDS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")
_DEEPEST = 40


def parse_json(signal: Signal, body: bytes) -> Any:
    """The same message that the protobuf form would have given. Raises MalformedRequest."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"The body is not JSON: line {error.lineno}, column {error.colno}.") from None
    if not isinstance(document, dict):
        raise MalformedRequest(f"The body is not an OTLP {signal} request: expected a JSON object.")
    try:
        return ParseDict(_with_base64_ids(document, 0), REQUESTS[signal](), ignore_unknown_fields=True)
    except (ParseError, RecursionError):
        raise MalformedRequest(f"The body is not an OTLP {signal} request in JSON.") from None


def _with_base64_ids(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise MalformedRequest(f"The JSON is nested deeper than {_DEEPEST} levels.")
    if isinstance(value, list):
        return [_with_base64_ids(one, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _base64(key, one) if key in _IDS and isinstance(one, str) else _with_base64_ids(one, depth + 1)
        for key, one in value.items()
    }


def _base64(key: str, text: str) -> str:
    try:
        return base64.b64encode(bytes.fromhex(text)).decode()
    except (ValueError, binascii.Error):
        raise MalformedRequest(f"{key} is not hexadecimal.") from None
