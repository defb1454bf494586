"""Settings of alerts."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from watchkeeper.kernel.settings import SettingsGroup


class AlertSettings(SettingsGroup):
    """Alerts: when one counts as flapping, how much may wait at the door, and how long they are kept."""

    section: ClassVar[str] = "alerts"
    live: ClassVar[frozenset[str]] = frozenset({"flap_changes", "flap_minutes", "kept_days"})

    flap_changes: int = Field(
        4,
        ge=3,
        le=30,
        description="Openings and endings of one group within `alerts.flap_minutes` that make it flapping: "
        "then it stays open until it was calm for that long.",
    )
    flap_minutes: int = Field(
        30,
        ge=1,
        le=1_440,
        description="Minutes in which changes are counted; what fires again within them reopens its group.",
    )
    kept_days: int = Field(400, ge=7, le=4_000, description="Days that alerts are kept after they were resolved.")
    most_waiting: int = Field(
        20_000,
        ge=100,
        le=1_000_000,
        description="Alerts that may wait at the door for the database; beyond them senders are answered 429.",
    )
    most_requests: int = Field(
        512,
        ge=8,
        le=10_000,
        description="Requests that may be at the door at once; beyond them senders are answered 429.",
    )

    @property
    def flap_window(self) -> timedelta:
        """`flap_minutes` as a duration."""
        return timedelta(minutes=self.flap_minutes)
