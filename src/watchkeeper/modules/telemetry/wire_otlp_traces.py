"""OTLP spans to rows of the dataset `spans`."""

from __future__ import annotations

from typing import Any

from watchkeeper.modules.telemetry.model import Batch, Dataset, Decoded, Signal
from watchkeeper.modules.telemetry.window import Window
from watchkeeper.modules.telemetry.wire_otlp import Sender, attributes_of, clean, dump, name_of, names_of, whole

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")
_MOST_EVENTS = 64
_NO_TRACE = bytes(16)
_NO_SPAN = bytes(8)


def decode_traces(request: Any, window: Window) -> Decoded:
    """Rows of all spans that can be kept; those without ids or outside the window are rejected and counted."""
    decoded = Decoded(Signal.TRACES, Batch(Dataset.SPANS))
    for of_resource in request.resource_spans:
        sender = Sender.of(of_resource.resource)
        for of_scope in of_resource.scope_spans:
            kept = [span for span in of_scope.spans if _is_kept(span, decoded, window)]
            _append(decoded.batch.columns, kept, sender, name_of(of_scope.scope.name or None))
    return decoded


def _is_kept(span: Any, decoded: Decoded, window: Window) -> bool:
    trace_id, span_id = span.trace_id, span.span_id
    if len(trace_id) != 16 or len(span_id) != 8 or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        decoded.reject("a span has no valid trace_id (16 bytes) and span_id (8 bytes)")
        return False
    start = span.start_time_unix_nano
    if window.earliest <= start <= window.latest and start <= span.end_time_unix_nano <= window.latest_end:
        return True
    decoded.reject(window.complaint("span", start, span.end_time_unix_nano))
    return False


def _append(columns: dict[str, list[Any]], spans: list[Any], sender: Sender, scope: str | None) -> None:
    count = len(spans)
    for name, value in (
        ("service", sender.service),
        ("environment", sender.environment),
        ("version", sender.version),
        ("resource", sender.resource),
        ("scope", scope),
    ):
        columns[name].extend([value] * count)
    found = [attributes_of(span.attributes) for span in spans]
    columns["time"].extend([span.start_time_unix_nano for span in spans])
    columns["duration"].extend([span.end_time_unix_nano - span.start_time_unix_nano for span in spans])
    columns["trace_id"].extend([span.trace_id.hex() for span in spans])
    columns["span_id"].extend([span.span_id.hex() for span in spans])
    columns["parent_span_id"].extend([_parent(span.parent_span_id) for span in spans])
    columns["name"].extend([name or "" for name in names_of(span.name for span in spans)])
    columns["kind"].extend([KINDS[kind] if (kind := span.kind) < len(KINDS) else KINDS[0] for span in spans])
    statuses = [_status(span) for span in spans]
    columns["status"].extend([status for status, _ in statuses])
    columns["status_message"].extend([message for _, message in statuses])
    columns["route"].extend(names_of(one.get("http.route") for one in found))
    columns["method"].extend(names_of(one.get("http.request.method") or one.get("http.method") for one in found))
    codes = [one.get("http.response.status_code") or one.get("http.status_code") for one in found]
    columns["status_code"].extend([None if code is None else whole(code) for code in codes])
    peers = (one.get("peer.service") or one.get("server.address") or one.get("net.peer.name") for one in found)
    columns["peer"].extend(names_of(peers))
    columns["attributes"].extend([dump(one) for one in found])
    columns["events"].extend([_events(span) if span.events else None for span in spans])
    columns["links"].extend([_links(span) if span.links else None for span in spans])


def _parent(span_id: bytes) -> str | None:
    return span_id.hex() if len(span_id) == 8 and span_id != _NO_SPAN else None


def _status(span: Any) -> tuple[str, str | None]:
    if not span.HasField("status"):
        return STATUSES[0], None
    code, message = span.status.code, span.status.message
    return STATUSES[code] if code < len(STATUSES) else STATUSES[0], clean(message, 1_000) if message else None


def _events(span: Any) -> str:
    return dump(
        [
            {"time": event.time_unix_nano, "name": clean(event.name), "attributes": attributes_of(event.attributes)}
            for event in span.events[:_MOST_EVENTS]
        ]
    )


def _links(span: Any) -> str:
    return dump(
        [
            {
                "trace_id": link.trace_id.hex(),
                "span_id": link.span_id.hex(),
                "attributes": attributes_of(link.attributes),
            }
            for link in span.links[:_MOST_EVENTS]
        ]
    )
