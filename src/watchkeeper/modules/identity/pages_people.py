"""Pages on which admins look after people, teams and service accounts."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Form, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.errors import Complaint, Invalid, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import store, store_people, store_teams
from watchkeeper.modules.identity.accounts import ServiceAccounts
from watchkeeper.modules.identity.model import Duty, Role
from watchkeeper.modules.identity.people import People
from watchkeeper.modules.identity.routes_people import (
    Admin,
    Db,
    Now,
    ProvenAdmin,
    Settings,
    link_to,
    view_of,
)
from watchkeeper.modules.identity.teams import Teams

router = page_router()
_ROLES = (
    (Role.VIEWER, "Viewer", "sees everything but people's addresses and the audit record"),
    (Role.RESPONDER, "Responder", "also acts on alerts and incidents"),
    (Role.OPERATOR, "Operator", "also changes what belongs to their teams"),
    (Role.ADMIN, "Admin", "everything, for every team"),
)


class ReasonInvalid(Invalid):
    code = "identity.reason_invalid"
    title = "Say why"


class ReasonForm(PageForm):
    reason: str = Field("", max_length=1_000)

    def why(self) -> str:
        """The reason. Raises ReasonInvalid."""
        if not 3 <= len(self.reason) <= 500:
            raise ReasonInvalid("Say why.", complaints=[Complaint("reason", "Say why, in 3 to 500 characters.")])
        return self.reason


class InviteForm(ReasonForm):
    email: str = Field("", max_length=1_000)
    role: Role = Role.VIEWER
    duty: list[Duty] = Field(default_factory=list)
    team: list[str] = Field(default_factory=list)


class PlaceForm(ReasonForm):
    role: Role
    duty: list[Duty] = Field(default_factory=list)


class TeamForm(ReasonForm):
    name: str = Field("", max_length=1_000)
    description: str = Field("", max_length=2_000)


class MemberForm(ReasonForm):
    member: str = Field("", max_length=100)


class AccountForm(ReasonForm):
    name: str = Field("", max_length=1_000)
    description: str = Field("", max_length=2_000)


@router.get("/settings/people")
async def people_page(request: Request, who: Admin, db: Db, clock: Now) -> Response:
    """Everybody with an account, open invitations, and the form for a new one."""
    return await _people(request, who, db, clock)


@router.post("/settings/people/invite")
async def invite(
    request: Request, who: ProvenAdmin, form: Annotated[InviteForm, Form()], db: Db, clock: Now, settings: Settings
) -> Response:
    """Invite somebody and show the link to give them."""
    try:
        reason = form.why()
        _, secret = await db.write(
            lambda session: People(session, clock, settings).invite(
                email=form.email, role=form.role, duties=form.duty, teams=form.team, reason=reason, by=who
            )
        )
    except Invalid as refusal:
        return await _people(request, who, db, clock, refusal=refusal, form=form)
    return await _people(request, who, db, clock, link=link_to(request, "invite", secret))


@router.post("/settings/people/invitations/{invitation_id}/withdraw")
async def withdraw(who: ProvenAdmin, invitation_id: str, db: Db, clock: Now, settings: Settings) -> Response:
    """Make an invitation worthless."""
    await db.write(lambda session: People(session, clock, settings).withdraw(invitation_id, reason="withdrawn", by=who))
    return RedirectResponse("/settings/people", status_code=303)


@router.get("/settings/people/{person_id}")
async def person_page(request: Request, who: Admin, person_id: str, db: Db, clock: Now, settings: Settings) -> Response:
    """One person: role, duties, teams, and the way out and in."""
    return await _person(request, who, person_id, db, clock, settings)


@router.post("/settings/people/{person_id}/place")
async def place(
    request: Request,
    who: ProvenAdmin,
    person_id: str,
    form: Annotated[PlaceForm, Form()],
    db: Db,
    clock: Now,
    settings: Settings,
) -> Response:
    """Give a role and duties."""

    def run(session: Session) -> None:
        people = People(session, clock, settings)
        person = people.get(person_id, lock=True)
        people.place(person, role=form.role, duties=frozenset(form.duty), reason=form.why(), by=who)

    return await _change_person(request, who, person_id, db, clock, settings, run)


@router.post("/settings/people/{person_id}/disable")
async def disable(
    request: Request,
    who: ProvenAdmin,
    person_id: str,
    form: Annotated[ReasonForm, Form()],
    db: Db,
    clock: Now,
    settings: Settings,
) -> Response:
    """End every session and let them in no more."""

    def run(session: Session) -> None:
        people = People(session, clock, settings)
        people.disable(people.get(person_id, lock=True), reason=form.why(), by=who)

    return await _change_person(request, who, person_id, db, clock, settings, run)


@router.post("/settings/people/{person_id}/enable")
async def enable(
    request: Request,
    who: ProvenAdmin,
    person_id: str,
    form: Annotated[ReasonForm, Form()],
    db: Db,
    clock: Now,
    settings: Settings,
) -> Response:
    """Let them in again."""

    def run(session: Session) -> None:
        people = People(session, clock, settings)
        people.enable(people.get(person_id, lock=True), reason=form.why(), by=who)

    return await _change_person(request, who, person_id, db, clock, settings, run)


@router.post("/settings/people/{person_id}/reset-link")
async def reset_link(
    request: Request,
    who: ProvenAdmin,
    person_id: str,
    form: Annotated[ReasonForm, Form()],
    db: Db,
    clock: Now,
    settings: Settings,
) -> Response:
    """Make a one-time link by which the person sets a new password, and show it."""

    def run(session: Session) -> str:
        people = People(session, clock, settings)
        return people.make_reset_link(people.get(person_id), reason=form.why(), by=who)

    try:
        secret = await db.write(run)
    except Invalid as refusal:
        return await _person(request, who, person_id, db, clock, settings, refusal=refusal)
    return await _person(request, who, person_id, db, clock, settings, link=link_to(request, "reset", secret))


@router.get("/settings/teams")
async def teams_page(request: Request, who: Admin, db: Db) -> Response:
    """Teams, service accounts, and who is where."""
    return await _teams(request, db)


@router.post("/settings/teams")
async def make_team(
    request: Request, who: ProvenAdmin, form: Annotated[TeamForm, Form()], db: Db, clock: Now
) -> Response:
    """Make a team."""

    def run(session: Session) -> None:
        teams = Teams(session, clock.now(), by=who.id, source="console")
        teams.create(form.name, form.description, reason=form.why())

    return await _change_teams(request, db, run, form)


@router.post("/settings/teams/{name}/join")
async def join(
    request: Request, who: ProvenAdmin, name: str, form: Annotated[MemberForm, Form()], db: Db, clock: Now
) -> Response:
    """Bring somebody in."""

    def run(session: Session) -> None:
        Teams(session, clock.now(), by=who.id, source="console").join(name, form.member, reason=form.reason)

    return await _change_teams(request, db, run, form)


@router.post("/settings/teams/{name}/leave")
async def leave(
    request: Request, who: ProvenAdmin, name: str, form: Annotated[MemberForm, Form()], db: Db, clock: Now
) -> Response:
    """Take somebody out."""

    def run(session: Session) -> None:
        Teams(session, clock.now(), by=who.id, source="console").leave(name, form.member, reason=form.reason)

    return await _change_teams(request, db, run, form)


@router.post("/settings/service-accounts")
async def make_account(
    request: Request, who: ProvenAdmin, form: Annotated[AccountForm, Form()], db: Db, clock: Now
) -> Response:
    """Make a service account."""

    def run(session: Session) -> None:
        ServiceAccounts(session, clock).create(form.name, form.description, reason=form.why(), by=who)

    return await _change_teams(request, db, run, form)


async def _change_teams(request: Request, db: Db, run: Any, form: PageForm) -> Response:
    try:
        await db.write(run)
    except Invalid as refusal:
        return await _teams(request, db, refusal=refusal, form=form)
    return RedirectResponse("/settings/teams", status_code=303)


async def _change_person(
    request: Request, who: Actor, person_id: str, db: Db, clock: Now, settings: Settings, run: Any
) -> Response:
    try:
        await db.write(run)
    except Refusal as refusal:
        if refusal.status not in (409, 422):
            raise
        return await _person(request, who, person_id, db, clock, settings, refusal=refusal)
    return RedirectResponse(f"/settings/people/{quote(person_id)}", status_code=303)


async def _people(
    request: Request,
    who: Actor,
    db: Db,
    clock: Now,
    *,
    link: str | None = None,
    refusal: Refusal | None = None,
    form: InviteForm | None = None,
) -> Response:
    def read(session: Session) -> dict[str, Any]:
        return {
            "people": [view_of(session, one, for_admin=True) for one in store.all_people(session)],
            "invitations": store_people.invitations(session, clock.now()),
            "teams": store_teams.all_teams(session),
        }

    found = await db.ask(read)
    return render(
        request,
        "identity/people.html",
        status=refusal.status if refusal else 200,
        roles=_ROLES,
        duties=list(Duty),
        link=link,
        form=form or InviteForm.model_validate({}),
        errors=errors_of(refusal),
        **found,
    )


async def _person(
    request: Request,
    who: Actor,
    person_id: str,
    db: Db,
    clock: Now,
    settings: Settings,
    *,
    link: str | None = None,
    refusal: Refusal | None = None,
) -> Response:
    def read(session: Session) -> Any:
        return view_of(session, People(session, clock, settings).get(person_id), for_admin=True)

    return render(
        request,
        "identity/person.html",
        status=refusal.status if refusal else 200,
        person=await db.ask(read),
        roles=_ROLES,
        duties=list(Duty),
        link=link,
        errors=errors_of(refusal),
    )


async def _teams(request: Request, db: Db, *, refusal: Refusal | None = None, form: PageForm | None = None) -> Response:
    def read(session: Session) -> dict[str, Any]:
        accounts = store_people.accounts(session)
        called = {one.id: one.name for one in store.all_people(session)} | {one.id: one.name for one in accounts}
        return {"teams": store_teams.all_teams(session), "accounts": accounts, "called": called}

    found = await db.ask(read)
    status = refusal.status if refusal else 200
    return render(request, "identity/teams.html", status=status, form=form, errors=errors_of(refusal), **found)


def errors_of(refusal: Refusal | None) -> dict[str, str]:
    """What to say beside which field; under an empty name what belongs to none."""
    if refusal is None:
        return {}
    return {one.where: one.expected for one in refusal.complaints} or {"": refusal.detail}
