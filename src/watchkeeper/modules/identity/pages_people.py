"""Pages on which admins look after people."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Form, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.errors import Complaint, Conflict, Invalid, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import store, store_people, store_teams
from watchkeeper.modules.identity.model import Duty, Role
from watchkeeper.modules.identity.people import People
from watchkeeper.modules.identity.permissions import MANAGE_PEOPLE
from watchkeeper.modules.identity.routes_people import (
    Admin,
    Authentication,
    Db,
    Now,
    ProvenAdmin,
    Settings,
    Viewer,
    link_to,
    version_of,
    view_of,
)
from watchkeeper.modules.identity.tokens import Tokens

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


class ChangedMeanwhile(Conflict):
    code = "identity.changed_meanwhile"
    title = "Changed since you read it"


class ReasonForm(PageForm):
    reason: str = Field("", max_length=1_000)

    def why(self) -> str:
        """The reason. Raises ReasonInvalid."""
        if not 3 <= len(self.reason) <= 500:
            raise ReasonInvalid("Say why.", complaints=[Complaint("reason", "Say why, in 3 to 500 characters.")])
        return self.reason


class DisableForm(ReasonForm):
    revoke_tokens: bool = False


class InviteForm(ReasonForm):
    email: str = Field("", max_length=1_000)
    role: Role = Role.VIEWER
    duty: list[Duty] = Field(default_factory=list)
    team: list[str] = Field(default_factory=list)


class PlaceForm(ReasonForm):
    role: Role
    version: str = Field("", max_length=100)
    duty: list[Duty] = Field(default_factory=list)


@router.get("/settings/people")
async def people_page(request: Request, who: Viewer, db: Db, clock: Now) -> Response:
    """Everybody with an account; for admins also open invitations, and the form for a new one."""
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
async def withdraw(
    request: Request,
    who: ProvenAdmin,
    invitation_id: str,
    form: Annotated[ReasonForm, Form()],
    db: Db,
    clock: Now,
    settings: Settings,
) -> Response:
    """Make an invitation worthless."""
    try:
        reason = form.why()
        await db.write(lambda session: People(session, clock, settings).withdraw(invitation_id, reason=reason, by=who))
    except Invalid as refusal:
        return await _people(request, who, db, clock, refusal=refusal)
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
        if form.version != version_of(person):
            raise ChangedMeanwhile("Somebody else changed this person meanwhile; look again before you change more.")
        people.place(person, role=form.role, duties=frozenset(form.duty), reason=form.why(), by=who)

    return await _change_person(request, who, person_id, db, clock, settings, run)


@router.post("/settings/people/{person_id}/disable")
async def disable(
    request: Request,
    who: ProvenAdmin,
    person_id: str,
    form: Annotated[DisableForm, Form()],
    db: Db,
    clock: Now,
    settings: Settings,
    authentication: Authentication,
) -> Response:
    """End every session and let them in no more; where it was ticked, revoke the tokens that they made."""
    revoked: list[str] = []

    def run(session: Session) -> None:
        people = People(session, clock, settings)
        people.disable(people.get(person_id, lock=True), reason=form.why(), by=who)
        revoked[:] = Tokens(session, clock).revoke_made_by(person_id, by=who) if form.revoke_tokens else []

    answer = await _change_person(request, who, person_id, db, clock, settings, run)
    for token_id in revoked:
        authentication.forget_token(token_id)
    return answer


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
    except (Invalid, Conflict) as refusal:
        return await _person(request, who, person_id, db, clock, settings, refusal=refusal)
    return await _person(request, who, person_id, db, clock, settings, link=link_to(request, "reset", secret))


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
    for_admin = who.may(MANAGE_PEOPLE)

    def read(session: Session) -> dict[str, Any]:
        return {
            "people": [view_of(session, one, for_admin) for one in store.all_people(session)],
            "invitations": store_people.invitations(session, clock.now()) if for_admin else [],
            "teams": store_teams.all_teams(session),
        }

    found = await db.ask(read)
    return render(
        request,
        "identity/people.html",
        status=refusal.status if refusal else 200,
        for_admin=for_admin,
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
    def read(session: Session) -> dict[str, Any]:
        person = People(session, clock, settings).get(person_id)
        return {
            "person": view_of(session, person, for_admin=True),
            "based_on": version_of(person),  # `version` is the shell's
            "tokens": len(store.open_tokens_by(session, person_id)),
        }

    return render(
        request,
        "identity/person.html",
        status=refusal.status if refusal else 200,
        **await db.ask(read),
        roles=_ROLES,
        duties=list(Duty),
        link=link,
        errors=errors_of(refusal),
    )


def errors_of(refusal: Refusal | None) -> dict[str, str]:
    """What to say beside which field; under an empty name what belongs to none."""
    if refusal is None:
        return {}
    return {one.where: one.expected for one in refusal.complaints} or {"": refusal.detail}
