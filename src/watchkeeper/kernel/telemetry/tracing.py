"""Watchkeeper's own spans: nothing is recorded until self-telemetry is switched on."""

from __future__ import annotations

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NoOpTracer, Tracer, format_trace_id, get_current_span

_provider: TracerProvider | None = None


def use_provider(provider: TracerProvider | None) -> None:
    """Make spans with `provider` from now on; None: make none."""
    global _provider  # one per process, as the instruments are
    _provider = provider


def tracer() -> Tracer:
    """The tracer for spans of Watchkeeper's own work."""
    return _provider.get_tracer("watchkeeper") if _provider else NoOpTracer()


def current_trace_id() -> str | None:
    """The trace that runs now, as 32 hex digits."""
    context = get_current_span().get_span_context()
    return format_trace_id(context.trace_id) if context.is_valid else None
