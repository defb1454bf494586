"""SQL of what alerts said: the newest distinct words of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.alerts.model import Severity
from watchkeeper.modules.alerts.store import chunks
from watchkeeper.modules.alerts.tables import details

MOST_DETAILS = 20


@dataclass(frozen=True)
class Detail:
    """What an alert said, and how often."""

    title: str
    severity: Severity
    content: Mapping[str, Any]
    first_at: datetime
    last_at: datetime
    count: int


def note_details(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep what alerts said: the newest 20 distinct words of each. `rows` are alike to the table's columns."""
    if not rows:
        return
    fresh = insert_for(session, details)
    statement = fresh.on_conflict_do_update(
        index_elements=["alert_id", "digest"],
        set_={"last_at": fresh.excluded.last_at, "count": details.c.count + fresh.excluded.count},
    )
    session.connection().execute(statement, [dict(row) for row in rows])


def trim_details(session: Session, alert_ids: Iterable[str]) -> None:
    """Forget the oldest of what these alerts said, once they are twice as many as are shown."""
    for chunk in chunks(sorted(set(alert_ids))):
        counted = select(details.c.alert_id).where(details.c.alert_id.in_(chunk)).group_by(details.c.alert_id)
        full = session.execute(counted.having(func.count() > 2 * MOST_DETAILS)).scalars().all()
        for one in full:
            kept = select(details.c.digest).where(details.c.alert_id == one)
            newest = kept.order_by(details.c.last_at.desc(), details.c.digest).limit(MOST_DETAILS)
            keep = session.execute(newest).scalars().all()
            session.execute(delete(details).where(details.c.alert_id == one, details.c.digest.not_in(keep)))


def details_of(session: Session, alert_ids: Iterable[str]) -> dict[str, list[Detail]]:
    """What these alerts said, newest first."""
    found: dict[str, list[Detail]] = {}
    for chunk in chunks(sorted(set(alert_ids))):
        rows = session.execute(
            select(details).where(details.c.alert_id.in_(chunk)).order_by(details.c.last_at.desc(), details.c.digest)
        )
        for row in rows:
            times = row._mapping["count"]  # `row.count` is a tuple's own
            said = Detail(row.title, Severity(row.severity), row.content, row.first_at, row.last_at, times)
            found.setdefault(row.alert_id, []).append(said)
    return found
