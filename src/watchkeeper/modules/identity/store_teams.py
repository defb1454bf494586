"""All SQL of teams and who is in them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session as Database

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.identity.tables import team_members, teams


@dataclass(frozen=True)
class Team:
    """Some people and service accounts, who own services together. `name` is what a service's owner says."""

    id: str
    name: str
    description: str
    managed_by: str | None
    created_at: datetime
    members: tuple[str, ...] = ()


def names_of(db: Database, member_id: str) -> frozenset[str]:
    """Names of the teams that a person or a service account is in."""
    joined = select(teams.c.name).join(team_members, team_members.c.team_id == teams.c.id)
    return frozenset(db.scalars(joined.where(team_members.c.member_id == member_id)))


def is_team(db: Database, name: str) -> bool:
    return db.execute(select(teams.c.id).where(teams.c.name == name)).first() is not None


def all_teams(db: Database) -> list[Team]:
    """By name, with their members' ids."""
    members: dict[str, list[str]] = defaultdict(list)
    for row in db.execute(select(team_members).order_by(team_members.c.member_id)):
        members[row.team_id].append(row.member_id)
    rows = db.execute(select(teams).order_by(teams.c.name))
    return [Team(**row._mapping, members=tuple(members[row.id])) for row in rows]


def team(db: Database, name: str, *, lock: bool = False) -> Team | None:
    """The team of this name; with `lock`, held until the transaction ends."""
    query = select(teams).where(teams.c.name == name)
    row = db.execute(query.with_for_update() if lock else query).first()
    if row is None:
        return None
    wanted = select(team_members.c.member_id).where(team_members.c.team_id == row.id)
    return Team(**row._mapping, members=tuple(sorted(db.scalars(wanted))))


def add(db: Database, one: Team) -> None:
    """Raises IntegrityError when the name is taken."""
    db.execute(insert(teams).values({name: value for name, value in vars(one).items() if name != "members"}))


def change(db: Database, team_id: str, *, description: str, managed_by: str | None) -> None:
    values = {"description": description, "managed_by": managed_by}
    db.execute(update(teams).where(teams.c.id == team_id).values(values))


def drop(db: Database, team_id: str) -> None:
    db.execute(delete(team_members).where(team_members.c.team_id == team_id))
    db.execute(delete(teams).where(teams.c.id == team_id))


def join(db: Database, team_id: str, member_id: str) -> bool:
    """False when they were in it already."""
    fresh = insert_for(db, team_members).values(team_id=team_id, member_id=member_id).on_conflict_do_nothing()
    return db.execute(fresh.returning(team_members.c.member_id)).scalar() is not None


def leave(db: Database, team_id: str, member_id: str) -> bool:
    """False when they were not in it."""
    mine = (team_members.c.team_id == team_id) & (team_members.c.member_id == member_id)
    gone = db.execute(delete(team_members).where(mine).returning(team_members.c.member_id)).scalar()
    return gone is not None
