"""How current a client is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Source = Literal["server", "disk", "none"]


@dataclass(frozen=True)
class Status:
    """What a client decides with. `stale_seconds` is since a server last confirmed it; None when none ever did."""

    connected: bool
    source: Source
    environment: str
    version: int | None
    etag: str | None
    stale_seconds: float | None
    last_error: str | None
