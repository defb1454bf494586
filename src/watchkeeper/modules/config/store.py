"""All SQL of parameters, values and environments; that of changes and of reports is in files beside this one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.config.model import OWN, VALUE, Environment, Held, ManagedBy, Parameter, Setting
from watchkeeper.modules.config.tables import environments, parameters, system_config
from watchkeeper_client.rules import Definition


def all_environments(session: Session) -> list[Environment]:
    """Every environment by name."""
    return [_environment(row) for row in session.execute(select(environments).order_by(environments.c.name))]


def environment(session: Session, name: str, *, lock: bool = False) -> Environment | None:
    """The environment; with `lock`, nobody else changes anything in it until the transaction ends."""
    query = select(environments).where(environments.c.name == name)
    row = session.execute(query.with_for_update() if lock else query).one_or_none()
    return _environment(row) if row is not None else None


def lock_environments(session: Session) -> None:
    """Until the transaction ends, nobody else changes a value anywhere. In one order, as everywhere before parameters:
    so nobody waits for each other in a circle."""
    session.execute(select(environments.c.name).order_by(environments.c.name).with_for_update()).all()


def add_environment(session: Session, name: str, *, needs_approval: bool, at: datetime) -> bool:
    """False when the name is taken."""
    row = {"name": name, "needs_approval": needs_approval, "version": 1, "created_at": at, "changed_at": at}
    statement = insert_for(session, environments).values(row).on_conflict_do_nothing(index_elements=["name"])
    return session.execute(statement.returning(environments.c.name)).scalar() is not None


def set_needs_approval(session: Session, name: str, needs_approval: bool) -> None:
    """Whether changes there wait for a second person."""
    session.execute(update(environments).where(environments.c.name == name).values(needs_approval=needs_approval))


def move_on(session: Session, name: str | None, *, at: datetime) -> int:
    """A new version of an environment, or of all of them (None); answers the version, of all the highest."""
    moved = update(environments).values(version=environments.c.version + 1, changed_at=at)
    if name is not None:
        moved = moved.where(environments.c.name == name)
    return max(session.execute(moved.returning(environments.c.version)).scalars(), default=0)


def versions(session: Session) -> dict[str, int]:
    """The version of every environment."""
    return {row.name: row.version for row in session.execute(select(environments.c.name, environments.c.version))}


def all_parameters(session: Session) -> list[Parameter]:
    """The whole registry by key."""
    return [_parameter(row) for row in session.execute(select(parameters).order_by(parameters.c.key))]


def count_parameters(session: Session) -> int:
    """How many entries the registry has."""
    return session.execute(select(func.count()).select_from(parameters)).scalar_one()


def parameter(session: Session, key: str, *, lock: bool = False) -> Parameter | None:
    """The registry entry of a key."""
    query = select(parameters).where(parameters.c.key == key)
    row = session.execute(query.with_for_update() if lock else query).one_or_none()
    return _parameter(row) if row is not None else None


def parameters_of(session: Session, keys: Iterable[str]) -> dict[str, Parameter]:
    """The registry entries of these keys; those that are not there are left out."""
    rows = session.execute(select(parameters).where(parameters.c.key.in_(sorted(set(keys)))))
    return {row.key: _parameter(row) for row in rows}


def put_parameter(
    session: Session,
    definition: Definition,
    *,
    managed_by: ManagedBy,
    applied: Mapping[str, Any] | None,
    differs_since: datetime | None,
    by: str,
    at: datetime,
) -> None:
    """Add or replace a registry entry."""
    said = {
        "definition": definition.said(),
        "managed_by": managed_by,
        "applied": applied,
        "differs_since": differs_since,
        "updated_at": at,
        "updated_by": by,
    }
    statement = insert_for(session, parameters).values(key=definition.key, version=1, created_at=at, **said)
    session.execute(
        statement.on_conflict_do_update(index_elements=["key"], set_={**said, "version": parameters.c.version + 1})
    )


def mark_applied(
    session: Session, key: str, *, managed_by: ManagedBy, applied: Mapping[str, Any] | None, since: datetime | None
) -> None:
    """What the files said last of an entry, and since when it differs from that."""
    values = {"managed_by": managed_by, "applied": applied, "differs_since": since}
    session.execute(update(parameters).where(parameters.c.key == key).values(values))


def remove_parameter(session: Session, key: str) -> None:
    """Forget a registry entry."""
    session.execute(delete(parameters).where(parameters.c.key == key))


def held(session: Session, environment_name: str, keys: Iterable[str] | None = None) -> Held:
    """The slots of an environment, of these keys or of all."""
    query = select(system_config).where(system_config.c.environment == environment_name)
    if keys is not None:
        query = query.where(system_config.c.key.in_(sorted(set(keys))))
    found: dict[str, list[Setting]] = defaultdict(list)
    for row in session.execute(query.order_by(system_config.c.key, system_config.c.slot)):
        found[row.key].append(_setting(row))
    return Held(dict(found))


def settings_of(session: Session, key: str) -> dict[str, list[Setting]]:
    """Every slot of a key, by environment."""
    found: dict[str, list[Setting]] = defaultdict(list)
    query = select(system_config).where(system_config.c.key == key)
    for row in session.execute(query.order_by(system_config.c.environment, system_config.c.slot)):
        found[row.environment].append(_setting(row))
    return dict(found)


def settings_of_slot(session: Session, slot: str) -> list[tuple[str, Setting]]:
    """(environment, setting) of every key with this slot."""
    rows = session.execute(select(system_config).where(system_config.c.slot == slot).order_by(system_config.c.key))
    return [(row.environment, _setting(row)) for row in rows]


def plain_values(session: Session) -> list[tuple[str, Setting]]:
    """(environment, setting) of every value for everybody."""
    rows = session.execute(select(system_config).where(system_config.c.slot == VALUE))
    return [(row.environment, _setting(row)) for row in rows]


def count_overrides(session: Session, environment_name: str) -> dict[str, dict[str, int]]:
    """Of each key, how many users and segments have an override."""
    kind = func.substr(system_config.c.slot, 1, 4)
    query = select(system_config.c.key, kind.label("kind"), func.count().label("count")).where(
        system_config.c.environment == environment_name, system_config.c.slot != VALUE
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in session.execute(query.group_by(system_config.c.key, kind)):
        found[row.key]["user" if row.kind == "user" else "segment"] = row._mapping["count"]
    return dict(found)


def put_setting(session: Session, environment_name: str, one: Setting) -> None:
    """Fill a slot."""
    said = {
        "value": one.value,
        "priority": one.priority,
        "version": one.version,
        "changed_at": one.changed_at,
        "changed_by": one.changed_by,
        "change_id": one.change_id,
    }
    row = {"environment": environment_name, "key": one.key, "slot": one.slot, **said}
    statement = insert_for(session, system_config).values(row)
    session.execute(statement.on_conflict_do_update(index_elements=["environment", "key", "slot"], set_=said))


def empty_slot(session: Session, environment_name: str, key: str, slot: str) -> None:
    """Take what a slot holds away."""
    mine = (
        (system_config.c.environment == environment_name)
        & (system_config.c.key == key)
        & (system_config.c.slot == slot)
    )
    session.execute(delete(system_config).where(mine))


def copy_settings(session: Session, source: str, target: str, *, by: str, at: datetime, change_id: str) -> int:
    """Put the values and segment overrides of one environment into an empty one; answers how many."""
    rows = session.execute(
        select(system_config).where(
            system_config.c.environment == source,
            ~system_config.c.slot.startswith("user:", autoescape=True),
            ~system_config.c.key.startswith(OWN, autoescape=True),
        )
    ).all()
    for row in rows:
        one = _setting(row)
        put_setting(
            session,
            target,
            Setting(one.key, one.slot, one.value, one.priority, 1, changed_at=at, changed_by=by, change_id=change_id),
        )
    return len(rows)


def _environment(row: Any) -> Environment:
    return Environment(row.name, row.needs_approval, row.version, row.changed_at)


def _parameter(row: Any) -> Parameter:
    return Parameter(
        definition=Definition.of(row.definition),
        managed_by=row.managed_by,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        applied=row.applied,
        differs_since=row.differs_since,
    )


def _setting(row: Any) -> Setting:
    return Setting(
        row.key, row.slot, row.value, row.priority, row.version, row.changed_at, row.changed_by, row.change_id
    )
