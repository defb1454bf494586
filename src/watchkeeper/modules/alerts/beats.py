"""When a heartbeat is expected, and what it means when it comes or does not: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.alerts.from_files import FromFiles
from watchkeeper.modules.alerts.model import Severity

if TYPE_CHECKING:
    from cronsim import CronSim

LONGEST_PERIOD = timedelta(days=365)
LONGEST_CRON = 100


class BeatState(StrEnum):
    """`late`: the period is over and the grace runs."""

    NEW = "new"
    UP = "up"
    LATE = "late"
    DOWN = "down"
    PAUSED = "paused"


class PingKind(StrEnum):
    """What a ping says."""

    SUCCESS = "success"
    START = "start"
    FAIL = "fail"
    LOG = "log"


@dataclass(frozen=True)
class Plan:
    """How often a heartbeat comes: every `period`, or at the times of `cron` on a clock of `zone`; `grace` late is all
    right."""

    period: timedelta | None
    cron: str | None
    zone: str
    grace: timedelta

    def due_after(self, ping: datetime) -> datetime:
        """When the one after a ping is expected. Across a change of clocks cron behaves as Debian's does."""
        if self.cron is None:
            return ping + (self.period or timedelta())
        return next(_cron(self.cron, ping.astimezone(ZoneInfo(self.zone)))).astimezone(UTC)

    def complaints(self) -> Iterable[Complaint]:
        """What is wrong with it."""
        if (self.period is None) == (self.cron is None):
            yield Complaint("period_seconds", "either a period or a cron expression")
        if self.period is not None and not timedelta(seconds=60) <= self.period <= LONGEST_PERIOD:
            yield Complaint("period_seconds", "from one minute to 365 days")
        if not timedelta(seconds=60) <= self.grace <= LONGEST_PERIOD:
            yield Complaint("grace_seconds", "from one minute to 365 days")
        if self.zone not in available_timezones():
            yield Complaint("time_zone", "a name of the IANA database such as Europe/Oslo")
        elif self.cron is not None and not self._is_cron():
            yield Complaint("cron", "five fields such as 15 3 * * 1-5 that name at least one time")

    def _is_cron(self) -> bool:
        from cronsim import CronSimError

        if len(self.cron or "") > LONGEST_CRON or len((self.cron or "").split()) != 5:
            return False
        try:
            next(_cron(self.cron or "", datetime(2026, 1, 1, tzinfo=UTC)))
        except (CronSimError, StopIteration):
            return False
        return True


@dataclass(frozen=True, kw_only=True)
class Beat:
    """What is known of a heartbeat. `late_at` and `down_at` are when silence turns it so."""

    state: BeatState = BeatState.NEW
    started_at: datetime | None = None
    last_ping_at: datetime | None = None
    last_duration: timedelta | None = None
    late_at: datetime | None = None
    down_at: datetime | None = None


def after_ping(beat: Beat, plan: Plan, kind: PingKind, at: datetime) -> Beat:
    """What a ping makes of it. A paused one goes on with it; a log entry changes nothing."""
    if kind is PingKind.LOG:
        return beat
    if kind is PingKind.START:
        state = BeatState.NEW if beat.state is BeatState.PAUSED else beat.state
        return with_edges(replace(beat, started_at=at, state=state), plan)
    duration = at - beat.started_at if beat.started_at is not None and at >= beat.started_at else None
    pinged = replace(beat, started_at=None, last_ping_at=at, last_duration=duration)
    if kind is PingKind.FAIL:
        return replace(pinged, state=BeatState.DOWN, late_at=None, down_at=None)
    return with_edges(replace(pinged, state=BeatState.UP), plan)


def with_edges(beat: Beat, plan: Plan) -> Beat:
    """With the instants at which silence changes it. What has started has to end within the grace."""
    if beat.state in (BeatState.DOWN, BeatState.PAUSED):
        return replace(beat, late_at=None, down_at=None)
    counts = beat.last_ping_at is not None and beat.state in (BeatState.UP, BeatState.LATE)
    late = plan.due_after(beat.last_ping_at) if counts and beat.last_ping_at is not None else None
    begins = [one for one in (late, beat.started_at) if one is not None]
    return replace(beat, late_at=late, down_at=min(begins) + plan.grace if begins else None)


def at_time(beat: Beat, now: datetime) -> Beat:
    """What the passing of time makes of it."""
    if beat.state in (BeatState.DOWN, BeatState.PAUSED):
        return beat
    if beat.down_at is not None and beat.down_at <= now:
        return replace(beat, state=BeatState.DOWN, late_at=None, down_at=None)
    if beat.state is BeatState.UP and beat.late_at is not None and beat.late_at <= now:
        return replace(beat, state=BeatState.LATE)
    return beat


def next_edge(beat: Beat, now: datetime) -> datetime | None:
    """When it has to be looked at next."""
    return min((one for one in (beat.late_at, beat.down_at) if one is not None and one > now), default=None)


def _cron(expression: str, after: datetime) -> CronSim:
    from cronsim import CronSim

    return CronSim(expression, after)


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """Something that has to be heard of regularly: `ping_key` is in its address."""

    id: str
    name: str
    ping_key: str
    plan: Plan
    description: str
    service: str | None
    environment: str | None
    policy: str | None
    severity: Severity
    beat: Beat
    ping_count: int
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    files: FromFiles | None = None
