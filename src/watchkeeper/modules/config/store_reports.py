"""All SQL of what running services report: declarations, environment variables, versions, counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.config.tables import declarations, readers, usage, variables
from watchkeeper_client.rules import Definition


@dataclass(frozen=True)
class Declared:
    """A service's code declares a key."""

    service: str
    definition: Definition
    seen_at: datetime


@dataclass(frozen=True)
class Variable:
    """A running program sees an environment variable; `said` is None for a secret's."""

    key: str
    service: str
    instance: str
    said: str | None
    seen_at: datetime


@dataclass(frozen=True)
class Reader:
    """A program that reads the configuration."""

    service: str
    instance: str
    version: int
    stale_seconds: int
    seen_at: datetime


def put_declaration(session: Session, service: str, definition: Definition, *, at: datetime) -> None:
    """Note what a service's code says of a key."""
    said = {"definition": definition.said(), "seen_at": at}
    statement = insert_for(session, declarations).values(key=definition.key, service=service, **said)
    session.execute(statement.on_conflict_do_update(index_elements=["key", "service"], set_=said))


def declared(session: Session, key: str | None = None) -> dict[str, list[Declared]]:
    """By key, which services declare it."""
    query = select(declarations).order_by(declarations.c.key, declarations.c.service)
    if key is not None:
        query = query.where(declarations.c.key == key)
    found: dict[str, list[Declared]] = {}
    for row in session.execute(query):
        found.setdefault(row.key, []).append(Declared(row.service, Definition.of(row.definition), row.seen_at))
    return found


def put_reader(session: Session, environment: str, one: Reader) -> None:
    """Note that a program reads an environment."""
    said = {"version": one.version, "stale_seconds": one.stale_seconds, "seen_at": one.seen_at}
    row = {"environment": environment, "service": one.service, "instance": one.instance, **said}
    statement = insert_for(session, readers).values(row)
    session.execute(statement.on_conflict_do_update(index_elements=["environment", "service", "instance"], set_=said))


def all_readers(session: Session, environment: str) -> list[Reader]:
    """The programs that reported lately, by service."""
    query = select(readers).where(readers.c.environment == environment)
    rows = session.execute(query.order_by(readers.c.service, readers.c.instance))
    return [Reader(row.service, row.instance, row.version, row.stale_seconds, row.seen_at) for row in rows]


def put_variables(
    session: Session, environment: str, service: str, instance: str, said: Mapping[str, str | None], *, at: datetime
) -> None:
    """What a program sees in its environment, in place of what it saw before."""
    mine = (
        (variables.c.environment == environment) & (variables.c.service == service) & (variables.c.instance == instance)
    )
    session.execute(delete(variables).where(mine))
    rows = [
        {"environment": environment, "key": key, "service": service, "instance": instance, "said": text, "seen_at": at}
        for key, text in said.items()
    ]
    if rows:
        session.execute(insert_for(session, variables).on_conflict_do_nothing(), rows)


def variables_of(session: Session, environment: str, key: str | None = None) -> list[Variable]:
    """What programs see, of one key or of all."""
    query = select(variables).where(variables.c.environment == environment)
    if key is not None:
        query = query.where(variables.c.key == key)
    rows = session.execute(query.order_by(variables.c.key, variables.c.service, variables.c.instance))
    return [Variable(row.key, row.service, row.instance, row.said, row.seen_at) for row in rows]


def add_usage(session: Session, environment: str, counts: Iterable[tuple[str, str, int]], *, hour: datetime) -> None:
    """Add (key, variant, count) to an hour."""
    for key, variant, count in counts:
        statement = insert_for(session, usage).values(
            environment=environment, key=key, variant=variant, hour=hour, count=count
        )
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["environment", "key", "variant", "hour"],
                set_={"count": usage.c.count + statement.excluded.count},
            )
        )


def usage_of(session: Session, environment: str, key: str, *, since: datetime) -> list[tuple[datetime, str, int]]:
    """(hour, variant, count) of a key, oldest first."""
    mine = (usage.c.environment == environment) & (usage.c.key == key) & (usage.c.hour >= since)
    rows = session.execute(select(usage).where(mine).order_by(usage.c.hour, usage.c.variant))
    return [(row.hour, row.variant, row._mapping["count"]) for row in rows]


def used_since(session: Session, since: datetime) -> dict[str, datetime]:
    """By key, the last hour that it was asked for in any environment."""
    query = select(usage.c.key, func.max(usage.c.hour).label("last")).where(usage.c.hour >= since)
    return {row.key: row.last for row in session.execute(query.group_by(usage.c.key))}


def variants_served(session: Session, since: datetime) -> dict[str, set[str]]:
    """By key, the variants that were served since then in any environment."""
    found: dict[str, set[str]] = {}
    for row in session.execute(select(usage.c.key, usage.c.variant).where(usage.c.hour >= since).distinct()):
        found.setdefault(row.key, set()).add(row.variant)
    return found


def prune(session: Session, *, usage_before: datetime, seen_before: datetime) -> int:
    """Delete old counts, and what programs said that are gone; answers how many rows."""
    gone = 0
    for condition in (
        delete(usage).where(usage.c.hour < usage_before),
        delete(variables).where(variables.c.seen_at < seen_before),
        delete(readers).where(readers.c.seen_at < seen_before),
    ):
        result: Any = session.execute(condition)
        gone += int(result.rowcount)
    return gone
