"""SQL of the page, its components, incidents, updates and maintenances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.status.described import COMPONENT, PAGE, Described, from_row
from watchkeeper.modules.status.model import Component, Maintenance, PublicIncident, Review, Stage, State, Update
from watchkeeper.modules.status.tables import described, incidents, maintenances, updates, windows

MOST_INCIDENTS = 500
MOST_COMPONENTS = 200


def all_described(session: Session, kind: str) -> list[Described]:
    """By name."""
    rows = session.execute(select(described).where(described.c.kind == kind).order_by(described.c.name))
    return [from_row(row) for row in rows]


def one_described(session: Session, kind: str, name: str) -> Described | None:
    """The page or a component, by its name."""
    wanted = select(described).where(described.c.kind == kind, described.c.name == name)
    row = session.execute(wanted).one_or_none()
    return from_row(row) if row is not None else None


def put_described(session: Session, one: Described) -> None:
    """Write it as it is."""
    values = {
        "kind": one.kind,
        "name": one.name,
        "content": one.content(),
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }
    fresh = insert_for(session, described).values(id=one.id, **values)
    session.execute(fresh.on_conflict_do_update(index_elements=["id"], set_=values))


def remove_described(session: Session, one: Described) -> None:
    """Forget it."""
    session.execute(delete(described).where(described.c.id == one.id))


def page(session: Session) -> Described | None:
    """What is said of the page."""
    return next(iter(all_described(session, PAGE)), None)


def components(session: Session) -> list[Component]:
    """In the order of the page: groups by their first component, components by their order, then by title."""
    found = [one.component() for one in all_described(session, COMPONENT)]
    first: dict[str, int] = {}
    for one in found:
        if one.said.group:
            first[one.said.group] = min(first.get(one.said.group, one.said.order), one.said.order)
    return sorted(
        found,
        key=lambda one: (
            first.get(one.said.group, one.said.order),
            one.said.group.casefold(),
            one.said.order,
            one.title.casefold(),
            one.name,
        ),
    )


def add_incident(session: Session, one: PublicIncident) -> PublicIncident:
    """Write a new one; the one that is there already for the same incident inside."""
    fresh = insert_for(session, incidents).values(**vars(one))
    session.execute(fresh.on_conflict_do_nothing(index_elements=["incident"]))
    found = incident(session, one.id) or (incident_about(session, one.incident) if one.incident else None)
    if found is None:
        raise LookupError(one.id)
    return found


def put_incident(session: Session, one: PublicIncident) -> None:
    """Write it as it is."""
    session.execute(update(incidents).where(incidents.c.id == one.id).values(**vars(one)))


def incident(session: Session, incident_id: str) -> PublicIncident | None:
    """By its own id."""
    row = session.execute(select(incidents).where(incidents.c.id == incident_id)).one_or_none()
    return _incident(row) if row is not None else None


def incident_about(session: Session, inside: str) -> PublicIncident | None:
    """By the id of the incident inside."""
    row = session.execute(select(incidents).where(incidents.c.incident == inside)).one_or_none()
    return _incident(row) if row is not None else None


def incidents_since(session: Session, since: datetime) -> list[PublicIncident]:
    """Public ones that are not resolved or were after an instant, the newest first."""
    recent = or_(incidents.c.resolved_at.is_(None), incidents.c.resolved_at >= since)
    wanted = select(incidents).where(incidents.c.published_at.is_not(None), recent)
    rows = session.execute(wanted.order_by(incidents.c.started_at.desc(), incidents.c.id).limit(MOST_INCIDENTS))
    return [_incident(row) for row in rows]


def open_incidents(session: Session) -> list[PublicIncident]:
    """Public ones that are not resolved, the newest first."""
    wanted = select(incidents).where(incidents.c.published_at.is_not(None), incidents.c.resolved_at.is_(None))
    return [_incident(row) for row in session.execute(wanted.order_by(incidents.c.started_at.desc()).limit(100))]


def add_update(session: Session, one: Update) -> bool:
    """Write a new one; False when its source has one already."""
    fresh = insert_for(session, updates).values(**vars(one) | {"components": dict(one.components)})
    added = fresh.on_conflict_do_nothing(index_elements=["source"]).returning(updates.c.id)
    return session.execute(added).scalar() is not None


def put_update(session: Session, one: Update) -> None:
    """Write it as it is."""
    values = vars(one) | {"components": dict(one.components)}
    session.execute(update(updates).where(updates.c.id == one.id).values(**values))


def one_update(session: Session, update_id: str, *, lock: bool = False) -> Update | None:
    """By its id; locked: nobody else publishes it meanwhile."""
    wanted = select(updates).where(updates.c.id == update_id)
    row = session.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    return _update(row) if row is not None else None


def update_from(session: Session, source: str) -> Update | None:
    """By what it was made from."""
    row = session.execute(select(updates).where(updates.c.source == source)).one_or_none()
    return _update(row) if row is not None else None


def updates_of(session: Session, of: Sequence[str], review: Review = Review.PUBLISHED) -> list[Update]:
    """Of these incidents, the newest first."""
    found: list[Update] = []
    for at in range(0, len(of), 400):
        wanted = select(updates).where(updates.c.incident.in_(of[at : at + 400]), updates.c.review == review)
        found += [_update(row) for row in session.execute(wanted)]
    return sorted(found, key=lambda one: (one.happened_at, one.published_at or one.drafted_at, one.id), reverse=True)


def drafts(session: Session, limit: int = 200) -> list[Update]:
    """Those that wait for review, the oldest first."""
    wanted = select(updates).where(updates.c.review == Review.DRAFT).order_by(updates.c.drafted_at, updates.c.id)
    return [_update(row) for row in session.execute(wanted.limit(limit))]


def recent_updates(session: Session, limit: int = 50, review: Review = Review.PUBLISHED) -> list[Update]:
    """Public ones, or those that were withdrawn or discarded, the newest first."""
    newest = updates.c.published_at.desc() if review is not Review.DISCARDED else updates.c.drafted_at.desc()
    wanted = select(updates).where(updates.c.review == review).order_by(newest, updates.c.id)
    return [_update(row) for row in session.execute(wanted.limit(limit))]


def add_maintenance(session: Session, one: Maintenance) -> bool:
    """Write a new one; False when this stretch of its window is there already."""
    fresh = insert_for(session, maintenances).values(**vars(one) | {"components": list(one.components)})
    added = fresh.on_conflict_do_nothing(index_elements=["window", "starts_at"]).returning(maintenances.c.id)
    return session.execute(added).scalar() is not None


def put_maintenance(session: Session, one: Maintenance) -> None:
    """Write it as it is."""
    values = vars(one) | {"components": list(one.components)}
    session.execute(update(maintenances).where(maintenances.c.id == one.id).values(**values))


def maintenance(session: Session, maintenance_id: str) -> Maintenance | None:
    """By its id."""
    row = session.execute(select(maintenances).where(maintenances.c.id == maintenance_id)).one_or_none()
    return _maintenance(row) if row is not None else None


def maintenances_since(session: Session, since: datetime) -> list[Maintenance]:
    """Those that are not over or were after an instant, the next to begin first."""
    wanted = select(maintenances).where(maintenances.c.ends_at >= since).order_by(maintenances.c.starts_at)
    return [_maintenance(row) for row in session.execute(wanted.limit(MOST_INCIDENTS))]


def maintenances_of(session: Session, window: str, since: datetime) -> list[Maintenance]:
    """Stretches of a window of alerts that are not over at an instant."""
    wanted = select(maintenances).where(maintenances.c.window == window, maintenances.c.ends_at > since)
    return [_maintenance(row) for row in session.execute(wanted)]


def show_window(session: Session, window: str, values: dict[str, Any]) -> None:
    """Show a window of alerts to the public, as these words say it."""
    fresh = insert_for(session, windows).values(window=window, **values)
    session.execute(fresh.on_conflict_do_update(index_elements=["window"], set_=values))


def hide_window(session: Session, window: str) -> None:
    """Show no further stretch of it."""
    session.execute(delete(windows).where(windows.c.window == window))


def shown_windows(session: Session) -> list[Any]:
    """Rows of windows that are shown."""
    return list(session.execute(select(windows)))


def _incident(row: Any) -> PublicIncident:
    return PublicIncident(**dict(row._mapping) | {"stage": Stage(row.stage) if row.stage else None})


def _update(row: Any) -> Update:
    said = {name: State(value) for name, value in row.components.items()}
    return Update(**dict(row._mapping) | {"components": said, "review": Review(row.review), "stage": Stage(row.stage)})


def _maintenance(row: Any) -> Maintenance:
    names = {field.name for field in fields(Maintenance)}
    values = {name: value for name, value in row._mapping.items() if name in names}
    return Maintenance(**values | {"components": tuple(row.components)})
