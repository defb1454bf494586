"""Settings of telemetry: what is taken in, how long it is kept, and how much of the machine it may use."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from watchkeeper.kernel.settings import SettingsGroup

_MB = 1_000_000


class TelemetrySettings(SettingsGroup):
    """Intake, storage, retention and queries of telemetry."""

    section: ClassVar[str] = "telemetry"
    live: ClassVar[frozenset[str]] = frozenset({"raw_days", "minute_days", "hour_days"})

    directory: Path | None = Field(
        None,
        description="Where Parquet parts are kept. Unset: `telemetry/parts` in the data directory. Several replicas on "
        "one PostgreSQL name the same shared volume here.",
    )
    require_intake_token: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Whether OTLP senders need a token with the scope intake. `auto`: not where both the server's "
        "address and the sender's are loopback.",
    )
    raw_days: int = Field(7, ge=1, le=400, description="Days that spans, log lines and metric points are kept.")
    minute_days: int = Field(90, ge=1, le=1200, description="Days that 1-minute rollups of requests are kept.")
    hour_days: int = Field(365, ge=1, le=4000, description="Days that 1-hour rollups of requests are kept.")
    max_disk_gb: float = Field(
        50, gt=0, description="Most disk space for parts; beyond it the oldest raw data goes before its time."
    )
    min_free_mb: int = Field(
        300,
        ge=0,
        description="Intake answers 503 while the disk has less free space than this, so that state can be kept.",
    )
    max_body_mb: int = Field(
        10, ge=1, le=100, description="Largest decoded OTLP request; a larger one is answered 413."
    )
    max_pending_mb: int = Field(
        32, ge=2, description="Most decoded OTLP waiting to be stored; beyond it intake answers 429 with Retry-After."
    )
    max_services: int = Field(
        500, ge=1, description="Most service names taken in; records of further ones are rejected."
    )
    max_routes: int = Field(
        500, ge=10, description="Most routes counted for one service and hour; further ones are counted as `(other)`."
    )
    flush_seconds: float = Field(
        2.0, ge=0.1, le=10, description="Seconds between writing what arrived to Parquet parts."
    )
    query_memory_mb: int = Field(
        128, ge=64, description="Most memory DuckDB uses for queries before it spills to disk."
    )
    query_threads: int = Field(2, ge=1, le=64, description="Threads DuckDB uses for queries.")
    query_seconds: float = Field(10.0, gt=0, description="A query that takes longer than this is stopped.")

    @property
    def max_body_bytes(self) -> int:
        return self.max_body_mb * _MB

    @property
    def max_pending_bytes(self) -> int:
        return self.max_pending_mb * _MB

    @property
    def min_free_bytes(self) -> int:
        return self.min_free_mb * _MB
