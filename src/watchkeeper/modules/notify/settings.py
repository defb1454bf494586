"""Settings of notifications."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from watchkeeper.kernel.settings import SettingsGroup


class NotifySettings(SettingsGroup):
    """Notifications: how what is not urgent is gathered, and how long the record of deliveries is kept."""

    section: ClassVar[str] = "notify"
    live: ClassVar[frozenset[str]] = frozenset({"bundle_seconds", "most_per_contact", "kept_days"})

    bundle_seconds: int = Field(
        120,
        ge=0,
        le=3_600,
        description="Seconds in which messages of low urgency to one contact are gathered into one.",
    )
    most_per_contact: int = Field(
        30,
        ge=5,
        le=1_000,
        description="Messages to one contact in ten minutes, after which repeated ones are gathered. The first about "
        "anything urgent is never held.",
    )
    kept_days: int = Field(400, ge=30, le=4_000, description="Days that notifications and their attempts are kept.")
