"""SQL that only pages ask: few rows of many, and counts in place of the rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from watchkeeper.modules.config.model import VALUE, ChangeState, Setting
from watchkeeper.modules.config.tables import change_keys, changes, system_config


@dataclass(frozen=True)
class LastChange:
    """The newest change of a key that was made."""

    change_id: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Slots:
    """What an environment holds of one key; of users only the newest, beside how many there are."""

    value: Setting | None
    segments: tuple[Setting, ...]
    users: tuple[Setting, ...]
    user_count: int


def values_in(session: Session, environment: str) -> dict[str, Setting]:
    """By key, what is set for everybody."""
    query = select(system_config).where(system_config.c.environment == environment, system_config.c.slot == VALUE)
    return {row.key: _setting(row) for row in session.execute(query)}


def values_of(session: Session, key: str) -> dict[str, Setting]:
    """By environment, what is set for everybody of a key."""
    query = select(system_config).where(system_config.c.key == key, system_config.c.slot == VALUE)
    return {row.environment: _setting(row) for row in session.execute(query)}


def override_counts(session: Session, key: str) -> dict[str, dict[str, int]]:
    """By environment, how many users and segments have an override of a key."""
    kind = func.substr(system_config.c.slot, 1, 4).label("kind")
    query = select(system_config.c.environment, kind, func.count().label("count")).where(
        system_config.c.key == key, system_config.c.slot != VALUE
    )
    found: dict[str, dict[str, int]] = {}
    for row in session.execute(query.group_by(system_config.c.environment, kind)):
        name = "user" if row.kind == "user" else "segment"
        found.setdefault(row.environment, {})[name] = row._mapping["count"]
    return found


def slots(session: Session, environment: str, key: str, *, most_users: int) -> Slots:
    """What is set of a key, whatever number of users has an override."""
    mine = (system_config.c.environment == environment) & (system_config.c.key == key)
    of_user = system_config.c.slot.startswith("user:", autoescape=True)
    plain = [_setting(row) for row in session.execute(select(system_config).where(mine, ~of_user))]
    newest = select(system_config).where(mine, of_user).order_by(system_config.c.version.desc(), system_config.c.slot)
    users = tuple(_setting(row) for row in session.execute(newest.limit(most_users)))
    count = session.execute(select(func.count()).select_from(system_config).where(mine, of_user)).scalar_one()
    return Slots(
        value=next((one for one in plain if one.slot == VALUE), None),
        segments=tuple(one for one in plain if one.slot != VALUE),
        users=users,
        user_count=count,
    )


def last_changes(session: Session, environment: str, keys: Iterable[str] | None = None) -> dict[str, LastChange]:
    """By key, the newest change that was made in an environment; of these keys or of all."""
    newest = (
        func.row_number().over(partition_by=change_keys.c.key, order_by=[changes.c.decided_at.desc(), changes.c.id])
    ).label("place")
    query = (
        select(change_keys.c.key, changes.c.id, changes.c.proposed_by, changes.c.decided_at, newest)
        .join(changes, changes.c.id == change_keys.c.change_id)
        .where(changes.c.environment == environment, changes.c.state == ChangeState.APPLIED)
    )
    if keys is not None:
        query = query.where(change_keys.c.key.in_(sorted(set(keys))))
    ranked = query.subquery()
    rows = session.execute(select(ranked).where(ranked.c.place == 1))
    return {row.key: LastChange(row.id, row.proposed_by, row.decided_at) for row in rows}


def count_changes(session: Session, state: ChangeState) -> int:
    """How many changes of all environments are in this state."""
    query = select(func.count()).select_from(changes).where(changes.c.state == state)
    return int(session.execute(query).scalar_one())


def _setting(row: Any) -> Setting:
    return Setting(
        row.key, row.slot, row.value, row.priority, row.version, row.changed_at, row.changed_by, row.change_id
    )
