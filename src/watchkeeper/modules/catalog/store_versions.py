"""All SQL of the versions that telemetry named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.catalog.model import MOST_VERSIONS_KEPT, Running
from watchkeeper.modules.catalog.tables import services, versions


def versions_of(session: Session, names: Iterable[str]) -> dict[tuple[str, str], list[Running]]:
    """Versions of these services, by (service, environment)."""
    wanted = (
        select(services.c.name, versions.c.environment, versions.c.version, versions.c.last_seen)
        .join(versions, versions.c.service_id == services.c.id)
        .where(services.c.name.in_(sorted(names)))
    )
    found: dict[tuple[str, str], list[Running]] = defaultdict(list)
    for row in session.execute(wanted):
        found[row.name, row.environment].append(Running(row.version, row.last_seen))
    return found


def add(session: Session, service_id: str, environment: str, version: str, *, at: datetime) -> bool:
    """Keep one that was never seen here; False when another replica did so just now."""
    row = {"service_id": service_id, "environment": environment, "version": version, "first_seen": at, "last_seen": at}
    statement = insert_for(session, versions).values(row).on_conflict_do_nothing().returning(versions.c.version)
    added = session.execute(statement).first() is not None
    if added:
        _forget_oldest(session, service_id, environment)
    return added


def note_seen(
    session: Session, service_id: str, environment: str, version: str, *, before: datetime, at: datetime
) -> bool:
    """Move when it was last seen; False when another replica did since `before`."""
    here = (
        (versions.c.service_id == service_id)
        & (versions.c.environment == environment)
        & (versions.c.version == version)
        & (versions.c.last_seen <= before)
    )
    moved = update(versions).where(here).values(last_seen=at).returning(versions.c.version)
    return session.execute(moved).first() is not None


def added_since(session: Session, service_id: str, environment: str, since: datetime) -> int:
    """How many were first seen here since then."""
    here = (versions.c.service_id == service_id) & (versions.c.environment == environment)
    counted = select(func.count()).select_from(versions).where(here, versions.c.first_seen >= since)
    return int(session.execute(counted).scalar_one())


def _forget_oldest(session: Session, service_id: str, environment: str) -> None:
    here = (versions.c.service_id == service_id) & (versions.c.environment == environment)
    newest = select(versions.c.version).where(here).order_by(versions.c.last_seen.desc())
    gone = session.execute(newest.offset(MOST_VERSIONS_KEPT).limit(MOST_VERSIONS_KEPT)).scalars().all()
    if gone:
        session.execute(delete(versions).where(here, versions.c.version.in_(gone)))
