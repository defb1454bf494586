"""All SQL of subjects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.subjects.model import Subject
from watchkeeper.modules.subjects.tables import members, subjects
from watchkeeper_client.rules import bucket

_CHUNK = 5_000
_INSERTED = 200  # in one statement, within what SQLite takes of parameters
_CHANGED = ("country", "birth_year", "status", "last_active_at", "attributes", "updated_at")


@dataclass(frozen=True)
class Counts:
    """How many subjects there are, by status and by country; None stands for those whose country is not known."""

    total: int
    by_status: Mapping[str, int]
    by_country: Mapping[str | None, int]


def by_ids(session: Session, ids: Iterable[str], *, lock: bool = False) -> dict[str, Subject]:
    """Those of these subjects that are known; with `lock`, nobody else changes them until the transaction ends."""
    # Always in one order: two batches with the same subjects would wait for each other otherwise.
    query = select(subjects).where(subjects.c.id.in_(sorted(ids))).order_by(subjects.c.id)
    rows = session.execute(query.with_for_update() if lock else query)
    return {row.id: _subject(row) for row in rows}


def add(session: Session, new: Sequence[Subject], *, at: datetime) -> set[str]:
    """Insert subjects; answers the ids of those that nobody else inserted meanwhile."""
    added: set[str] = set()
    rows_of_all = _rows(new, at)
    for start in range(0, len(rows_of_all), _INSERTED):
        rows = rows_of_all[start : start + _INSERTED]
        statement = insert_for(session, subjects).values(rows).on_conflict_do_nothing(index_elements=["id"])
        added |= set(session.execute(statement.returning(subjects.c.id)).scalars())
    return added


def put(session: Session, changed: Sequence[Subject], *, at: datetime) -> None:
    """Replace subjects."""
    if not changed:
        return
    statement = insert_for(session, subjects)
    statement = statement.on_conflict_do_update(
        index_elements=["id"], set_={name: statement.excluded[name] for name in _CHANGED}
    )
    session.execute(statement, _rows(changed, at))


def _rows(told: Sequence[Subject], at: datetime) -> list[dict[str, Any]]:
    # In one order, as everywhere: two batches with the same subjects would wait for each other otherwise.
    return [
        {
            "id": one.id,
            "country": one.country,
            "birth_year": one.birth_year,
            "status": one.status,
            "last_active_at": one.last_active_at,
            "attributes": dict(one.attributes),
            "draw": bucket("subjects", one.id),
            "created_at": at,
            "updated_at": at,
        }
        for one in sorted(told, key=lambda one: one.id)
    ]


def erase(session: Session, subject_id: str) -> tuple[bool, list[str]]:
    """Whether the subject was known, and the manual segments that it was taken out of."""
    left = session.execute(delete(members).where(members.c.subject_id == subject_id).returning(members.c.segment))
    segments = sorted(row.segment for row in left)
    gone = session.execute(delete(subjects).where(subjects.c.id == subject_id).returning(subjects.c.id)).first()
    return gone is not None, segments


def find(
    session: Session, after: str | None, limit: int, *, country: str | None = None, status: str | None = None
) -> list[Subject]:
    """Subjects by id."""
    query = select(subjects).order_by(subjects.c.id).limit(limit)
    if after is not None:
        query = query.where(subjects.c.id > after)
    if country is not None:
        query = query.where(subjects.c.country == country)
    if status is not None:
        query = query.where(subjects.c.status == status)
    return [_subject(row) for row in session.execute(query)]


def total(session: Session) -> int:
    """How many subjects there are."""
    return session.execute(select(func.count()).select_from(subjects)).scalar_one()


def counts(session: Session) -> Counts:
    """How many subjects there are, by status and country, the largest first."""
    query = select(subjects.c.status, subjects.c.country, func.count().label("number"))
    rows = session.execute(query.group_by(subjects.c.status, subjects.c.country)).all()
    by_status: dict[str, int] = {}
    by_country: dict[str | None, int] = {}
    for row in rows:
        by_status[row.status] = by_status.get(row.status, 0) + row.number
        by_country[row.country] = by_country.get(row.country, 0) + row.number
    return Counts(sum(by_status.values()), _largest_first(by_status), _largest_first(by_country))


def count_of_country(session: Session, code: str) -> int:
    """How many subjects are of a country."""
    return session.execute(select(func.count()).select_from(subjects).where(subjects.c.country == code)).scalar_one()


def stream(session: Session, columns: Sequence[str], *, most: int | None = None) -> Iterator[Sequence[Any]]:
    """Rows of (id, *columns) in chunks; with `most`, a fair sample of that many, the same each time."""
    wanted: Select[Any] = select(subjects.c.id, *(subjects.c[name] for name in columns))
    if most is not None:
        wanted = wanted.order_by(subjects.c.draw).limit(most)
    rows = session.execute(wanted, execution_options={"yield_per": _CHUNK})
    for chunk in rows.partitions():
        yield from chunk


def _subject(row: Any) -> Subject:
    return Subject(
        id=row.id,
        country=row.country,
        birth_year=row.birth_year,
        status=row.status,
        last_active_at=row.last_active_at,
        attributes=row.attributes,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _largest_first(found: dict[Any, int]) -> dict[Any, int]:
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0] or "")))
