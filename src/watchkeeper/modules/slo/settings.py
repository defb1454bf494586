"""Settings of objectives."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from watchkeeper.kernel.settings import SettingsGroup


class SloSettings(SettingsGroup):
    """Objectives: how often they are looked at, and how long their counts are kept."""

    section: ClassVar[str] = "slo"
    live: ClassVar[frozenset[str]] = frozenset({"hours_kept_days"})

    evaluate_seconds: float = Field(
        15.0, ge=1, le=60, description="Seconds between two looks at every objective and its alerts."
    )
    look_back_days: float = Field(
        3.0,
        ge=0.25,
        le=7,
        description="Days of minutes that are read again at a start and once a day: late data is found within them.",
    )
    hours_kept_days: int = Field(
        800, ge=400, le=4_000, description="Days that the counts of each hour are kept, for reports."
    )
