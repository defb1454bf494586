"""SQL of groups and alerts: many at a time, since a storm comes in many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import parse_rfc3339, rfc3339
from watchkeeper.modules.alerts.model import (
    PROBE,
    AlertState,
    GroupState,
    Link,
    Severity,
    Status,
    Suppression,
    Urgency,
)
from watchkeeper.modules.alerts.tables import alerts, details, groups

_CHUNK = 500
_QUIET = 10


@dataclass(frozen=True)
class GroupFilter:
    """Which groups; an empty field asks for all."""

    statuses: tuple[Status, ...] = ()
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    suppressed: bool | None = None
    words: str = ""
    since: datetime | None = None
    until: datetime | None = None


def live_alerts(session: Session, identities: Iterable[str]) -> dict[str, AlertState]:
    """The newest row of each of these identities."""
    found = {}
    for chunk in chunks(sorted(set(identities))):
        for row in session.execute(select(alerts).where(alerts.c.live.in_(chunk))):
            found[row.identity] = _alert(row)
    return found


def groups_by_id(session: Session, ids: Iterable[str]) -> dict[str, GroupState]:
    """These groups, by id."""
    found = {}
    for chunk in chunks(sorted(set(ids))):
        for row in session.execute(select(groups).where(groups.c.id.in_(chunk))):
            found[row.id] = _group(row)
    return found


def joinable(session: Session, grouped_as: Iterable[str]) -> dict[str, GroupState]:
    """The group that takes in alerts, by what they are grouped as."""
    found = {}
    for chunk in chunks(sorted(set(grouped_as))):
        for row in session.execute(select(groups).where(groups.c.open_key.in_(chunk))):
            found[row.grouped_as] = _group(row)
    return found


def lately_resolved(session: Session, grouped_as: Iterable[str], *, since: datetime) -> dict[str, GroupState]:
    """The group that was resolved last since an instant, by what its alerts are grouped as."""
    found: dict[str, GroupState] = {}
    for chunk in chunks(sorted(set(grouped_as))):
        wanted = select(groups).where(groups.c.grouped_as.in_(chunk), groups.c.resolved_at >= since)
        for row in session.execute(wanted.order_by(groups.c.resolved_at)):
            found[row.grouped_as] = _group(row)
    return found


def open_groups(session: Session, *conditions: ColumnElement[bool]) -> list[GroupState]:
    """Every group that is not resolved, oldest first."""
    wanted = select(groups).where(groups.c.status != Status.RESOLVED, *conditions).order_by(groups.c.opened_at)
    return [_group(row) for row in session.execute(wanted)]


def suppressed_by(session: Session, cause: str) -> list[GroupState]:
    """Open groups that this group, silence or window keeps quiet."""
    return open_groups(session, groups.c.suppressed_by == cause)


def roots(session: Session, services: Iterable[str]) -> list[GroupState]:
    """Open groups of these services that page at high severity: what depends on them need not page as well."""
    return open_groups(
        session,
        groups.c.service.in_(sorted(services)),
        groups.c.severity_rank <= Severity.ERROR.rank,
        groups.c.suppressed.is_(None),
        groups.c.firing_count > 0,
    )


def list_groups(
    session: Session, wanted: GroupFilter, *, limit: int, after: tuple[int, int, str, str] | None = None
) -> list[GroupState]:
    """Open ones first: those that page, the worst, the newest. `after` is the `list_key` of the last one seen."""
    resolved = _resolved_last()
    query = select(groups).where(*_conditions(wanted))
    if after is not None:
        done, rank, opened, last = after
        at = parse_rfc3339(opened)
        same = and_(resolved == done, _rank_of_list() == rank)
        query = query.where(
            or_(
                resolved > done,
                and_(resolved == done, _rank_of_list() > rank),
                and_(same, groups.c.opened_at < at),
                and_(same, groups.c.opened_at == at, groups.c.id > last),
            )
        )
    query = query.order_by(resolved, _rank_of_list(), groups.c.opened_at.desc(), groups.c.id).limit(limit)
    return [_group(row) for row in session.execute(query)]


def opened_between(session: Session, since: datetime, until: datetime, *, limit: int) -> list[GroupState]:
    """The newest first."""
    within = groups.c.opened_at >= since, groups.c.opened_at < until, groups.c.integration != PROBE
    query = select(groups).where(*within).order_by(groups.c.opened_at.desc(), groups.c.id).limit(limit)
    return [_group(row) for row in session.execute(query)]


def waiting(session: Session, *, before: datetime, now: datetime) -> list[str]:
    """Ids of all groups that page, that nobody has, that are not snoozed, and that did not change since `before`.

    Without synthetic ones.
    """
    awake = or_(groups.c.snoozed_until.is_(None), groups.c.snoozed_until <= now)
    wanted = select(groups.c.id).where(
        groups.c.status == Status.TRIGGERED,
        groups.c.suppressed.is_(None),
        groups.c.updated_at < before,
        groups.c.integration != PROBE,
        awake,
    )
    return list(session.execute(wanted.order_by(groups.c.opened_at, groups.c.id)).scalars())


def list_key(group: GroupState) -> tuple[int, int, str, str]:
    """Where a group stands in the list."""
    rank = group.severity.rank + (_QUIET if group.suppressed else 0) if group.is_open else 0
    return int(not group.is_open), rank, rfc3339(group.opened_at), group.id


def _resolved_last() -> ColumnElement[int]:
    return case((groups.c.status == Status.RESOLVED, 1), else_=0)


def _rank_of_list() -> ColumnElement[int]:
    # Resolved ones are in the order of time: how bad they were once is no reason to be on top. Those that page nobody
    # come after those that do.
    rank = case((groups.c.suppressed.is_not(None), groups.c.severity_rank + _QUIET), else_=groups.c.severity_rank)
    return case((groups.c.status == Status.RESOLVED, 0), else_=rank)


def counts(session: Session) -> dict[tuple[Status, bool], int]:
    """Open groups by status, and by whether they are kept quiet."""
    quiet = groups.c.suppressed.is_not(None)
    wanted = select(groups.c.status, quiet.label("quiet"), func.count().label("number"))
    open_ones = wanted.where(groups.c.status != Status.RESOLVED, groups.c.integration != PROBE)
    rows = session.execute(open_ones.group_by(groups.c.status, quiet))
    return {(Status(row.status), bool(row.quiet)): row.number for row in rows}


def alerts_of(session: Session, group_id: str, *, limit: int, offset: int = 0) -> list[AlertState]:
    """Alerts of a group: those that fire first, then the newest."""
    wanted = select(alerts).where(alerts.c.group_id == group_id)
    ordered = wanted.order_by(alerts.c.firing.desc(), alerts.c.last_at.desc(), alerts.c.id)
    return [_alert(row) for row in session.execute(ordered.limit(limit).offset(offset))]


def firing_of(session: Session, group_ids: Iterable[str]) -> list[AlertState]:
    """Every alert of these groups that fires."""
    found: list[AlertState] = []
    for chunk in chunks(sorted(set(group_ids))):
        rows = session.execute(select(alerts).where(alerts.c.group_id.in_(chunk), alerts.c.firing))
        found += [_alert(row) for row in rows]
    return found


def write_groups(session: Session, changed: Sequence[GroupState], fresh: frozenset[str]) -> None:
    """Write these groups; those in `fresh` are new. Old holders of an open key give it up before others take it."""
    rows = [_group_row(one) for one in changed]
    old = [row for row in rows if row["id"] not in fresh]
    if old:
        # Those without a key first: a new group may take the one that an older gives up.
        old.sort(key=lambda row: row["open_key"] is not None)
        renamed = [{"of": row["id"], **{f"new_{name}": row[name] for name in _OF_GROUP}} for row in old]
        session.connection().execute(_UPDATE_GROUP, renamed)
    new = [row for row in rows if row["id"] in fresh]
    if new:
        session.connection().execute(insert(groups), new)


def write_alerts(session: Session, changed: Sequence[AlertState], fresh: frozenset[str]) -> None:
    """Write these alerts; those in `fresh` are new."""
    old = [one for one in changed if one.id not in fresh]
    if old:
        old.sort(key=lambda one: one.live)
        session.connection().execute(_UPDATE_ALERT, [_alert_changes(one) for one in old])
    new = [_alert_row(one) for one in changed if one.id in fresh]
    if new:
        session.connection().execute(insert(alerts), new)


def forget(session: Session, *, before: datetime, tombstones_before: datetime, most: int = 2_000) -> int:
    """Delete groups resolved before an instant with all that is theirs; answers how many groups."""
    old = select(groups.c.id).where(groups.c.resolved_at < before).limit(most)
    ids = session.execute(old).scalars().all()
    for chunk in chunks(ids):
        of_them = select(alerts.c.id).where(alerts.c.group_id.in_(chunk))
        session.execute(delete(details).where(details.c.alert_id.in_(of_them)))
        session.execute(delete(alerts).where(alerts.c.group_id.in_(chunk)))
        session.execute(delete(groups).where(groups.c.id.in_(chunk)))
    session.execute(delete(alerts).where(alerts.c.group_id.is_(None), alerts.c.last_at < tombstones_before))
    return len(ids)


def services_with_alerts(session: Session) -> list[str]:
    """Services that an open group belongs to."""
    wanted = select(groups.c.service).where(groups.c.status != Status.RESOLVED, groups.c.service != "").distinct()
    return sorted(session.execute(wanted).scalars())


def _conditions(wanted: GroupFilter) -> Iterable[ColumnElement[bool]]:
    yield groups.c.integration != PROBE
    if wanted.statuses:
        yield groups.c.status.in_(wanted.statuses)
    if wanted.services:
        yield groups.c.service.in_(wanted.services)
    if wanted.environments:
        yield groups.c.environment.in_(wanted.environments)
    if wanted.severities:
        yield groups.c.severity.in_(wanted.severities)
    if wanted.suppressed is not None:
        yield groups.c.suppressed.is_not(None) if wanted.suppressed else groups.c.suppressed.is_(None)
    for word in wanted.words.casefold().split()[:8]:
        like = f"%{word.replace('!', '!!').replace('%', '!%').replace('_', '!_')}%"
        texts = (groups.c.title, groups.c.service, groups.c.key)
        yield or_(*(func.lower(text).like(like, escape="!") for text in texts))
    if wanted.since is not None:
        yield groups.c.opened_at >= wanted.since
    if wanted.until is not None:
        yield groups.c.opened_at < wanted.until


def chunks(values: Sequence[str]) -> Iterable[Sequence[str]]:
    """As many at a time as a statement takes."""
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def _group(row: Any) -> GroupState:
    return GroupState(
        id=row.id,
        version=row.version,
        service=row.service or None,
        environment=row.environment or None,
        key=row.key,
        title=row.title,
        status=Status(row.status),
        severity=Severity(row.severity),
        urgency=Urgency(row.urgency),
        opened_at=row.opened_at,
        updated_at=row.updated_at,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        acknowledged_until=row.acknowledged_until,
        snoozed_until=row.snoozed_until,
        resolved_at=row.resolved_at,
        resolved_by=row.resolved_by,
        suppressed=Suppression(row.suppressed) if row.suppressed else None,
        suppressed_by=row.suppressed_by,
        alert_count=row.alert_count,
        firing_count=row.firing_count,
        loud_count=row.loud_count,
        event_count=row.event_count,
        policy=row.policy,
        slo=row.slo,
        integration=row.integration,
        grouped_as=row.grouped_as,
        joined_at=row.joined_at,
        last_event_at=row.last_event_at,
        window=timedelta(seconds=row.window_seconds),
        auto_resolve=timedelta(seconds=row.auto_resolve_seconds) if row.auto_resolve_seconds else None,
        flapping=row.flapping,
        left_behind=row.open_key is None and row.status != Status.RESOLVED,
        changes=tuple(parse_rfc3339(one) for one in row.changes),
    )


_SAME = [
    name
    for name in GroupState.__dataclass_fields__
    if name not in ("service", "environment", "window", "auto_resolve", "changes", "left_behind")
]


def _group_row(group: GroupState) -> dict[str, Any]:
    row = {name: getattr(group, name) for name in _SAME}
    return row | {
        "service": group.service or "",
        "environment": group.environment or "",
        "severity_rank": group.severity.rank,
        "open_key": group.grouped_as if group.is_open and not group.left_behind else None,
        "window_seconds": int(group.window.total_seconds()),
        "auto_resolve_seconds": int(group.auto_resolve.total_seconds()) if group.auto_resolve else None,
        "changes": [rfc3339(one) for one in group.changes],
    }


def _alert(row: Any) -> AlertState:
    return AlertState(
        id=row.id,
        group_id=row.group_id,
        identity=row.identity,
        integration=row.integration,
        dedup_key=row.dedup_key,
        live=row.live is not None,
        firing=row.firing,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        title=row.title,
        severity=Severity(row.severity),
        labels=row.labels,
        links=tuple(Link(*one) for one in row.links),
        first_at=row.first_at,
        last_at=row.last_at,
        event_count=row.event_count,
        silence=row.silence,
    )


def _alert_row(alert: AlertState) -> dict[str, Any]:
    return {
        "id": alert.id,
        "group_id": alert.group_id,
        "identity": alert.identity,
        "live": alert.identity if alert.live else None,
        "integration": alert.integration,
        "dedup_key": alert.dedup_key,
        "firing": alert.firing,
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "title": alert.title,
        "severity": alert.severity,
        "labels": dict(alert.labels),
        "links": [[one.text, one.url] for one in alert.links],
        "first_at": alert.first_at,
        "last_at": alert.last_at,
        "event_count": alert.event_count,
        "silence": alert.silence,
    }


_FIXED = ("id", "identity", "integration", "dedup_key", "first_at")
_CHANGING = [column.name for column in alerts.columns if column.name not in _FIXED]
_UPDATE_ALERT = (
    update(alerts).where(alerts.c.id == bindparam("of")).values({name: bindparam(f"new_{name}") for name in _CHANGING})
)
_OF_GROUP = [column.name for column in groups.columns if column.name != "id"]
_UPDATE_GROUP = (
    update(groups).where(groups.c.id == bindparam("of")).values({name: bindparam(f"new_{name}") for name in _OF_GROUP})
)


def _alert_changes(alert: AlertState) -> dict[str, Any]:
    row = _alert_row(alert)
    return {"of": alert.id, **{f"new_{name}": row[name] for name in _CHANGING}}


def newest_labels(session: Session, *, limit: int) -> list[dict[str, str]]:
    """Labels of the alerts that were heard of last."""
    query = select(alerts.c.labels).order_by(alerts.c.last_at.desc()).limit(limit)
    return [dict(one) for one in session.execute(query).scalars()]
