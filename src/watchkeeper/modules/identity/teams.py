"""Teams: whose a service is. None of the verbs commits."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Database

from watchkeeper.kernel import journal
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import is_id, new_id
from watchkeeper.modules.identity import events_people as events
from watchkeeper.modules.identity import store, store_people, store_teams
from watchkeeper.modules.identity.errors import TeamNotFound, TeamOfFiles, TeamOwns, TeamRefused
from watchkeeper.modules.identity.store_teams import Team

TEAM_NAME = r"[a-z0-9]([a-z0-9._-]{0,78}[a-z0-9])?"
LONGEST_DESCRIPTION = 1_000


@dataclass(frozen=True)
class TeamHoldings:
    """What teams own, as the modules know it that keep it: each source answers the names of one team's things."""

    sources: Sequence[Callable[[Database, str], Sequence[str]]] = ()

    def of(self, session: Database, team: str) -> list[str]:
        """Names of what this team owns."""
        return [name for source in self.sources for name in source(session, team)]


class Teams:
    """Verbs on teams, within one transaction. `by` is an actor's id, `source` where the act came from."""

    def __init__(self, db: Database, at: datetime, *, by: str, source: str) -> None:
        self._db = db
        self._now = at
        self._by = by
        self._source = source

    def get(self, name: str, *, lock: bool = False) -> Team:
        """Raises TeamNotFound."""
        team = store_teams.team(self._db, name, lock=lock)
        if team is None:
            raise TeamNotFound(f"There is no team {name!r}.")
        return team

    def create(self, name: str, description: str = "", *, reason: str = "", managed_by: str | None = None) -> Team:
        """Raises TeamRefused for a name that is taken or is no name."""
        _require_sound(name, description)
        team = Team(new_id("tem"), name, description, managed_by, self._now)
        try:
            store_teams.add(self._db, team)
        except IntegrityError:
            complaint = Complaint("name", "a name that no team has yet")
            raise TeamRefused(f"There is a team {name} already.", complaints=[complaint]) from None
        self._tell(events.TeamChanged(team=name, before=None, after={"description": description}), reason)
        return team

    def describe(self, name: str, description: str, *, reason: str = "", managed_by: str | None = None) -> Team:
        """Say something else about a team. Raises TeamNotFound, TeamRefused or TeamOfFiles."""
        team = self._own(name)
        _require_sound(name, description)
        if (team.description, team.managed_by) != (description, managed_by):
            store_teams.change(self._db, team.id, description=description, managed_by=managed_by)
        if team.description != description:
            before, after = {"description": team.description}, {"description": description}
            self._tell(events.TeamChanged(team=name, before=before, after=after), reason)
        return self.get(name)

    def delete(self, name: str, *, reason: str = "", holdings: TeamHoldings | None = None) -> None:
        """Take it away. Raises TeamNotFound, TeamOfFiles, or TeamOwns while it owns something that `holdings` knows."""
        team = self._own(name)
        owned = holdings.of(self._db, name) if holdings else []
        if owned:
            # Their owner would be the name of no team, and everybody might change them.
            shown = ", ".join(owned[:5]) + (" and more" if len(owned) > 5 else "")
            raise TeamOwns(f"{name} owns {len(owned)} ({shown}): give them to another team first.")
        store_teams.drop(self._db, team.id)
        before = {"description": team.description, "members": list(team.members)}
        self._tell(events.TeamChanged(team=name, before=before, after=None), reason)

    def join(self, name: str, member_id: str, *, reason: str = "") -> Team:
        """Bring a person or a service account in; twice is no mistake. Raises TeamNotFound or TeamRefused."""
        team = self.get(name)
        if not self._is_somebody(member_id):
            complaint = Complaint("member", "the id of a person or a service account")
            raise TeamRefused(f"There is nobody {member_id!r}.", complaints=[complaint])
        if store_teams.join(self._db, team.id, member_id):
            self._tell(events.TeamJoined(team=name, member=member_id), reason)
        return self.get(name)

    def leave(self, name: str, member_id: str, *, reason: str = "") -> Team:
        """Take somebody out; who is not in it is no mistake. Raises TeamNotFound."""
        team = self.get(name)
        if store_teams.leave(self._db, team.id, member_id):
            self._tell(events.TeamLeft(team=name, member=member_id), reason)
        return self.get(name)

    def _own(self, name: str) -> Team:
        """The team, held; one that files describe is theirs to change."""
        team = self.get(name, lock=True)
        if team.managed_by == "ops" and self._source != "ops":
            raise TeamOfFiles(f"{name} is described in ops/teams.yaml: change it there and apply.")
        return team

    def _is_somebody(self, member_id: str) -> bool:
        if is_id(member_id, "per"):
            return store.person(self._db, member_id) is not None
        return is_id(member_id, "sva") and store_people.account(self._db, member_id) is not None

    def _tell(self, event: journal.Event, reason: str) -> None:
        private = {"reason": reason} if reason else None
        journal.append(self._db, event, by=self._by, source=self._source, at=self._now, private=private)


def _require_sound(name: str, description: str) -> None:
    complaints = []
    if re.fullmatch(TEAM_NAME, name) is None:
        complaints.append(Complaint("name", "1 to 80 of a-z, 0-9, dot, dash and underscore, such as team-checkout"))
    if len(description) > LONGEST_DESCRIPTION:
        complaints.append(Complaint("description", f"at most {LONGEST_DESCRIPTION:,} characters"))
    if complaints:
        raise TeamRefused("The team can't be like this.", complaints=complaints)
