"""The API of people and invitations."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.etag import check_match, etag_of, with_etag
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.parts import clock_part, database_part, part, parts_of
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.identity import store, store_factors, store_people, store_teams
from watchkeeper.modules.identity.authenticator import IdentityAuthenticator
from watchkeeper.modules.identity.model import Person
from watchkeeper.modules.identity.people import People
from watchkeeper.modules.identity.permissions import MANAGE_PEOPLE, VIEW_PEOPLE
from watchkeeper.modules.identity.settings import IdentitySettings
from watchkeeper.modules.identity.tokens import Tokens
from watchkeeper.modules.identity.wire_people import (
    InvitationMade,
    InvitationsView,
    InvitationView,
    LinkMade,
    NewInvitation,
    PeopleView,
    PersonEdit,
    PersonView,
    Reason,
)

router = api_router("people")
Viewer = Annotated[Actor, requires(VIEW_PEOPLE)]
Admin = Annotated[Actor, requires(MANAGE_PEOPLE)]
ProvenAdmin = Annotated[Actor, requires(MANAGE_PEOPLE, proved_lately=True)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
Settings = Annotated[IdentitySettings, part(IdentitySettings)]
Authentication = Annotated[IdentityAuthenticator, part(IdentityAuthenticator)]
Why = Annotated[str, Query(min_length=3, max_length=500, description="Why; it stays in the record.")]


@router.get("/people")
async def list_people(who: Viewer, db: Db) -> PeopleView:
    """Everybody with an account, by name; e-mail addresses for admins only."""
    for_admin = who.may(MANAGE_PEOPLE)
    return await db.ask(
        lambda session: PeopleView(items=[view_of(session, one, for_admin) for one in store.all_people(session)])
    )


@router.get("/people/{person_id}", response_model=PersonView)
async def show_person(
    who: Viewer, request: Request, person_id: str, db: Db, clock: Now, settings: Settings
) -> Response:
    """Somebody with an account. A change can be bound to the answer's ETag."""
    for_admin = who.may(MANAGE_PEOPLE)

    def read(session: Session) -> tuple[PersonView, str]:
        person = People(session, clock, settings).get(person_id)
        return view_of(session, person, for_admin), version_of(person)

    return _answer(*await db.ask(read))


@router.patch("/people/{person_id}", response_model=PersonView)
async def edit_person(
    who: ProvenAdmin,
    request: Request,
    person_id: str,
    order: PersonEdit,
    db: Db,
    clock: Now,
    settings: Settings,
    authentication: Authentication,
) -> Response:
    """Give a role and duties, disable or enable. `If-Match` with the ETag that was read guards against overwriting."""

    def change(session: Session) -> tuple[PersonView, str, list[str]]:
        people = People(session, clock, settings)
        person = people.get(person_id, lock=True)
        check_match(request, version_of(person))
        role = person.role if order.role is None else order.role
        duties = person.duties if order.duties is None else frozenset(order.duties)
        person = people.place(person, role=role, duties=duties, reason=order.reason, by=who)
        if order.disabled is not None:
            switch = people.disable if order.disabled else people.enable
            person = switch(person, reason=order.reason, by=who)
        revoked = Tokens(session, clock).revoke_made_by(person.id, by=who) if order.revoke_tokens else []
        return view_of(session, person, for_admin=True), version_of(person), revoked

    view, version, revoked = await db.write(change)
    for token_id in revoked:
        authentication.forget_token(token_id)
    return _answer(view, version)


@router.post("/people/{person_id}/reset-link", status_code=201, response_model=LinkMade)
async def make_reset_link(
    who: ProvenAdmin,
    request: Request,
    person_id: str,
    order: Reason,
    db: Db,
    clock: Now,
    settings: Settings,
    once: Annotated[Once, once()],
) -> Response:
    """A one-time link by which the person sets a new password; it works for 24 h and ends all their sessions."""

    def make(session: Session) -> Answer:
        people = People(session, clock, settings)
        secret = people.make_reset_link(people.get(person_id), reason=order.reason, by=who)
        return Answer(LinkMade(link=link_to(request, "reset", secret)), replay=LinkMade(link=None))

    return (await db.write(lambda session: once.run(session, lambda: make(session)))).response()


@router.get("/invitations")
async def list_invitations(who: Admin, db: Db, clock: Now) -> InvitationsView:
    """Invitations that still work."""
    found = await db.ask(lambda session: store_people.invitations(session, clock.now()))
    return InvitationsView(items=[InvitationView.of(one) for one in found])


@router.post("/invitations", status_code=201, response_model=InvitationMade)
async def invite(
    who: ProvenAdmin,
    request: Request,
    order: NewInvitation,
    db: Db,
    clock: Now,
    settings: Settings,
    once: Annotated[Once, once()],
) -> Response:
    """Invite somebody; the answer holds the link to give them, this once."""

    def make(session: Session) -> Answer:
        made, secret = People(session, clock, settings).invite(
            email=order.email,
            role=order.role,
            duties=order.duties,
            teams=order.teams,
            reason=order.reason,
            by=who,
        )
        plain = InvitationView.of(made).model_dump()
        shown = InvitationMade(**plain, link=link_to(request, "invite", secret))
        return Answer(shown, replay=InvitationMade(**plain, link=None))

    return (await db.write(lambda session: once.run(session, lambda: make(session)))).response()


@router.delete("/invitations/{invitation_id}", status_code=204)
async def withdraw(who: ProvenAdmin, invitation_id: str, db: Db, clock: Now, settings: Settings, reason: Why) -> None:
    """Make an invitation worthless."""
    await db.write(lambda session: People(session, clock, settings).withdraw(invitation_id, reason=reason, by=who))


def view_of(session: Session, person: Person, for_admin: bool) -> PersonView:
    """A person as this reader may see them."""
    teams = store_teams.names_of(session, person.id)
    has_factor = store_factors.has_factor(session, person.id)
    return PersonView.of(person, teams, has_factor=has_factor, for_admin=for_admin)


def version_of(person: Person) -> str:
    """The ETag of what admins edit of a person."""
    return etag_of([person.role, sorted(person.duties), person.disabled_at])


def link_to(request: Request, what: str, secret: str) -> str:
    """The address of a one-time link, as people reach this console."""
    base = parts_of(request)[ServerSettings].base_url or str(request.base_url)
    return f"{base.rstrip('/')}/{what}/{secret}"


def _answer(view: PersonView, version: str) -> Response:
    return with_etag(Response(view.model_dump_json(), media_type="application/json"), version)
