"""All SQL of the catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.catalog.model import Description, Environment, ManagedBy, Service, description_from, plain
from watchkeeper.modules.catalog.tables import environments, services

_FIELDS = ("title", "description", "owner", "tier", "repository", "links", "dependencies")


def all_services(session: Session, *, archived: bool = False) -> list[Service]:
    """Every service by name, with where it was seen; archived ones only where asked for."""
    query = select(services).order_by(services.c.name)
    if not archived:
        query = query.where(services.c.archived.is_(False))
    return _with_environments(session, session.execute(query).mappings().all())


def page_of_services(session: Session, after: str | None, limit: int) -> list[Service]:
    """At most `limit` live services whose name is after this one."""
    query = select(services).where(services.c.archived.is_(False)).order_by(services.c.name).limit(limit)
    if after is not None:
        query = query.where(services.c.name > after)
    return _with_environments(session, session.execute(query).mappings().all())


def by_name(session: Session, name: str) -> Service | None:
    """The service of this name, archived or not."""
    rows = session.execute(select(services).where(services.c.name == name)).mappings().all()
    found = _with_environments(session, rows)
    return found[0] if found else None


def add(session: Session, name: str, about: Description, *, managed_by: ManagedBy, at: datetime) -> bool:
    """Insert a service; False when the name is taken."""
    row = {
        "id": new_id("svc"),
        "name": name,
        "managed_by": managed_by,
        "archived": False,
        "created_at": at,
        "updated_at": at,
        **_columns(about),
    }
    statement = insert_for(session, services).values(row).on_conflict_do_nothing(index_elements=["name"])
    return session.execute(statement.returning(services.c.id)).scalar() is not None


def change(session: Session, service_id: str, about: Description, *, managed_by: ManagedBy, at: datetime) -> None:
    """Replace what is said of a service; an archived one is live again."""
    session.execute(
        update(services)
        .where(services.c.id == service_id)
        .values(managed_by=managed_by, archived=False, updated_at=at, **_columns(about))
    )


def archive(session: Session, service_id: str, *, at: datetime) -> None:
    """Hide a service from lists; its facts and telemetry stay."""
    session.execute(update(services).where(services.c.id == service_id).values(archived=True, updated_at=at))


def revive(session: Session, service_id: str, *, at: datetime) -> None:
    """Show an archived service again."""
    session.execute(update(services).where(services.c.id == service_id).values(archived=False, updated_at=at))


def ids_of(session: Session, names: Iterable[str]) -> dict[str, tuple[str, bool]]:
    """(id, archived) of the services of these names."""
    wanted = select(services.c.name, services.c.id, services.c.archived).where(services.c.name.in_(list(names)))
    return {row.name: (row.id, row.archived) for row in session.execute(wanted)}


def touch_environment(session: Session, service_id: str, name: str, *, at: datetime) -> bool:
    """Note that telemetry came from here now; True the first time."""
    known = session.execute(
        update(environments)
        .where(environments.c.service_id == service_id, environments.c.name == name)
        .values(last_seen=at)
        .returning(environments.c.name)
    ).first()
    if known is not None:
        return False
    statement = insert_for(session, environments).values(service_id=service_id, name=name, first_seen=at, last_seen=at)
    return session.execute(statement.on_conflict_do_nothing().returning(environments.c.name)).first() is not None


def _columns(about: Description) -> dict[str, Any]:
    values = {name: plain(getattr(about, name)) for name in _FIELDS}
    return {**values, "declared_environments": list(about.environments)}


def _with_environments(session: Session, rows: Sequence[Any]) -> list[Service]:
    if not rows:
        return []
    seen: dict[str, list[Environment]] = defaultdict(list)
    wanted = select(environments).where(environments.c.service_id.in_([row["id"] for row in rows]))
    for row in session.execute(wanted.order_by(environments.c.name)):
        seen[row.service_id].append(Environment(row.name, row.first_seen, row.last_seen))
    return [_service(row, tuple(seen[row["id"]])) for row in rows]


def _service(row: Any, seen: tuple[Environment, ...]) -> Service:
    values = {name: row[name] for name in _FIELDS} | {"environments": row["declared_environments"]}
    return Service(
        id=row["id"],
        name=row["name"],
        about=description_from(values),
        managed_by=row["managed_by"],
        archived=row["archived"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        seen=seen,
    )
