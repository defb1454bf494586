"""Settings of on-call."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from watchkeeper.kernel.settings import SettingsGroup


class OncallSettings(SettingsGroup):
    """On-call: who watches that paging works, and how long pages are kept."""

    section: ClassVar[str] = "oncall"
    live: ClassVar[frozenset[str]] = frozenset({"kept_days"})

    heartbeat_url: str | None = Field(
        None,
        description="URL that is told every 30 seconds while paging works: a check of Healthchecks, or a heartbeat of "
        "another Watchkeeper. Unset: nobody outside notices when this server dies.",
    )
    kept_days: int = Field(800, ge=30, le=4_000, description="Days that pages are kept.")
