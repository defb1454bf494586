"""SQL of the files: runbooks and who signed which revision off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, func, select
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.runbooks.model import Approval, Content, Runbook, State
from watchkeeper.modules.runbooks.reading import content_of
from watchkeeper.modules.runbooks.tables import approvals, files, runs


def all_runbooks(session: Session, *, service: str | None = None) -> list[Runbook]:
    """By name; those of a service where one is given."""
    query = _query().order_by(files.c.name)
    if service is not None:
        query = query.where(files.c.service == service)
    return _with_runs(session, session.execute(query).mappings().all())


def by_name(session: Session, name: str) -> Runbook | None:
    """The runbook of this name."""
    found = _with_runs(session, session.execute(_query().where(files.c.name == name)).mappings().all())
    return found[0] if found else None


def revision(session: Session, name: str, *, lock: bool = False) -> str | None:
    """The revision that is kept; with `lock`, nobody else changes it until the transaction ends."""
    query = select(files.c.revision).where(files.c.name == name)
    return session.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def put(session: Session, content: Content, *, by: str, at: datetime) -> None:
    """Add it, or replace it."""
    row = {
        "name": content.name,
        "title": content.title,
        "kind": content.kind.value,
        "service": content.service,
        "text": content.text,
        "revision": content.revision,
        "updated_at": at,
        "updated_by": by,
    }
    replaced = {name: value for name, value in row.items() if name != "name"}
    session.execute(
        insert_for(session, files).values(row).on_conflict_do_update(index_elements=["name"], set_=replaced)
    )


def remove(session: Session, name: str) -> None:
    """Forget a file; its approvals and runs stay."""
    session.execute(delete(files).where(files.c.name == name))


def approve(session: Session, name: str, approved: str, *, by: str, at: datetime) -> bool:
    """Note who signed a revision off; False when somebody had."""
    row = {"name": name, "revision": approved, "by": by, "at": at}
    added = insert_for(session, approvals).values(row).on_conflict_do_nothing().returning(approvals.c.name)
    return session.execute(added).first() is not None


def is_approved(session: Session, name: str, approved: str) -> bool:
    """Whether somebody signed this revision off."""
    found = select(approvals.c.name).where((approvals.c.name == name) & (approvals.c.revision == approved))
    return session.execute(found).first() is not None


def _query() -> Any:
    of_it = and_(approvals.c.name == files.c.name, approvals.c.revision == files.c.revision)
    return select(files, approvals.c.by, approvals.c.at).outerjoin(approvals, of_it)


def _with_runs(session: Session, rows: Sequence[Any]) -> list[Runbook]:
    if not rows:
        return []
    ended = (
        select(runs.c.runbook, runs.c.dry_run, func.max(runs.c.finished_at).label("at"))
        .where(runs.c.runbook.in_([row["name"] for row in rows]) & (runs.c.state == State.SUCCEEDED.value))
        .group_by(runs.c.runbook, runs.c.dry_run)
    )
    last = {(row.runbook, bool(row.dry_run)): row.at for row in session.execute(ended)}
    return [
        Runbook(
            content=content_of(row["name"], row["text"]),
            approved=Approval(row["by"], row["at"]) if row["by"] is not None else None,
            updated_at=row["updated_at"],
            rehearsed_at=last.get((row["name"], True)),
            ran_at=last.get((row["name"], False)),
        )
        for row in rows
    ]
