"""All SQL of the catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields
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


def differing_services(session: Session) -> list[Service]:
    """Live services that differ from what files said of them, by name."""
    differs = services.c.differs_since.is_not(None) & services.c.archived.is_(False)
    return _with_environments(
        session, session.execute(select(services).where(differs).order_by(services.c.name)).mappings().all()
    )


def page_of_services(
    session: Session, after: str | None, limit: int, *, owner: str | None = None, tier: int | None = None
) -> list[Service]:
    """At most `limit` live services whose name is after this one."""
    query = select(services).where(services.c.archived.is_(False)).order_by(services.c.name).limit(limit)
    if after is not None:
        query = query.where(services.c.name > after)
    if owner is not None:
        query = query.where(services.c.owner == owner)
    if tier is not None:
        query = query.where(services.c.tier == tier)
    return _with_environments(session, session.execute(query).mappings().all())


def by_name(session: Session, name: str, *, lock: bool = False) -> Service | None:
    """The service of this name, archived or not; with `lock`, nobody else changes it until the transaction ends."""
    query = select(services).where(services.c.name == name)
    rows = session.execute(query.with_for_update() if lock else query).mappings().all()
    found = _with_environments(session, rows)
    return found[0] if found else None


def callers_of(session: Session, name: str) -> list[str]:
    """Live services that say they depend on this one."""
    query = select(services.c.name, services.c.dependencies).where(services.c.archived.is_(False))
    # A catalog has hundreds of services: filtering here is one way for both engines.
    return [row.name for row in session.execute(query.order_by(services.c.name)) if name in row.dependencies]


def add(session: Session, name: str, about: Description, *, managed_by: ManagedBy, at: datetime) -> bool:
    """Insert a service; False when the name is taken."""
    row = {
        "id": new_id("svc"),
        "name": name,
        "managed_by": managed_by,
        "archived": False,
        "created_at": at,
        "updated_at": at,
        "applied": said(about) if managed_by == "ops" else None,
        **_columns(about),
    }
    statement = insert_for(session, services).values(row).on_conflict_do_nothing(index_elements=["name"])
    return session.execute(statement.returning(services.c.id)).scalar() is not None


def change(
    session: Session,
    service_id: str,
    about: Description,
    *,
    managed_by: ManagedBy,
    applied: Description | None,
    differs_since: datetime | None,
    at: datetime,
) -> None:
    """Replace what is said of a service; an archived one is live again."""
    session.execute(
        update(services)
        .where(services.c.id == service_id)
        .values(
            managed_by=managed_by,
            archived=False,
            applied=said(applied) if applied is not None else None,
            differs_since=differs_since,
            updated_at=at,
            **_columns(about),
        )
    )


def forget_description(session: Session, service_id: str) -> None:
    """Take away what files said; what telemetry knows stays."""
    values = {"managed_by": "discovery", "applied": None, "differs_since": None, **_columns(Description())}
    session.execute(update(services).where(services.c.id == service_id).values(values))


def archive(session: Session, service_id: str, *, at: datetime) -> None:
    """Hide a service from lists; its facts and telemetry stay."""
    session.execute(update(services).where(services.c.id == service_id).values(archived=True, updated_at=at))


def revive(session: Session, service_id: str, *, at: datetime) -> bool:
    """Show an archived service again; False when another replica did so just now."""
    hidden = (services.c.id == service_id) & services.c.archived.is_(True)
    revived = update(services).where(hidden).values(archived=False, updated_at=at).returning(services.c.id)
    return session.execute(revived).first() is not None


def ids_of(session: Session, names: Iterable[str]) -> dict[str, tuple[str, bool]]:
    """(id, archived) of the services of these names."""
    wanted = select(services.c.name, services.c.id, services.c.archived).where(services.c.name.in_(list(names)))
    return {row.name: (row.id, row.archived) for row in session.execute(wanted)}


def last_seen(session: Session, names: Iterable[str]) -> dict[tuple[str, str], datetime]:
    """When telemetry last came from each (service, environment) of these services."""
    wanted = (
        select(services.c.name, environments.c.name.label("environment"), environments.c.last_seen)
        .join(environments, environments.c.service_id == services.c.id)
        .where(services.c.name.in_(list(names)))
    )
    return {(row.name, row.environment): row.last_seen for row in session.execute(wanted)}


def note_seen(session: Session, service_id: str, environment: str, *, at: datetime) -> bool:
    """Note that telemetry came from here now; True the first time."""
    here = (environments.c.service_id == service_id) & (environments.c.name == environment)
    row = {"service_id": service_id, "name": environment, "first_seen": at, "last_seen": at}
    added = session.execute(
        insert_for(session, environments).values(row).on_conflict_do_nothing().returning(environments.c.name)
    ).first()
    if added is None:
        session.execute(update(environments).where(here, environments.c.last_seen < at).values(last_seen=at))
    return added is not None


def said(about: Description) -> dict[str, Any]:
    """A description as JSON."""
    return {one.name: plain(getattr(about, one.name)) for one in fields(about)}


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
        applied=description_from(row["applied"]) if row["applied"] is not None else None,
        differs_since=row["differs_since"],
    )
