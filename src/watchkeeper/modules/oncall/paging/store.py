"""All SQL of paging."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.notify.public import LOOPBACK
from watchkeeper.modules.oncall.paging.model import Page, Run, RunState, Turn, Watch
from watchkeeper.modules.oncall.paging.tables import pages, runs
from watchkeeper.modules.oncall.paging.tables import watch as watch_table

_AT_ONCE = 5_000
_IDS_AT_ONCE = 500


def run(session: Session, group_id: str, *, lock: bool = False) -> Run | None:
    """That of a group."""
    wanted = select(runs).where(runs.c.group_id == group_id)
    row = session.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    return None if row is None else _run(row)


def put_run(session: Session, one: Run) -> None:
    """Write all of it."""
    values = {name: getattr(one, name) for name in runs.c.keys()}  # noqa: SIM118 (columns, not a dict)
    statement = insert_for(session, runs).values(values)
    session.execute(statement.on_conflict_do_update(index_elements=["group_id"], set_=values))


def calling(session: Session, *, before: datetime | None = None) -> list[Run]:
    """Runs whose steps are due; only those whose next was due before an instant."""
    wanted = select(runs).where(runs.c.state == RunState.CALLING)
    if before is not None:
        wanted = wanted.where(runs.c.next_at < before)
    return [_run(row) for row in session.execute(wanted.limit(1_000))]


def called(session: Session) -> frozenset[str]:
    """All groups for which somebody is being called."""
    return frozenset(session.execute(select(runs.c.group_id).where(runs.c.state == RunState.CALLING)).scalars())


def add_page(session: Session, one: Page) -> bool:
    """False when this step called them already."""
    statement = insert_for(session, pages).values(
        id=one.id,
        group_id=one.group_id,
        generation=one.generation,
        round=one.round,
        number=one.number,
        until=one.until,
        target=one.person_id or one.channel,
        person_id=one.person_id,
        channel=one.channel,
        why=one.why[:200],
        called_at=one.called_at,
        messages=one.messages,
        ended_because="",
    )
    added = statement.on_conflict_do_nothing(
        index_elements=["group_id", "generation", "round", "number", "target"]
    ).returning(pages.c.id)
    return session.execute(added).scalar() is not None


def set_messages(session: Session, page_id: str, messages: int) -> None:
    session.execute(update(pages).where(pages.c.id == page_id).values(messages=messages))


def set_missed(session: Session, page_id: str, at: datetime) -> None:
    session.execute(update(pages).where(pages.c.id == page_id, pages.c.missed_at.is_(None)).values(missed_at=at))


def end_pages(session: Session, ids: Sequence[str], *, at: datetime, because: str) -> None:
    """Only those that are open."""
    session.execute(
        update(pages)
        .where(pages.c.id.in_(ids), pages.c.ended_at.is_(None))
        .values(ended_at=at, ended_because=because[:200])
    )


def page(session: Session, page_id: str) -> Page | None:
    row = session.execute(select(pages).where(pages.c.id == page_id)).one_or_none()
    return None if row is None else _page(row)


def pages_of(session: Session, group_id: str, *, open_only: bool = False) -> list[Page]:
    """Of a group, in the order of the calls."""
    wanted = select(pages).where(pages.c.group_id == group_id).order_by(pages.c.called_at, pages.c.id)
    if open_only:
        wanted = wanted.where(pages.c.ended_at.is_(None))
    return [_page(row) for row in session.execute(wanted.limit(1_000))]


def pages_of_all(session: Session, group_ids: Collection[str]) -> dict[str, list[Page]]:
    """Of each of these groups, in the order of the calls."""
    found: dict[str, list[Page]] = {one: [] for one in group_ids}
    ids = sorted(found)
    for start in range(0, len(ids), _IDS_AT_ONCE):
        chunk = ids[start : start + _IDS_AT_ONCE]
        wanted = select(pages).where(pages.c.group_id.in_(chunk)).order_by(pages.c.called_at, pages.c.id)
        for row in session.execute(wanted):
            found[row.group_id].append(_page(row))
    return found


def of_step(session: Session, group_id: str, generation: int, turn: Turn) -> list[Page]:
    """Everybody whom one step called."""
    rows = session.execute(
        select(pages).where(
            pages.c.group_id == group_id,
            pages.c.generation == generation,
            pages.c.round == turn.round,
            pages.c.number == turn.number,
        )
    )
    return [_page(row) for row in rows]


def latest(
    session: Session,
    *,
    person_id: str | None = None,
    group_id: str | None = None,
    since: datetime | None = None,
    open_only: bool = False,
    before: tuple[datetime, str] | None = None,
    limit: int = 100,
) -> list[Page]:
    """Newest first; not the synthetic ones, which call nobody."""
    wanted = select(pages).order_by(pages.c.called_at.desc(), pages.c.id.desc()).limit(limit)
    wanted = wanted.where(or_(pages.c.channel.is_(None), pages.c.channel != LOOPBACK.name))
    if person_id is not None:
        wanted = wanted.where(pages.c.person_id == person_id)
    if group_id is not None:
        wanted = wanted.where(pages.c.group_id == group_id)
    if since is not None:
        wanted = wanted.where(pages.c.called_at >= since)
    if open_only:
        wanted = wanted.where(pages.c.ended_at.is_(None))
    if before is not None:
        at, last = before
        wanted = wanted.where(or_(pages.c.called_at < at, and_(pages.c.called_at == at, pages.c.id < last)))
    return [_page(row) for row in session.execute(wanted)]


def watch(session: Session) -> Watch | None:
    """What the last audit found; None before the first."""
    row = session.execute(select(watch_table)).one_or_none()
    return None if row is None else Watch(tuple(row.findings), row.looked_at, row.heartbeat_at, row.heartbeat_failure)


def put_watch(session: Session, findings: Sequence[str], *, at: datetime) -> None:
    values = {"findings": list(findings), "looked_at": at}
    statement = insert_for(session, watch_table).values(id=1, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def note_heartbeat(session: Session, *, at: datetime | None, failure: str = "") -> None:
    """What became of the last word to the outside; `at` when it said that all is well and was taken."""
    values: dict[str, Any] = {"heartbeat_failure": failure[:200]}
    if at is not None:
        values["heartbeat_at"] = at
    session.execute(update(watch_table).values(values))


def forget_groups(session: Session, group_ids: Sequence[str]) -> None:
    """Delete how far the calls for these came, and their pages."""
    session.execute(delete(pages).where(pages.c.group_id.in_(group_ids)))
    session.execute(delete(runs).where(runs.c.group_id.in_(group_ids)))


def forget(session: Session, *, before: datetime) -> None:
    """Delete what is over and was called before an instant."""
    old = select(pages.c.id).where(pages.c.called_at < before, pages.c.ended_at.is_not(None)).limit(_AT_ONCE)
    session.execute(delete(pages).where(pages.c.id.in_(old)))
    session.execute(delete(runs).where(runs.c.state == RunState.OVER, runs.c.updated_at < before))


def _run(row: Row[Any]) -> Run:
    return Run(**{**row._mapping, "state": RunState(row.state), "severity": row.severity})


def _page(row: Row[Any]) -> Page:
    return Page(**{name: value for name, value in row._mapping.items() if name != "target"})
