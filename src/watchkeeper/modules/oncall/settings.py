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
        description="URL that is told every 30 seconds while paging works, and why when it does not (below `/fail`): "
        "a check of Healthchecks, or a heartbeat of another Watchkeeper. Unset: nobody outside notices when this "
        "server dies.",
    )
    audit_seconds: float = Field(
        30, ge=0.5, le=300, description="Seconds between two looks at whether paging works; each tells the outside."
    )
    probe_seconds: float = Field(
        60,
        ge=0.5,
        le=300,
        description="Seconds between two synthetic pages. The outside is told that all is well only if one came "
        "through within five times as long.",
    )
    late_seconds: float = Field(
        60,
        ge=2,
        le=600,
        description="Seconds after which work of paging that nobody began, or a synthetic page that has not come "
        "through, is told outside as a failure.",
    )
    kept_days: int = Field(800, ge=30, le=4_000, description="Days that pages are kept.")
