"""What a team owns, that team changes; everybody sees it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Forbidden
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.web.access import Actor, Scope
from watchkeeper.modules.catalog.permissions import require_own
from watchkeeper.modules.identity import store_teams
from watchkeeper.modules.identity.store_teams import Team


@pytest.fixture
def session(database: Database, clock: ManualClock) -> Any:
    """A transaction in which there is one team, `team-edge`."""
    with database.begin() as session:
        store_teams.add(session, Team(new_id("tem"), "team-edge", "", None, clock.now()))
        yield session


def _operator(*teams: str) -> Actor:
    scopes = frozenset({Scope.WRITE})
    return Actor(id="per_x", kind="person", name="Bob", scopes=scopes, teams=frozenset(teams))


def test_its_members_and_whoever_acts_for_all_may(session: Session) -> None:
    require_own(session, _operator("team-edge", "team-chat"), "team-edge")
    require_own(session, Actor(id="tok_x", kind="token", name="x", scopes=frozenset({Scope.WRITE})), "team-edge")


def test_another_teams_operator_may_not(session: Session) -> None:
    for who in (_operator("team-chat"), _operator()):
        with pytest.raises(Forbidden, match="belongs to team-edge"):
            require_own(session, who, "team-edge")


@pytest.mark.parametrize("owner", [None, "Alice and Bob", "team-nobody-made"])
def test_an_owner_that_is_no_team_binds_nobody(session: Session, owner: str | None) -> None:
    require_own(session, _operator(), owner)
