"""SQL of incidents."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import parse_rfc3339, rfc3339
from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.incidents.model import Incident, Responder, Severity, Status
from watchkeeper.modules.incidents.tables import incidents, responders, roles, services

_CHUNK = 500
_ELSEWHERE = ("services", "roles", "told")


@dataclass(frozen=True)
class IncidentFilter:
    """Which incidents; an empty field asks for all. Drills are left out unless they are asked for."""

    statuses: tuple[Status, ...] = ()
    severities: tuple[Severity, ...] = ()
    services: tuple[str, ...] = ()
    open: bool | None = None
    words: str = ""
    since: datetime | None = None
    until: datetime | None = None
    drills: bool | None = False
    merged: bool | None = None


def find(session: Session, incident_id: str) -> Incident | None:
    """By id, or by name."""
    wanted = or_(incidents.c.id == incident_id, incidents.c.name == incident_id)
    found = _read(session, select(incidents).where(wanted).limit(1))
    return found[0] if found else None


def by_ids(session: Session, ids: Collection[str]) -> dict[str, Incident]:
    """These, by id."""
    wanted = sorted(set(ids))
    found: dict[str, Incident] = {}
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        found |= {one.id: one for one in _read(session, select(incidents).where(incidents.c.id.in_(chunk)))}
    return found


def listed(
    session: Session, wanted: IncidentFilter, *, limit: int, after: tuple[int, str, str, str] | None = None
) -> list[Incident]:
    """Open ones first, the worst first, then the newest. `after`: the `list_key` of the last one seen."""
    query = select(incidents).where(*_conditions(wanted))
    if after is not None:
        closed, severity, opened, last = after
        at = parse_rfc3339(opened)
        same = and_(incidents.c.closed == closed, _rank() == severity)
        query = query.where(
            or_(
                incidents.c.closed > closed,
                and_(incidents.c.closed == closed, _rank() > severity),
                and_(same, incidents.c.opened_at < at),
                and_(same, incidents.c.opened_at == at, incidents.c.id > last),
            )
        )
    order = (incidents.c.closed, _rank(), incidents.c.opened_at.desc(), incidents.c.id)
    return _read(session, query.order_by(*order).limit(limit))


def list_key(one: Incident) -> tuple[int, str, str, str]:
    """Where a list goes on after this one."""
    closed = 0 if one.is_open else 1
    return closed, "" if closed else one.severity.value, rfc3339(one.opened_at), one.id


def count_open(session: Session) -> int:
    """Open ones that are no drills."""
    wanted = select(func.count()).where(incidents.c.closed == 0, incidents.c.drill.is_(False))
    return session.execute(wanted).scalar_one()


def names_like(session: Session, name: str) -> set[str]:
    """Names that begin so: a new one must be another."""
    wanted = select(incidents.c.name).where(incidents.c.name.startswith(name, autoescape=True))
    return set(session.execute(wanted).scalars())


def put(session: Session, one: Incident, *, fresh: bool) -> None:
    """Write all of it."""
    values = {column.name: getattr(one, column.name) for column in incidents.c if column.name not in ("closed",)}
    values |= {"services": list(one.services), "told": list(one.told), "closed": 0 if one.is_open else 1}
    if fresh:
        session.execute(insert(incidents).values(values))
    else:
        session.execute(update(incidents).where(incidents.c.id == one.id).values(values))
    session.execute(delete(services).where(services.c.incident_id == one.id))
    if one.services:
        session.execute(insert(services), [{"incident_id": one.id, "service": name} for name in one.services])


def set_mirrored(session: Session, incident_id: str, told: Iterable[str], channel: str | None) -> None:
    """What Slack was told, and its channel there; nothing that people look at changes, so its version stays."""
    values = {"told": list(told), "channel": channel}
    session.execute(update(incidents).where(incidents.c.id == incident_id).values(values))


def put_role(session: Session, incident_id: str, role: str, person_id: str | None, *, at: datetime) -> None:
    """Whose a role is now; None: nobody's."""
    mine = (roles.c.incident_id == incident_id) & (roles.c.role == role)
    session.execute(delete(roles).where(mine))
    if person_id is not None:
        session.execute(insert(roles).values(incident_id=incident_id, role=role, person_id=person_id, since=at))


def join(session: Session, one: Responder) -> bool:
    """Note when somebody came to it; False when they were there before."""
    values = {name: getattr(one, name) for name in ("incident_id", "person_id", "joined_at", "how")}
    added = insert_for(session, responders).values(values).on_conflict_do_nothing()
    return session.execute(added.returning(responders.c.person_id)).scalar() is not None


def responders_of(session: Session, incident_ids: Iterable[str]) -> dict[str, list[Responder]]:
    """Who worked on these, whoever came first in front; each asked id is in the answer."""
    wanted = sorted(set(incident_ids))
    found: dict[str, list[Responder]] = {one: [] for one in wanted}
    for start in range(0, len(wanted), _CHUNK):
        rows = select(responders).where(responders.c.incident_id.in_(wanted[start : start + _CHUNK]))
        for row in session.execute(rows.order_by(responders.c.joined_at, responders.c.person_id)):
            found[row.incident_id].append(Responder(**row._mapping))
    return found


def _conditions(wanted: IncidentFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.statuses:
        found.append(incidents.c.status.in_(wanted.statuses))
    if wanted.severities:
        found.append(incidents.c.severity.in_(wanted.severities))
    if wanted.services:
        mine = select(services.c.incident_id).where(services.c.service.in_(wanted.services))
        found.append(incidents.c.id.in_(mine))
    if wanted.open is not None:
        found.append(incidents.c.closed == (0 if wanted.open else 1))
    if wanted.drills is not None:
        found.append(incidents.c.drill.is_(wanted.drills))
    if wanted.merged is not None:
        found.append(incidents.c.merged_into.is_not(None) if wanted.merged else incidents.c.merged_into.is_(None))
    if wanted.since is not None:
        found.append(incidents.c.opened_at >= wanted.since)
    if wanted.until is not None:
        found.append(incidents.c.opened_at < wanted.until)
    for word in wanted.words.split()[:10]:
        columns = (incidents.c.title, incidents.c.summary, incidents.c.name)
        found.append(or_(*(one.icontains(word, autoescape=True) for one in columns)))
    return found


def _rank() -> ColumnElement[Any]:
    """Of closed ones only time decides."""
    return case((incidents.c.closed == 0, incidents.c.severity), else_="")


def _read(session: Session, query: Any) -> list[Incident]:
    rows = session.execute(query).all()
    held: dict[str, dict[str, str]] = {row.id: {} for row in rows}
    if rows:
        for role in session.execute(select(roles).where(roles.c.incident_id.in_(list(held)))):
            held[role.incident_id][role.role] = role.person_id
    return [_incident(row, held[row.id]) for row in rows]


def _incident(row: Any, held: dict[str, str]) -> Incident:
    values = {name: value for name, value in row._mapping.items() if name not in ("closed", *_ELSEWHERE)}
    values |= {"severity": Severity(row.severity), "status": Status(row.status)}
    return Incident(**values, services=tuple(row.services), told=tuple(row.told), roles=held)
