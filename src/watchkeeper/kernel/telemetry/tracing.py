"""Watchkeeper's own spans: nothing is recorded until self-telemetry is switched on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NoOpTracer, Tracer, format_trace_id, get_current_span

_provider: TracerProvider | None = None
_unwatched: ContextVar[bool] = ContextVar("unwatched", default=False)
_nothing = NoOpTracer()


def use_provider(provider: TracerProvider | None) -> None:
    """Make spans with `provider` from now on; None: make none."""
    global _provider  # one per process, as the instruments are
    _provider = provider


def tracer() -> Tracer:
    """The tracer for spans of Watchkeeper's own work."""
    if _provider is None or _unwatched.get():
        return _nothing
    return _provider.get_tracer("watchkeeper")


def current_trace_id() -> str | None:
    """The trace that runs now, as 32 hex digits."""
    context = get_current_span().get_span_context()
    return format_trace_id(context.trace_id) if context.is_valid else None


@contextmanager
def unwatched() -> Iterator[None]:
    """Work inside makes no spans and no exported log lines: watching how telemetry is stored would never end."""
    before = _unwatched.set(True)
    try:
        yield
    finally:
        _unwatched.reset(before)


def is_unwatched() -> bool:
    """Whether the work now is not to be watched."""
    return _unwatched.get()
