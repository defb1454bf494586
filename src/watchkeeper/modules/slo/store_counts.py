"""SQL of what was counted, and of what came of it: hours, revisions, alerts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.slo.model import AlertState, Counts, Revision
from watchkeeper.modules.slo.tables import alerts, hours, revisions

ALL = ""  # the part that is everything
_HOUR = 3_600
_BATCH = 500
Key = tuple[str, str]  # SLO and objective


@dataclass(frozen=True)
class HourRow:
    """What was counted in the hour that begins at `hour` (Unix seconds); `part` as in the table."""

    slo: str
    objective: str
    hour: int
    part: str
    counts: Counts
    settled: bool


def put_hours(session: Session, rows: Iterable[HourRow]) -> None:
    """Insert or replace."""
    values = [
        {
            "slo": one.slo,
            "objective": one.objective,
            "hour": one.hour // _HOUR,
            "part": one.part,
            "good": one.counts.good,
            "total": one.counts.total,
            "measured": one.counts.measured,
            "settled": one.settled,
        }
        for one in rows
    ]
    for start in range(0, len(values), _BATCH):
        statement = insert_for(session, hours).values(values[start : start + _BATCH])
        changed = {name: statement.excluded[name] for name in ("good", "total", "measured", "settled")}
        session.execute(
            statement.on_conflict_do_update(index_elements=["slo", "objective", "hour", "part"], set_=changed)
        )


def read_hours(
    session: Session, since: int, until: int, *, slo: str | None = None, objective: str | None = None
) -> dict[Key, dict[int, dict[str, HourRow]]]:
    """By objective, hour and part, of hours that begin in [since, until) (Unix seconds)."""
    query = select(hours).where(hours.c.hour >= since // _HOUR, hours.c.hour < -(-until // _HOUR))
    if slo is not None:
        query = query.where(hours.c.slo == slo)
    if objective is not None:
        query = query.where(hours.c.objective == objective)
    found: dict[Key, dict[int, dict[str, HourRow]]] = defaultdict(lambda: defaultdict(dict))
    for row in session.execute(query):
        counts = Counts(row.good, row.total, row.measured)
        hour = row.hour * _HOUR
        found[row.slo, row.objective][hour][row.part] = HourRow(
            row.slo, row.objective, hour, row.part, counts, row.settled
        )
    return found


def sums(session: Session, since: int, until: int, *, slo: str, objective: str) -> dict[str, Counts]:
    """By part, what the hours that begin in [since, until) (Unix seconds) add up to."""
    added = (func.sum(hours.c.good), func.sum(hours.c.total), func.sum(hours.c.measured))
    query = (
        select(hours.c.part, *added)
        .where(hours.c.slo == slo, hours.c.objective == objective)
        .where(hours.c.hour >= since // _HOUR, hours.c.hour < -(-until // _HOUR))
        .group_by(hours.c.part)
    )
    return {row[0]: Counts(*row[1:]) for row in session.execute(query)}


def net(parts: Mapping[str, HourRow], leaving_out: Collection[str]) -> Counts:
    """All of an hour without the parts that are left out. Time that is left out stays measured."""
    return net_of({part: one.counts for part, one in parts.items()}, leaving_out)


def net_of(parts: Mapping[str, Counts], leaving_out: Collection[str]) -> Counts:
    """The same of counts, also of many hours."""
    whole = parts.get(ALL, Counts())
    out = sum((counts for part, counts in parts.items() if part in leaving_out), Counts())
    return replace(whole - out, measured=whole.measured)


def forget_hours(session: Session, *, slo: str | None = None, before: int | None = None) -> None:
    """Delete the hours of an SLO, or those before an instant."""
    query = delete(hours)
    if slo is not None:
        query = query.where(hours.c.slo == slo)
    if before is not None:
        query = query.where(hours.c.hour < before // _HOUR)
    session.execute(query)


def first_hour(session: Session, slo: str) -> int | None:
    """When the oldest hour that is kept of an SLO begins."""
    found = session.execute(select(func.min(hours.c.hour)).where(hours.c.slo == slo)).scalar()
    return None if found is None else found * _HOUR


def add_revisions(session: Session, found: Iterable[Revision]) -> None:
    """Note that hours were told otherwise before."""
    rows = [
        {
            "id": new_id("rev"),
            "slo": one.slo,
            "objective": one.objective,
            "hour": int(one.hour.timestamp()) // _HOUR,
            "before": [one.before.good, one.before.total, one.before.measured],
            "after": [one.after.good, one.after.total, one.after.measured],
            "found_at": one.found_at,
        }
        for one in found
    ]
    if rows:
        session.execute(insert(revisions), rows)


def all_revisions(
    session: Session, *, slo: str | None = None, since: datetime | None = None, limit: int = 500
) -> list[Revision]:
    """Revisions, newest first; `since` is about the hours that were revised."""
    query = select(revisions).order_by(revisions.c.found_at.desc(), revisions.c.hour.desc()).limit(limit)
    if slo is not None:
        query = query.where(revisions.c.slo == slo)
    if since is not None:
        query = query.where(revisions.c.hour >= int(since.timestamp()) // _HOUR)
    return [
        Revision(
            row.slo,
            row.objective,
            datetime.fromtimestamp(row.hour * _HOUR, UTC),
            Counts(*row.before),
            Counts(*row.after),
            row.found_at,
        )
        for row in session.execute(query)
    ]


def newest_episode(session: Session, dedup_key: str, *, lock: bool = False) -> AlertState | None:
    """The newest episode of an alert, open or not."""
    query = select(alerts).where(alerts.c.dedup_key == dedup_key).order_by(alerts.c.started_at.desc()).limit(1)
    row = session.execute(query.with_for_update() if lock else query).first()
    return None if row is None else _alert(row)


def recent_episodes(session: Session, since: datetime) -> dict[str, AlertState]:
    """By dedup key, the newest episode of each alert that is open or ended after `since`."""
    query = select(alerts).where(alerts.c.resolved_at.is_(None) | (alerts.c.resolved_at >= since))
    rows = session.execute(query.order_by(alerts.c.started_at))
    return {row.dedup_key: _alert(row) for row in rows}


def episodes(
    session: Session,
    *,
    slo: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    open_only: bool = False,
    limit: int = 100,
) -> list[AlertState]:
    """Episodes that touch [since, until), newest first."""
    query = select(alerts).order_by(alerts.c.started_at.desc(), alerts.c.id).limit(limit)
    if slo is not None:
        query = query.where(alerts.c.slo == slo)
    if since is not None:
        query = query.where(alerts.c.resolved_at.is_(None) | (alerts.c.resolved_at >= since))
    if until is not None:
        query = query.where(alerts.c.started_at < until)
    if open_only:
        query = query.where(alerts.c.resolved_at.is_(None))
    return [_alert(row) for row in session.execute(query)]


def add_alert(session: Session, state: AlertState) -> bool:
    """Insert an episode; False when another replica opened one."""
    statement = insert_for(session, alerts).values(_alert_columns(state))
    statement = statement.on_conflict_do_nothing(index_elements=["open_key"])
    return session.execute(statement.returning(alerts.c.id)).first() is not None


def change_alert(session: Session, state: AlertState) -> None:
    """Replace an episode."""
    session.execute(update(alerts).where(alerts.c.id == state.id).values(_alert_columns(state)))


def _alert_columns(state: AlertState) -> dict[str, Any]:
    return {
        **{name: getattr(state, name) for name in _ALERT_FIELDS},
        "rules": list(state.rules),
        "open_key": state.dedup_key if state.is_open else None,
    }


_ALERT_FIELDS = tuple(AlertState.__dataclass_fields__)


def _alert(row: Any) -> AlertState:
    values = {name: getattr(row, name) for name in _ALERT_FIELDS}
    return AlertState(**{**values, "rules": tuple(row.rules)})
