"""The JSON of people, invitations, teams and service accounts."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from watchkeeper.kernel.web.etag import etag_of
from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.identity.model import LONGEST_NAME, Duty, Person, Role
from watchkeeper.modules.identity.store_people import Invitation, ServiceAccount
from watchkeeper.modules.identity.store_teams import Team

REASON = Field(min_length=3, max_length=500, description="Why; it stays in the record.")


class PersonView(BaseModel):
    """A person as colleagues see them; the e-mail is for admins."""

    id: str
    name: str
    email: str | None = Field(description="Null for everybody but admins.")
    role: Role
    duties: list[Duty]
    teams: list[str]
    has_second_factor: bool | None = Field(description="Null for everybody but admins.")
    created_at: datetime
    disabled_at: datetime | None

    @classmethod
    def of(cls, person: Person, teams: frozenset[str], *, has_factor: bool, for_admin: bool) -> PersonView:
        return cls(
            id=person.id,
            name=person.name,
            email=person.email if for_admin else None,
            role=person.role,
            duties=sorted(person.duties),
            teams=sorted(teams),
            has_second_factor=has_factor if for_admin else None,
            created_at=person.created_at,
            disabled_at=person.disabled_at,
        )


class PeopleView(BaseModel):
    """Everybody with an account."""

    items: list[PersonView]


class PersonEdit(StrictModel):
    """What is to be different; what is left out stays."""

    role: Role | None = None
    duties: list[Duty] | None = Field(None, max_length=len(Duty))
    disabled: bool | None = None
    revoke_tokens: bool = Field(False, description="Also revoke every token that they made, of service accounts too.")
    reason: str = REASON


class Reason(StrictModel):
    """Why."""

    reason: str = REASON


class NewInvitation(StrictModel):
    """Whom to let in, and as what."""

    email: str = Field(max_length=254)
    role: Role = Role.VIEWER
    duties: list[Duty] = Field(default=[], max_length=len(Duty))
    teams: list[str] = Field(default=[], max_length=50)
    reason: str = REASON


class InvitationView(BaseModel):
    """An open invitation."""

    id: str
    email: str
    role: Role
    duties: list[Duty]
    teams: list[str]
    made_by: str
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, one: Invitation) -> InvitationView:
        return cls.model_validate({**vars(one), "duties": sorted(one.duties), "teams": list(one.teams)})


class InvitationMade(InvitationView):
    """An invitation just made."""

    link: str | None = Field(description="Give it to the invited person; shown this once, null in a repeated answer.")


class LinkMade(BaseModel):
    """A one-time link."""

    link: str | None = Field(description="Shown this once, null in a repeated answer.")


class InvitationsView(BaseModel):
    """Invitations that still work."""

    items: list[InvitationView]


class NewTeam(StrictModel):
    """A team to make."""

    name: str = Field(max_length=80, description="What `owner` of its services says.")
    description: str = Field("", max_length=1_000)
    reason: str = REASON


class TeamEdit(StrictModel):
    """What to say of a team."""

    description: str = Field(max_length=1_000)
    reason: str = REASON


def version_of_team(team: Team) -> str:
    """The ETag of what people edit of a team; who comes and goes does not stand in the way of a new description."""
    return etag_of([team.name, team.description, team.managed_by])


class TeamView(BaseModel):
    """A team and who is in it."""

    name: str
    description: str
    members: list[str] = Field(description="Ids of people and service accounts.")
    managed_by: str | None = Field(description="`ops` where files describe it.")
    version: str = Field(description="The ETag that a change can be bound to by `If-Match`.")

    @classmethod
    def of(cls, team: Team) -> TeamView:
        return cls(
            name=team.name,
            description=team.description,
            members=list(team.members),
            managed_by=team.managed_by,
            version=version_of_team(team),
        )


class TeamsView(BaseModel):
    """Every team."""

    items: list[TeamView]


class NewAccount(StrictModel):
    """A service account to make."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    description: str = Field("", max_length=1_000)
    reason: str = REASON


class AccountEdit(StrictModel):
    """What is to be different; what is left out stays."""

    name: str | None = Field(None, min_length=1, max_length=LONGEST_NAME)
    description: str | None = Field(None, max_length=1_000)
    disabled: bool | None = Field(None, description="Its tokens work, or don't, with it.")
    reason: str = REASON


class AccountView(BaseModel):
    """A service account."""

    id: str
    name: str
    description: str
    created_by: str
    created_at: datetime
    disabled_at: datetime | None
    teams: list[str] = Field(description="Whose services its tokens change; one with the scope `admin` changes all.")

    @classmethod
    def of(cls, one: ServiceAccount, teams: frozenset[str]) -> AccountView:
        return cls.model_validate({**vars(one), "teams": sorted(teams)})


class AccountsView(BaseModel):
    """Every service account."""

    items: list[AccountView]
