"""SQL of silences and maintenance windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.orm import Session

from watchkeeper.modules.alerts.matching import Matcher
from watchkeeper.modules.alerts.quiet import Quiet, Silence, Weekly, Window
from watchkeeper.modules.alerts.tables import maintenance, silences

_MOST = 1_000


def quiet_at(session: Session, at: datetime) -> Quiet:
    """Silences and windows that are active at an instant."""
    return Quiet.at(at, silences_after(session, at), windows_after(session, at))


def silences_after(session: Session, at: datetime) -> list[Silence]:
    """Those that are not over, the next to end first."""
    rows = session.execute(select(silences).where(silences.c.ends_at > at).order_by(silences.c.ends_at).limit(_MOST))
    return [_silence(row) for row in rows]


def silences_before(session: Session, at: datetime, *, limit: int = 100) -> list[Silence]:
    """Those that are over, the last first."""
    rows = session.execute(
        select(silences).where(silences.c.ends_at <= at).order_by(silences.c.ends_at.desc()).limit(limit)
    )
    return [_silence(row) for row in rows]


def silence(session: Session, silence_id: str) -> Silence | None:
    """The silence of this id."""
    row = session.execute(select(silences).where(silences.c.id == silence_id)).one_or_none()
    return _silence(row) if row is not None else None


def add_silence(session: Session, one: Silence) -> None:
    """Write a new one."""
    values = {name: value for name, value in vars(one).items() if name != "matchers"}
    said = [[matcher.label, matcher.operator, matcher.value] for matcher in one.matchers]
    session.execute(insert(silences).values(matchers=said, **values))


def end_silence(session: Session, one: Silence, *, at: datetime, by: str) -> Silence:
    """It is over from now on; one that has not begun ends where it begins."""
    ended = replace(one, ends_at=at, starts_at=min(one.starts_at, at), ended_by=by)
    values = {"ends_at": ended.ends_at, "starts_at": ended.starts_at, "ended_by": by}
    session.execute(update(silences).where(silences.c.id == one.id).values(values))
    return ended


def windows_after(session: Session, at: datetime) -> list[Window]:
    """Those that are not over for good."""
    alive = or_(maintenance.c.ends_at.is_(None), maintenance.c.ends_at > at)
    rows = session.execute(
        select(maintenance).where(alive).order_by(maintenance.c.starts_at, maintenance.c.id).limit(_MOST)
    )
    return [_window(row) for row in rows]


def windows_before(session: Session, at: datetime, *, limit: int = 100) -> list[Window]:
    """Those that are over, the last first."""
    over = select(maintenance).where(maintenance.c.ends_at <= at).order_by(maintenance.c.ends_at.desc())
    return [_window(row) for row in session.execute(over.limit(limit))]


def window(session: Session, window_id: str) -> Window | None:
    """The window of this id."""
    row = session.execute(select(maintenance).where(maintenance.c.id == window_id)).one_or_none()
    return _window(row) if row is not None else None


def add_window(session: Session, one: Window) -> None:
    """Write a new one."""
    values = {name: value for name, value in vars(one).items() if name not in ("services", "environments", "weekly")}
    session.execute(
        insert(maintenance).values(
            services=list(one.services),
            environments=list(one.environments),
            weekly=weekly_words(one.weekly) if one.weekly else None,
            **values,
        )
    )


def end_window(session: Session, one: Window, *, at: datetime, by: str) -> Window:
    """It is over for good from now on."""
    ended = replace(one, ends_at=at, starts_at=min(one.starts_at, at), ended_by=by)
    values = {"ends_at": ended.ends_at, "starts_at": ended.starts_at, "ended_by": by}
    session.execute(update(maintenance).where(maintenance.c.id == one.id).values(values))
    return ended


def weekly_words(weekly: Weekly) -> dict[str, Any]:
    """As it is stored."""
    minutes = int(weekly.length.total_seconds() // 60)
    return {"days": list(weekly.days), "at": f"{weekly.at:%H:%M}", "zone": weekly.zone, "minutes": minutes}


def _weekly(said: Mapping[str, Any]) -> Weekly:
    length = timedelta(minutes=said["minutes"])
    return Weekly(tuple(said["days"]), time.fromisoformat(said["at"]), said["zone"], length)


def _silence(row: Any) -> Silence:
    values = dict(row._mapping)
    return Silence(**values | {"matchers": tuple(Matcher(*one) for one in row.matchers)})


def _window(row: Any) -> Window:
    values = dict(row._mapping) | {"services": tuple(row.services), "environments": tuple(row.environments)}
    return Window(**values | {"weekly": _weekly(row.weekly) if row.weekly else None})
