"""All SQL of teams and who is in them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session as Database

from watchkeeper.modules.identity.tables import team_members, teams


def names_of(db: Database, member_id: str) -> frozenset[str]:
    """Names of the teams that a person or a service account is in."""
    joined = select(teams.c.name).join(team_members, team_members.c.team_id == teams.c.id)
    return frozenset(db.scalars(joined.where(team_members.c.member_id == member_id)))
