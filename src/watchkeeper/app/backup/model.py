"""When a backup is due, which one may go, and what is told about both: decisions without a clock or a disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

RPO = timedelta(hours=24)
RTO = timedelta(hours=4)
# A daily backup takes a while: only when the next one should be there too is the last one too old.
GRACE = timedelta(hours=1)
_RETRY_BACKUP = timedelta(hours=1)
_RETRY_DRILL = timedelta(days=1)


@dataclass(frozen=True)
class Kept:
    """A good backup that is still there."""

    backup_id: str
    name: str
    taken_at: datetime


@dataclass(frozen=True)
class Drilled:
    """How a drill ended. `finding` says what is wrong, in words that are safe to keep; None where all is well."""

    backup_id: str
    name: str
    seconds: float
    size: int
    journal_seq: int
    finding: str | None

    @property
    def ok(self) -> bool:
        return self.finding is None


@dataclass(frozen=True)
class BackupStatus:
    """How safe things are now; `last_failed_at` is set only when the last attempt failed."""

    last_good_at: datetime | None
    last_drill_at: datetime | None
    last_drill_ok: bool | None
    target_configured: bool
    last_failed_at: datetime | None = None
    last_failure: str | None = None
    last_good_drill_at: datetime | None = None
    last_drill_seconds: float | None = None

    def is_too_old(self, now: datetime) -> bool:
        """Whether more could be lost than was promised."""
        return self.last_good_at is None or now - self.last_good_at > RPO + GRACE

    def is_drill_overdue(self, now: datetime, every: timedelta) -> bool:
        """Whether nobody knows any more that a backup can be restored."""
        return self.last_good_drill_at is None or now - self.last_good_drill_at > every + RPO


def last_due(now: datetime, at: time) -> datetime:
    """The newest instant not after `now` at which a daily backup was due, in UTC."""
    today = datetime.combine(now.astimezone(UTC).date(), at, UTC)
    return today if today <= now else today - timedelta(days=1)


def backup_is_due(now: datetime, at: time, *, last_good: datetime | None, last_failed: datetime | None) -> bool:
    """Once a day, late rather than never; after a failure again each hour until one is good."""
    if last_good is not None and last_good >= last_due(now, at):
        return False
    return last_failed is None or now - last_failed >= _RETRY_BACKUP


def drill_is_due(now: datetime, every: timedelta, *, last_good: datetime | None, last: datetime | None) -> bool:
    """After `every`; after a failed one again the next day."""
    if last_good is not None and now - last_good < every:
        return False
    return last is None or now - last >= _RETRY_DRILL


def outdated(kept: Sequence[Kept], now: datetime, keep: timedelta) -> list[Kept]:
    """Those older than `keep`, oldest first, never the newest."""
    by_age = sorted(kept, key=lambda one: (one.taken_at, one.backup_id))
    return [one for one in by_age[:-1] if now - one.taken_at > keep]
