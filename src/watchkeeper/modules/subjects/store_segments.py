"""All SQL of segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.subjects.model import Definition, ManagedBy, Rule, Segment
from watchkeeper.modules.subjects.tables import members, segments, versions

_ADVISORY_LOCK = 5_310_772_904  # any number, the same on every replica


def version(session: Session) -> int:
    """How often what segments mean has changed."""
    found: int = session.execute(select(versions.c.version)).scalar_one()
    return found


def move_version(session: Session) -> None:
    """What segments mean has changed."""
    session.execute(update(versions).values(version=versions.c.version + 1))


def hold(session: Session, *, alone: bool) -> None:
    """Until the transaction ends no segment is deleted; with `alone`, nobody begins to use one either."""
    # On SQLite the write transaction itself sees to it.
    if session.get_bind().dialect.name == "postgresql":
        shared = "" if alone else "_shared"
        session.execute(text(f"SELECT pg_advisory_xact_lock{shared}(:key)"), {"key": _ADVISORY_LOCK})


def by_name(session: Session, name: str, *, lock: bool = False) -> Segment | None:
    """The segment of this name; with `lock`, nobody else changes it until the transaction ends."""
    query = select(segments).where(segments.c.name == name)
    row = session.execute(query.with_for_update() if lock else query).first()
    return _segment(row) if row is not None else None


def by_names(session: Session, names: Iterable[str]) -> list[Segment]:
    """Those of these segments that are there."""
    rows = session.execute(select(segments).where(segments.c.name.in_(sorted(names))).order_by(segments.c.name))
    return [_segment(row) for row in rows]


def all_segments(session: Session) -> list[Segment]:
    """Every segment that somebody made, by name."""
    return [_segment(row) for row in session.execute(select(segments).order_by(segments.c.name))]


def page_of_segments(session: Session, after: str | None, limit: int) -> list[Segment]:
    """Segments by name."""
    query = select(segments).order_by(segments.c.name).limit(limit)
    if after is not None:
        query = query.where(segments.c.name > after)
    return [_segment(row) for row in session.execute(query)]


def add(
    session: Session,
    name: str,
    definition: Definition,
    condition: Mapping[str, Any] | None,
    *,
    managed_by: ManagedBy,
    by: str,
    at: datetime,
) -> bool:
    """Insert a segment; False when the name is taken."""
    row = {
        "name": name,
        **_columns(definition, condition),
        "managed_by": managed_by,
        "applied": definition.said() if managed_by == "ops" else None,
        "created_at": at,
        "updated_at": at,
        "updated_by": by,
    }
    statement = insert_for(session, segments).values(row).on_conflict_do_nothing(index_elements=["name"])
    return session.execute(statement.returning(segments.c.name)).first() is not None


def change(
    session: Session,
    name: str,
    definition: Definition,
    condition: Mapping[str, Any] | None,
    *,
    managed_by: ManagedBy,
    applied: Definition | None,
    differs_since: datetime | None,
    by: str,
    at: datetime,
) -> None:
    """Replace what is said of a segment."""
    session.execute(
        update(segments)
        .where(segments.c.name == name)
        .values(
            **_columns(definition, condition),
            managed_by=managed_by,
            applied=applied.said() if applied is not None else None,
            differs_since=differs_since,
            updated_at=at,
            updated_by=by,
        )
    )


def remove(session: Session, name: str) -> None:
    """Delete a segment with its list of members."""
    session.execute(delete(members).where(members.c.segment == name))
    session.execute(delete(segments).where(segments.c.name == name))


def members_of(session: Session, names: Iterable[str]) -> dict[str, list[str]]:
    """The listed members of each of these segments, by id."""
    wanted = sorted(names)
    found: dict[str, list[str]] = {name: [] for name in wanted}
    query = select(members.c.segment, members.c.subject_id).where(members.c.segment.in_(wanted))
    for row in session.execute(query):
        found[row.segment].append(row.subject_id)
    # Sorted here: each engine has its own idea of the order of texts, and the answer is to be the same on both.
    return {name: sorted(ids) for name, ids in found.items()}


def listing(session: Session, subject_id: str) -> list[str]:
    """The segments that list a subject as a member."""
    query = select(members.c.segment).where(members.c.subject_id == subject_id).order_by(members.c.segment)
    return list(session.execute(query).scalars())


def page_of_members(session: Session, name: str, after: str | None, limit: int) -> list[str]:
    """Listed members by id."""
    query = select(members.c.subject_id).where(members.c.segment == name)
    if after is not None:
        query = query.where(members.c.subject_id > after)
    return list(session.execute(query.order_by(members.c.subject_id).limit(limit)).scalars())


def member_counts(session: Session) -> dict[str, int]:
    """How many members each segment lists that lists any."""
    query = select(members.c.segment, func.count().label("number")).group_by(members.c.segment)
    return {row.segment: row.number for row in session.execute(query)}


def count_members(session: Session, name: str) -> int:
    """How many members a segment lists."""
    return session.execute(select(func.count()).select_from(members).where(members.c.segment == name)).scalar_one()


def list_members(session: Session, name: str, ids: Iterable[str], *, at: datetime) -> int:
    """Add members; answers how many were new."""
    rows = [{"segment": name, "subject_id": one, "added_at": at} for one in sorted(set(ids))]
    if not rows:
        return 0
    before = count_members(session, name)
    session.execute(insert_for(session, members).on_conflict_do_nothing(), rows)
    return count_members(session, name) - before


def unlist_members(session: Session, name: str, ids: Iterable[str]) -> int:
    """Remove members; answers how many were there."""
    gone = (members.c.segment == name) & members.c.subject_id.in_(sorted(set(ids)))
    return len(session.execute(delete(members).where(gone).returning(members.c.subject_id)).all())


def _columns(definition: Definition, condition: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "type": definition.type,
        "description": definition.description,
        "rule": definition.rule.said(),
        "condition": dict(condition) if condition is not None else None,
        "allow_empty": definition.allow_empty,
    }


def _segment(row: Any) -> Segment:
    return Segment(
        name=row.name,
        definition=Definition(row.type, row.description, Rule.of(row.rule), row.allow_empty),
        condition=row.condition,
        managed_by=row.managed_by,
        applied=Definition.of(row.applied) if row.applied is not None else None,
        differs_since=row.differs_since,
        created_at=row.created_at,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )
