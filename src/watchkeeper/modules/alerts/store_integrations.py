"""SQL of integrations and their keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.orm import Session

from watchkeeper.modules.alerts.from_files import FromFiles, into
from watchkeeper.modules.alerts.keys import Key
from watchkeeper.modules.alerts.model import PROBE, Grouping, Integration, Kind, Severity, Urgency
from watchkeeper.modules.alerts.tables import integrations, keys

_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class StoredIntegration:
    """An integration, and since when it is as it is."""

    integration: Integration
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    last_event_at: datetime | None
    keys: tuple[Key, ...] = ()
    files: FromFiles | None = None


def all_integrations(session: Session) -> list[StoredIntegration]:
    """By name; not the one of synthetic pages, which nobody made and nobody has to look after."""
    found: dict[str, list[Key]] = {}
    for row in session.execute(select(keys).order_by(keys.c.created_at, keys.c.id)):
        found.setdefault(row.integration_id, []).append(_key(row))
    rows = session.execute(select(integrations).where(integrations.c.id != PROBE).order_by(integrations.c.name))
    return [_stored(row, tuple(found.get(row.id, ()))) for row in rows]


def integration(session: Session, integration_id: str) -> StoredIntegration | None:
    """The integration of this id, or of this name."""
    named = or_(integrations.c.id == integration_id, integrations.c.name == integration_id)
    row = session.execute(select(integrations).where(named, integrations.c.id != PROBE)).first()
    if row is None:
        return None
    held = session.execute(select(keys).where(keys.c.integration_id == row.id).order_by(keys.c.created_at, keys.c.id))
    return _stored(row, tuple(_key(one) for one in held))


def by_digest(session: Session, digest: str, *, at: datetime) -> Integration | None:
    """Whose key this is, while it opens anything."""
    wanted = select(integrations, keys.c.expires_at, keys.c.revoked_at).join(
        keys, keys.c.integration_id == integrations.c.id
    )
    row = session.execute(wanted.where(keys.c.digest == digest)).one_or_none()
    if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= at):
        return None
    return _integration(row)


def put(
    session: Session, one: Integration, *, by: str, at: datetime, fresh: bool, files: FromFiles | None = None
) -> None:
    """Write it."""
    content = content_of(one) | into(files)
    values: dict[str, Any] = {"name": one.name, "kind": one.kind, "content": content, "updated_at": at}
    if fresh:
        session.execute(insert(integrations).values(id=one.id, version=1, created_at=at, created_by=by, **values))
    else:
        grown = {**values, "version": integrations.c.version + 1}
        session.execute(update(integrations).where(integrations.c.id == one.id).values(grown))


def remove(session: Session, integration_id: str) -> None:
    """Delete it and its keys; what came through it stays."""
    session.execute(delete(keys).where(keys.c.integration_id == integration_id))
    session.execute(delete(integrations).where(integrations.c.id == integration_id))


def add_key(session: Session, key: Key, digest: str) -> None:
    """Write a new key."""
    session.execute(insert(keys).values(digest=digest, **vars(key)))


def change_key(session: Session, key_id: str, **values: Any) -> None:
    """Change when a key ends."""
    session.execute(update(keys).where(keys.c.id == key_id).values(values))


def note_events(session: Session, ids: set[str], at: datetime) -> None:
    """Something came from these; to within a minute."""
    stale = or_(integrations.c.last_event_at.is_(None), integrations.c.last_event_at < at - _NOTED_EVERY)
    session.execute(update(integrations).where(integrations.c.id.in_(sorted(ids)), stale).values(last_event_at=at))


def content_of(one: Integration) -> dict[str, Any]:
    """All of it that people say, as JSON."""
    return {
        "service": one.service,
        "environment": one.environment,
        "policy": one.policy,
        "default_severity": one.default_severity.value,
        "severity_map": {word: severity.value for word, severity in one.severity_map.items()},
        "urgency_map": {severity.value: urgency.value for severity, urgency in one.urgency_map.items()},
        "group_by": list(one.grouping.by),
        "group_minutes": int(one.grouping.window.total_seconds() // 60),
        "mapping": dict(one.mapping),
        "rate_per_minute": one.rate_per_minute,
        "auto_resolve_minutes": int(one.auto_resolve.total_seconds() // 60) if one.auto_resolve else None,
    }


def said_of(one: Integration) -> dict[str, Any]:
    """As a file says it, but for the name."""
    return {"kind": one.kind.value, **content_of(one)}


def integration_from(integration_id: str, name: str, kind: Kind, said: Mapping[str, Any]) -> Integration:
    """An integration from what `content_of` makes of one."""
    auto = said["auto_resolve_minutes"]
    return Integration(
        id=integration_id,
        name=name,
        kind=kind,
        service=said["service"],
        environment=said["environment"],
        policy=said["policy"],
        default_severity=Severity(said["default_severity"]),
        severity_map={word: Severity(one) for word, one in said["severity_map"].items()},
        urgency_map={Severity(word): Urgency(one) for word, one in said["urgency_map"].items()},
        grouping=Grouping(tuple(said["group_by"]), timedelta(minutes=said["group_minutes"])),
        mapping=said["mapping"],
        rate_per_minute=said["rate_per_minute"],
        auto_resolve=timedelta(minutes=auto) if auto else None,
    )


def _integration(row: Any) -> Integration:
    return integration_from(row.id, row.name, Kind(row.kind), row.content)


def _stored(row: Any, held: tuple[Key, ...]) -> StoredIntegration:
    return StoredIntegration(
        _integration(row),
        row.version,
        row.created_at,
        row.created_by,
        row.updated_at,
        row.last_event_at,
        held,
        FromFiles.within(row.content),
    )


def _key(row: Any) -> Key:
    return Key(
        row.id, row.integration_id, row.ends_with, row.created_at, row.created_by, row.expires_at, row.revoked_at
    )
