"""The API of teams and service accounts."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Request, Response
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.etag import check_match
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.parts import parts_of
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.identity import store_people, store_teams
from watchkeeper.modules.identity.accounts import ServiceAccounts
from watchkeeper.modules.identity.people import SOURCES
from watchkeeper.modules.identity.routes_people import Admin, Authentication, Db, Now, ProvenAdmin, Viewer, Why
from watchkeeper.modules.identity.store_people import ServiceAccount
from watchkeeper.modules.identity.teams import TeamHoldings, Teams
from watchkeeper.modules.identity.wire_people import (
    AccountEdit,
    AccountsView,
    AccountView,
    NewAccount,
    NewTeam,
    TeamEdit,
    TeamsView,
    TeamView,
    version_of_team,
)

router = api_router("teams")


@router.get("/teams")
async def list_teams(who: Viewer, db: Db) -> TeamsView:
    """Every team and who is in it."""
    return TeamsView(items=[TeamView.of(one) for one in await db.ask(store_teams.all_teams)])


@router.post("/teams", status_code=201, response_model=TeamView)
async def make_team(who: ProvenAdmin, order: NewTeam, db: Db, clock: Now, once: Annotated[Once, once()]) -> Response:
    """Make a team. From now on only its members and admins change services whose owner has its name."""

    def make(session: Session) -> Answer:
        made = teams_of(session, clock, who).create(order.name, order.description, reason=order.reason)
        return Answer(TeamView.of(made).model_dump(mode="json"))

    return (await db.write(lambda session: once.run(session, lambda: make(session)))).response()


@router.patch("/teams/{name}")
async def edit_team(who: ProvenAdmin, request: Request, name: str, order: TeamEdit, db: Db, clock: Now) -> TeamView:
    """Say something else about a team. `If-Match` with the `version` that was read guards against overwriting."""

    def change(session: Session) -> TeamView:
        teams = teams_of(session, clock, who)
        check_match(request, version_of_team(teams.get(name, lock=True)))
        return TeamView.of(teams.describe(name, order.description, reason=order.reason))

    return await db.write(change)


@router.delete("/teams/{name}", status_code=204)
async def delete_team(who: ProvenAdmin, request: Request, name: str, db: Db, clock: Now, reason: Why) -> None:
    """Delete a team that owns nothing."""
    holdings = parts_of(request).find(TeamHoldings)
    await db.write(lambda session: teams_of(session, clock, who).delete(name, reason=reason, holdings=holdings))


@router.put("/teams/{name}/members/{member_id}")
async def join_team(
    who: ProvenAdmin, name: str, member_id: str, db: Db, clock: Now, authentication: Authentication, reason: Why
) -> TeamView:
    """Bring a person or a service account into a team. A service account's tokens follow within 5 s everywhere."""
    view = await db.write(
        lambda session: TeamView.of(teams_of(session, clock, who).join(name, member_id, reason=reason))
    )
    authentication.forget_account(member_id)
    return view


@router.delete("/teams/{name}/members/{member_id}")
async def leave_team(
    who: ProvenAdmin, name: str, member_id: str, db: Db, clock: Now, authentication: Authentication, reason: Why
) -> TeamView:
    """Take somebody out of a team. A service account's tokens follow within 5 s everywhere."""
    view = await db.write(
        lambda session: TeamView.of(teams_of(session, clock, who).leave(name, member_id, reason=reason))
    )
    authentication.forget_account(member_id)
    return view


@router.get("/service-accounts")
async def list_accounts(who: Admin, db: Db) -> AccountsView:
    """Every service account. Its tokens are among the tokens, by `account_id`."""
    return await db.ask(
        lambda session: AccountsView(items=[account_view(session, one) for one in store_people.accounts(session)])
    )


@router.post("/service-accounts", status_code=201, response_model=AccountView)
async def make_account(
    who: ProvenAdmin, order: NewAccount, db: Db, clock: Now, once: Annotated[Once, once()]
) -> Response:
    """Make a service account: a program that can be in teams and whose tokens are switched off together."""

    def make(session: Session) -> Answer:
        accounts = ServiceAccounts(session, clock)
        made = accounts.create(order.name, order.description, reason=order.reason, by=who)
        return Answer(account_view(session, made).model_dump(mode="json"))

    return (await db.write(lambda session: once.run(session, lambda: make(session)))).response()


@router.patch("/service-accounts/{account_id}")
async def edit_account(
    who: ProvenAdmin, account_id: str, order: AccountEdit, db: Db, clock: Now, authentication: Authentication
) -> AccountView:
    """Call a service account otherwise; disable or enable it with all its tokens, which every replica knows in 5 s."""

    def change(session: Session) -> AccountView:
        accounts = ServiceAccounts(session, clock)
        found = accounts.get(account_id, lock=True)
        name = found.name if order.name is None else order.name
        description = found.description if order.description is None else order.description
        found = accounts.describe(account_id, name, description, reason=order.reason, by=who)
        if order.disabled is not None:
            found = accounts.switch(account_id, enabled=not order.disabled, reason=order.reason, by=who)
        return account_view(session, found)

    view = await db.write(change)
    authentication.forget_account(account_id)
    return view


def account_view(session: Session, account: ServiceAccount) -> AccountView:
    """The account with its teams."""
    return AccountView.of(account, store_teams.names_of(session, account.id))


def teams_of(session: Session, clock: Clock, who: Actor) -> Teams:
    """The verbs on teams, done by this actor."""
    return Teams(session, clock.now(), by=who.id, source=SOURCES.get(who.kind, "api"))
