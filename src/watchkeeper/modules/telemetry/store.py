"""All SQL about the list of Parquet parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.telemetry.model import Dataset, Part
from watchkeeper.modules.telemetry.tables import telemetry_parts as parts

_PAGE = 500


def register(session: Session, new: Iterable[Part], *, segment: str, place: str, at: datetime) -> None:
    """List parts of a place as live. One that is listed already, because its segment was replayed, stays as it is."""
    for part in new:
        row = {
            "id": part.id,
            "segment": segment,
            "dataset": part.dataset.value,
            "level": part.level,
            "min_time": part.min_time,
            "max_time": part.max_time,
            "rows": part.rows,
            "bytes": part.bytes,
            "path": part.path,
            "services": list(part.services) if part.services is not None else None,
            "created_at": at,
            "place": place,
        }
        session.execute(insert_for(session, parts).values(**row).on_conflict_do_nothing())


def is_stored(session: Session, segment: str) -> bool:
    """Whether the parts of a segment were listed before: they all are, or none is."""
    return session.execute(select(parts.c.id).where(parts.c.segment == segment).limit(1)).first() is not None


def live(
    session: Session,
    dataset: Dataset,
    since: int,
    until: int,
    *,
    service: str | None = None,
    place: str | None = None,
) -> list[Part]:
    """Parts that may hold rows with since <= time < until (nanoseconds), and of `service` where it is given.

    Only those of `place` can be read there; None asks for the list of all.
    """
    rows = session.execute(
        select(parts)
        .where(
            parts.c.dataset == dataset.value,
            parts.c.retired_at.is_(None),
            parts.c.max_time >= since,
            parts.c.min_time < until,
            *([parts.c.place == place] if place is not None else []),
        )
        .order_by(parts.c.min_time)
    ).mappings()
    found = [_part(row) for row in rows]
    return [part for part in found if service is None or part.services is None or service in part.services]


def retire(session: Session, ids: Sequence[str], *, at: datetime) -> int:
    """Take parts off the list of live ones; answers how many were still on it."""
    changed = session.execute(
        update(parts)
        .where(parts.c.id.in_(ids), parts.c.retired_at.is_(None))
        .values(retired_at=at)
        .returning(parts.c.id)
    ).all()
    return len(changed)


def older_than(session: Session, dataset: Dataset, time: int, *, place: str) -> list[str]:
    """Ids of a place's live parts whose newest row is before `time`."""
    wanted = (parts.c.dataset == dataset.value, *_live_at(place), parts.c.max_time < time)
    return list(session.execute(select(parts.c.id).where(*wanted)).scalars())


def oldest_raw(session: Session, limit: int, *, place: str) -> list[Part]:
    """Live parts of raw data, oldest first."""
    raw = [dataset.value for dataset in Dataset if not dataset.is_rollup]
    wanted = (parts.c.dataset.in_(raw), *_live_at(place))
    rows = session.execute(select(parts).where(*wanted).order_by(parts.c.max_time).limit(limit)).mappings()
    return [_part(row) for row in rows]


def total_bytes(session: Session, *, place: str) -> int:
    """Size of all live parts of a place."""
    total: int | None = session.execute(select(func.sum(parts.c.bytes)).where(*_live_at(place))).scalar()
    return int(total or 0)


def retired_before(session: Session, at: datetime, *, place: str, limit: int = 1_000) -> list[tuple[str, str]]:
    """(id, path) of parts that no query can still be reading."""
    gone = (parts.c.retired_at < at, parts.c.place == place)
    rows = session.execute(select(parts.c.id, parts.c.path).where(*gone).limit(limit)).all()
    return [(row.id, row.path) for row in rows]


def forget(session: Session, ids: Sequence[str]) -> None:
    """Drop retired parts from the list, once their files are gone."""
    session.execute(delete(parts).where(parts.c.id.in_(ids), parts.c.retired_at.is_not(None)))


def newest_time(session: Session, dataset: Dataset, *, place: str) -> int | None:
    """Time of the newest row of a dataset."""
    newest: int | None = session.execute(
        select(func.max(parts.c.max_time)).where(parts.c.dataset == dataset.value, *_live_at(place))
    ).scalar()
    return newest


def places(session: Session, *, since: datetime) -> set[str]:
    """Places where a part was listed since then."""
    wanted = (parts.c.place.is_not(None), parts.c.created_at >= since, parts.c.retired_at.is_(None))
    return set(session.execute(select(parts.c.place).where(*wanted).distinct()).scalars())


def of_other_places(session: Session, place: str) -> list[tuple[str, str]]:
    """(id, path) of all parts that are not listed as lying in `place`."""
    elsewhere = or_(parts.c.place.is_(None), parts.c.place != place)
    return [(row.id, row.path) for row in session.execute(select(parts.c.id, parts.c.path).where(elsewhere))]


def move(session: Session, ids: Sequence[str], *, place: str) -> None:
    """List parts as lying in `place`."""
    for start in range(0, len(ids), _PAGE):
        session.execute(update(parts).where(parts.c.id.in_(ids[start : start + _PAGE])).values(place=place))


def _live_at(place: str) -> tuple[ColumnElement[bool], ...]:
    return (parts.c.place == place, parts.c.retired_at.is_(None))


def _part(row: Any) -> Part:
    services = row["services"]
    return Part(
        id=row["id"],
        dataset=Dataset(row["dataset"]),
        level=row["level"],
        min_time=row["min_time"],
        max_time=row["max_time"],
        rows=row["rows"],
        bytes=row["bytes"],
        path=row["path"],
        services=tuple(services) if services is not None else None,
    )
