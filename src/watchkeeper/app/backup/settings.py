"""Settings of backups."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from watchkeeper.kernel.settings import SettingsGroup


class BackupSettings(SettingsGroup):
    """Where backups go, when they are made, what they are locked with and how long they are kept."""

    section: ClassVar[str] = "backup"
    live: ClassVar[frozenset[str]] = frozenset({"at", "keep_days", "drill_days"})

    target: str | None = Field(
        None,
        description="Where the daily backup goes: full path of a directory that exists, best on another machine, or "
        "`s3://bucket/prefix` with credentials in `AWS_ACCESS_KEY_ID` and so on. Unset: none is made by itself.",
    )
    at: str = Field("03:15", pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="When the daily backup is made, in UTC.")
    keep_days: int = Field(
        30, ge=1, le=3650, description="Days after which a backup in the target is deleted; the last good one stays."
    )
    drill_days: int = Field(
        30, ge=1, le=366, description="Days after which the newest backup is restored to a temporary place again."
    )
    passphrase_file: Path | None = Field(
        None,
        description="File with the passphrase (15 characters or more) that backups are locked with. Unset: the "
        "installation's key, which then must be kept apart from the backups.",
    )
    s3_endpoint: str | None = Field(None, description="Address of an S3-compatible store. Unset: that of AWS.")
    s3_region: str | None = Field(None, description="Region of the bucket. Unset: `AWS_REGION`, else `us-east-1`.")

    @field_validator("target")
    @classmethod
    def _is_whole(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("s3://") and not Path(value).is_absolute():
            raise ValueError("the full path of a directory, or s3://bucket/prefix")
        return value

    @property
    def time_of_day(self) -> time:
        return time.fromisoformat(self.at)

    @property
    def keep(self) -> timedelta:
        return timedelta(days=self.keep_days)

    @property
    def drill_every(self) -> timedelta:
        return timedelta(days=self.drill_days)
