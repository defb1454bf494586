"""SQL of heartbeats and their pings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import ColumnElement, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.alerts.beats import Beat, BeatState, Heartbeat, PingKind, Plan
from watchkeeper.modules.alerts.from_files import FromFiles, into
from watchkeeper.modules.alerts.model import Severity
from watchkeeper.modules.alerts.tables import heartbeats, pings

MOST_PINGS = 100


@dataclass(frozen=True)
class Ping:
    """One ping."""

    at: datetime
    kind: PingKind
    exit_status: int | None
    duration: timedelta | None
    body: str


def all_heartbeats(session: Session) -> list[Heartbeat]:
    """By name."""
    return [_heartbeat(row) for row in session.execute(select(heartbeats).order_by(heartbeats.c.name))]


def by_name(session: Session, name: str) -> Heartbeat | None:
    """The heartbeat of this id or name."""
    return _one(session, or_(heartbeats.c.id == name, heartbeats.c.name == name))


def by_ping_key(session: Session, key: str) -> Heartbeat | None:
    """The heartbeat with this in its address."""
    return _one(session, heartbeats.c.ping_key == key)


def overdue(session: Session, now: datetime) -> list[Heartbeat]:
    """Those that silence has changed without anybody's looking."""
    late = (heartbeats.c.state == BeatState.UP) & (heartbeats.c.late_at <= now)
    down = heartbeats.c.state.in_((BeatState.NEW, BeatState.UP, BeatState.LATE)) & (heartbeats.c.down_at <= now)
    return [_heartbeat(row) for row in session.execute(select(heartbeats).where(or_(late, down)))]


def add(session: Session, one: Heartbeat) -> None:
    """Write a new one."""
    session.execute(insert(heartbeats).values(**_row(one)))


def write(session: Session, one: Heartbeat) -> None:
    """Write it as it is."""
    row = _row(one)
    session.execute(update(heartbeats).where(heartbeats.c.id == row.pop("id")).values(row))


def remove(session: Session, heartbeat_id: str) -> None:
    """Delete it and its pings."""
    session.execute(delete(pings).where(pings.c.heartbeat_id == heartbeat_id))
    session.execute(delete(heartbeats).where(heartbeats.c.id == heartbeat_id))


def add_ping(session: Session, heartbeat_id: str, ping: Ping) -> None:
    """Write a ping."""
    session.execute(
        insert(pings).values(
            id=new_id("png"),
            heartbeat_id=heartbeat_id,
            at=ping.at,
            kind=ping.kind,
            exit_status=ping.exit_status,
            duration_ms=_milliseconds(ping.duration),
            body=ping.body,
        )
    )


def trim_pings(session: Session, heartbeat_id: str) -> None:
    """Keep the newest hundred."""
    newest = select(pings.c.id).where(pings.c.heartbeat_id == heartbeat_id).order_by(pings.c.at.desc(), pings.c.id)
    keep = session.execute(newest.limit(MOST_PINGS)).scalars().all()
    session.execute(delete(pings).where(pings.c.heartbeat_id == heartbeat_id, pings.c.id.not_in(keep)))


def pings_of(session: Session, heartbeat_id: str, *, limit: int) -> list[Ping]:
    """The newest pings, newest first."""
    found = select(pings).where(pings.c.heartbeat_id == heartbeat_id).order_by(pings.c.at.desc(), pings.c.id)
    return [
        Ping(row.at, PingKind(row.kind), row.exit_status, _length(row.duration_ms), row.body)
        for row in session.execute(found.limit(limit))
    ]


class Said(Protocol):
    """What people say of a heartbeat, be it there or only ordered."""

    @property
    def description(self) -> str: ...
    @property
    def service(self) -> str | None: ...
    @property
    def environment(self) -> str | None: ...
    @property
    def policy(self) -> str | None: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def plan(self) -> Plan: ...


def content_of(one: Said) -> dict[str, Any]:
    """All that people say of it, as JSON."""
    period = one.plan.period
    return {
        "description": one.description,
        "service": one.service,
        "environment": one.environment,
        "policy": one.policy,
        "severity": one.severity.value,
        "period_seconds": int(period.total_seconds()) if period is not None else None,
        "grace_seconds": int(one.plan.grace.total_seconds()),
        "cron": one.plan.cron,
        "time_zone": one.plan.zone,
    }


def _one(session: Session, condition: ColumnElement[bool]) -> Heartbeat | None:
    row = session.execute(select(heartbeats).where(condition)).first()
    return _heartbeat(row) if row is not None else None


def lock(session: Session, heartbeat_id: str) -> Heartbeat | None:
    """It, kept from others until the transaction ends."""
    row = session.execute(select(heartbeats).where(heartbeats.c.id == heartbeat_id).with_for_update()).first()
    return _heartbeat(row) if row is not None else None


def _row(one: Heartbeat) -> dict[str, Any]:
    beat = one.beat
    return {
        "id": one.id,
        "name": one.name,
        "ping_key": one.ping_key,
        "content": content_of(one) | into(one.files),
        "state": beat.state,
        "started_at": beat.started_at,
        "last_ping_at": beat.last_ping_at,
        "last_duration_ms": _milliseconds(beat.last_duration),
        "late_at": beat.late_at,
        "down_at": beat.down_at,
        "ping_count": one.ping_count,
        "version": one.version,
        "created_at": one.created_at,
        "created_by": one.created_by,
        "updated_at": one.updated_at,
    }


def _heartbeat(row: Any) -> Heartbeat:
    said = row.content
    period = said["period_seconds"]
    return Heartbeat(
        id=row.id,
        name=row.name,
        ping_key=row.ping_key,
        plan=Plan(
            timedelta(seconds=period) if period is not None else None,
            said["cron"],
            said["time_zone"],
            timedelta(seconds=said["grace_seconds"]),
        ),
        description=said["description"],
        service=said["service"],
        environment=said["environment"],
        policy=said["policy"],
        severity=Severity(said["severity"]),
        beat=Beat(
            state=BeatState(row.state),
            started_at=row.started_at,
            last_ping_at=row.last_ping_at,
            last_duration=_length(row.last_duration_ms),
            late_at=row.late_at,
            down_at=row.down_at,
        ),
        ping_count=row.ping_count,
        version=row.version,
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
        files=FromFiles.within(said),
    )


def _milliseconds(length: timedelta | None) -> int | None:
    return min(int(length.total_seconds() * 1000), 2**31 - 1) if length is not None else None


def _length(milliseconds: int | None) -> timedelta | None:
    return timedelta(milliseconds=milliseconds) if milliseconds is not None else None
