"""SQL of what is written on incidents: entries, files, updates, links."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.incidents.model import Entry, EntryKind, Link, LinkKind, Severity, Status, Update
from watchkeeper.modules.incidents.tables import entries, files, incidents, links, updates

MOST = 1_000


def add_entry(session: Session, one: Entry, content: bytes | None = None) -> None:
    """A line, and the content of its file."""
    session.execute(insert(entries).values({column.name: getattr(one, column.name) for column in entries.c}))
    if content is not None:
        session.execute(insert(files).values(entry_id=one.id, content=content))


def entry(session: Session, incident_id: str, entry_id: str) -> Entry | None:
    """One line of this incident."""
    wanted = select(entries).where(entries.c.id == entry_id, entries.c.incident_id == incident_id)
    row = session.execute(wanted).one_or_none()
    return _entry(row) if row is not None else None


def entries_of(session: Session, incident_id: str, *, limit: int = MOST) -> list[Entry]:
    """Every line, oldest first; of more than `limit`, the newest."""
    wanted = select(entries).where(entries.c.incident_id == incident_id)
    rows = session.execute(wanted.order_by(entries.c.at.desc(), entries.c.id.desc()).limit(limit)).all()
    return [_entry(row) for row in reversed(rows)]


def content_of(session: Session, entry_id: str) -> bytes | None:
    """What is in the file of an entry."""
    return session.execute(select(files.c.content).where(files.c.entry_id == entry_id)).scalar()


def set_pinned(session: Session, entry_id: str, pinned: bool) -> None:
    session.execute(update(entries).where(entries.c.id == entry_id).values(pinned=pinned))


def add_update(session: Session, one: Update, key: str) -> bool:
    """False when one with this key was published already."""
    values = {name: getattr(one, name) for name in vars(one)}
    statement = insert_for(session, updates).values(**values, key=key).on_conflict_do_nothing()
    return session.execute(statement.returning(updates.c.id)).scalar() is not None


def update_of_key(session: Session, incident_id: str, key: str) -> Update | None:
    """The update that was published with this key."""
    wanted = select(updates).where(updates.c.incident_id == incident_id, updates.c.key == key)
    row = session.execute(wanted).one_or_none()
    return _update(row) if row is not None else None


def updates_of(session: Session, incident_id: str, *, limit: int = MOST) -> list[Update]:
    """Every update, oldest first; of more than `limit`, the newest."""
    wanted = select(updates).where(updates.c.incident_id == incident_id)
    rows = session.execute(wanted.order_by(updates.c.at.desc(), updates.c.id.desc()).limit(limit)).all()
    return [_update(row) for row in reversed(rows)]


def add_link(session: Session, one: Link) -> bool:
    """False when it was linked already."""
    values = {name: getattr(one, name) for name in vars(one)}
    statement = insert_for(session, links).values(values).on_conflict_do_nothing()
    return session.execute(statement.returning(links.c.id)).scalar() is not None


def links_of(session: Session, incident_id: str) -> list[Link]:
    """Everything that it has to do with, oldest first."""
    wanted = select(links).where(links.c.incident_id == incident_id).order_by(links.c.at, links.c.id).limit(MOST)
    return [_link(row) for row in session.execute(wanted)]


def move_link(session: Session, link: Link, to: str) -> None:
    """Have it with another incident; what is there already stays."""
    session.execute(delete(links).where(links.c.id == link.id))
    add_link(session, Link(**{**vars(link), "incident_id": to}))


def linked_to(session: Session, kind: LinkKind, targets: Collection[str]) -> list[tuple[str, str, bool, datetime]]:
    """(incident, target, whether it is open, when it was resolved or opened), the newest incident first."""
    wanted = (
        select(links.c.incident_id, links.c.target, incidents.c.closed, incidents.c.resolved_at, incidents.c.opened_at)
        .join(incidents, incidents.c.id == links.c.incident_id)
        .where(links.c.kind == kind, links.c.target.in_(sorted(set(targets))), incidents.c.merged_into.is_(None))
        .order_by(incidents.c.opened_at.desc(), incidents.c.id)
    )
    return [
        (row.incident_id, row.target, row.closed == 0, row.resolved_at or row.opened_at)
        for row in session.execute(wanted)
    ]


def _entry(row: Any) -> Entry:
    return Entry(**{**row._mapping, "kind": EntryKind(row.kind)})


def _update(row: Any) -> Update:
    values = {name: value for name, value in row._mapping.items() if name != "key"}
    return Update(**{**values, "status": Status(row.status), "severity": Severity(row.severity)})


def _link(row: Any) -> Link:
    return Link(**{**row._mapping, "kind": LinkKind(row.kind)})
