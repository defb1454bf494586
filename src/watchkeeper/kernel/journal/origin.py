"""Where an act comes from, known at the door and needed at the journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """The network address of whoever sent a request, and the trace it belongs to."""

    address: str | None = None
    trace_id: str | None = None

    def private(self) -> dict[str, str]:
        """What a fact keeps of it beside the sealed row."""
        return {"address": self.address} if self.address else {}


_NOWHERE = Origin()
_origin: ContextVar[Origin] = ContextVar("watchkeeper.origin", default=_NOWHERE)


def current_origin() -> Origin:
    """The origin of the request that this code serves; an empty one for work that Watchkeeper does by itself."""
    return _origin.get()


@contextmanager
def coming_from(origin: Origin) -> Iterator[None]:
    """Facts that are appended inside remember this origin."""
    token = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(token)
