"""`ops/teams.yaml`: teams as code. Who is in them is personal and stays in the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from watchkeeper.kernel.ops import Change, Complaints, Drifted, Located, PlanOutdated
from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.identity import store_teams
from watchkeeper.modules.identity.errors import TeamNotFound, TeamRefused
from watchkeeper.modules.identity.store_teams import Team
from watchkeeper.modules.identity.teams import LONGEST_DESCRIPTION, TEAM_NAME, Teams

_FILE = "teams.yaml"
_EXAMPLE = """\
# Teams. A service whose owner is one of them is changed by its members and by admins only.
# A line with three dashes divides several teams. Who is in them is set in the console.

#name: team-checkout
#description: Orders and payments.
"""


class TeamFile(StrictModel):
    """One team; the file may hold several, divided by `---`."""

    name: str = Field(pattern=f"^{TEAM_NAME}$", description="What `owner` of its services says.")
    description: str = Field("", max_length=LONGEST_DESCRIPTION, description="What it looks after.")


@dataclass(frozen=True)
class TeamKind:
    """Teams in plan and apply."""

    name: str = "team"
    pattern: str = _FILE
    model: type[BaseModel] = TeamFile
    examples: Mapping[str, str] = field(default_factory=lambda: {_FILE: _EXAMPLE})

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:  # noqa: ARG002
        """Created, changed, adopted, unchanged, and those from files that no file names any more."""
        existing = {one.name: one for one in store_teams.all_teams(session)}
        changes = [self._change(existing.get(one.value.name), one) for one in desired]
        named = {one.value.name for one in desired}
        gone = [one for one in existing.values() if one.managed_by == "ops" and one.name not in named]
        deletions = [
            Change("delete", self.name, one.name, {"description": (one.description, None)}, note=_members(one))
            for one in gone
        ]
        return sorted([*changes, *deletions], key=lambda change: change.name)

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        """One change and its fact."""
        teams = Teams(session, at, by=by, source="ops")
        try:
            if desired is None:
                teams.delete(change.name, reason="no longer in ops/teams.yaml")
            elif change.action == "create":
                teams.create(change.name, desired.description, managed_by="ops")
            else:
                teams.describe(change.name, desired.description, managed_by="ops")
        except (TeamNotFound, TeamRefused) as refusal:
            raise PlanOutdated(refusal.detail) from None

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        """Every team, all in one file."""
        return [(_FILE, _document(one)) for one in store_teams.all_teams(session)]

    def drift(self, session: Session) -> list[Drifted]:  # noqa: ARG002 (what the files said is what is there)
        """None: a team from files that is changed in the console is the console's until the next apply."""
        return []

    def _change(self, team: Team | None, one: Located[Any]) -> Change:
        where, said = str(one.document.at), one.value.description
        if team is None:
            return Change("create", self.name, one.value.name, {"description": (None, said)} if said else {}, where)
        changed = {} if team.description == said else {"description": (team.description, said)}
        if team.managed_by != "ops":
            fields = {**changed, "managed_by": (team.managed_by or "people", "ops")}
            note = "known already; from now on described in ops/"
            return Change("update" if changed else "adopt", self.name, team.name, fields, where, note)
        return Change("update" if changed else "unchanged", self.name, team.name, changed, where)


OPS_KINDS = (TeamKind(),)


def _document(team: Team) -> dict[str, Any]:
    return {"name": team.name, **({"description": team.description} if team.description else {})}


def _members(team: Team) -> str:
    return f"{len(team.members)} members leave it, and its services belong to nobody" if team.members else ""
