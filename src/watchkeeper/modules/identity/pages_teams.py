"""Pages of teams and of service accounts."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Form, Path, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.errors import Conflict, Invalid, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.parts import parts_of
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.identity import store, store_people, store_teams
from watchkeeper.modules.identity.accounts import ServiceAccounts
from watchkeeper.modules.identity.pages_people import ChangedMeanwhile, ReasonForm, errors_of
from watchkeeper.modules.identity.permissions import MANAGE_PEOPLE
from watchkeeper.modules.identity.routes_people import Admin, Authentication, Db, Now, ProvenAdmin, Viewer
from watchkeeper.modules.identity.routes_teams import account_view, teams_of
from watchkeeper.modules.identity.teams import TeamHoldings
from watchkeeper.modules.identity.wire_people import TeamView, version_of_team

router = page_router()


class NamedForm(ReasonForm):
    name: str = Field("", max_length=1_000)
    description: str = Field("", max_length=2_000)


class DescribeForm(ReasonForm):
    description: str = Field("", max_length=2_000)
    version: str = Field("", max_length=100)


class MemberForm(ReasonForm):
    member: str = Field("", max_length=100)


@router.get("/settings/teams")
async def teams_page(request: Request, who: Viewer, db: Db) -> Response:
    """Teams and who is in them."""
    return await _teams(request, who, db)


@router.post("/settings/teams")
async def make_team(
    request: Request, who: ProvenAdmin, form: Annotated[NamedForm, Form()], db: Db, clock: Now
) -> Response:
    """Make a team."""

    def run(session: Session) -> None:
        teams_of(session, clock, who).create(form.name, form.description, reason=form.why())

    try:
        await db.write(run)
    except Invalid as refusal:
        return await _teams(request, who, db, refusal=refusal, form=form)
    return RedirectResponse(f"/settings/teams/{quote(form.name)}", status_code=303)


@router.get("/settings/teams/{name}")
async def team_page(request: Request, who: Viewer, name: str, db: Db, clock: Now) -> Response:
    """One team: who is in it and what it owns."""
    return await _team(request, who, name, db, clock)


@router.post("/settings/teams/{name}/describe")
async def describe(
    request: Request, who: ProvenAdmin, name: str, form: Annotated[DescribeForm, Form()], db: Db, clock: Now
) -> Response:
    """Say something else about it."""

    def run(session: Session) -> None:
        teams, reason = teams_of(session, clock, who), form.why()
        if form.version != version_of_team(teams.get(name, lock=True)):
            raise ChangedMeanwhile("Somebody else changed this team meanwhile; look again before you change more.")
        teams.describe(name, form.description, reason=reason)

    return await _change_team(request, who, name, db, clock, run)


@router.post("/settings/teams/{name}/join")
async def join(
    request: Request,
    who: ProvenAdmin,
    name: str,
    form: Annotated[MemberForm, Form()],
    db: Db,
    clock: Now,
    authentication: Authentication,
) -> Response:
    """Bring somebody in."""

    def run(session: Session) -> None:
        teams_of(session, clock, who).join(name, form.member, reason=form.why())

    answer = await _change_team(request, who, name, db, clock, run)
    authentication.forget_account(form.member)
    return answer


@router.post("/settings/teams/{name}/leave")
async def leave(
    request: Request,
    who: ProvenAdmin,
    name: str,
    form: Annotated[MemberForm, Form()],
    db: Db,
    clock: Now,
    authentication: Authentication,
) -> Response:
    """Take somebody out."""

    def run(session: Session) -> None:
        teams_of(session, clock, who).leave(name, form.member, reason=form.why())

    answer = await _change_team(request, who, name, db, clock, run)
    authentication.forget_account(form.member)
    return answer


@router.post("/settings/teams/{name}/delete")
async def delete(
    request: Request, who: ProvenAdmin, name: str, form: Annotated[ReasonForm, Form()], db: Db, clock: Now
) -> Response:
    """Take a team away that owns nothing."""
    holdings = parts_of(request).find(TeamHoldings)

    def run(session: Session) -> None:
        teams_of(session, clock, who).delete(name, reason=form.why(), holdings=holdings)

    return await _change_team(request, who, name, db, clock, run, then="/settings/teams")


# --- service accounts ---


@router.get("/settings/service-accounts")
async def accounts_page(request: Request, who: Admin, db: Db) -> Response:
    """Programs with a name, and the form for a new one."""
    return await _accounts(request, db)


@router.post("/settings/service-accounts")
async def make_account(
    request: Request, who: ProvenAdmin, form: Annotated[NamedForm, Form()], db: Db, clock: Now
) -> Response:
    """Make a service account."""

    def run(session: Session) -> str:
        accounts = ServiceAccounts(session, clock)
        return accounts.create(form.name, form.description, reason=form.why(), by=who).id

    try:
        made = await db.write(run)
    except Invalid as refusal:
        return await _accounts(request, db, refusal=refusal, form=form)
    return RedirectResponse(f"/settings/service-accounts/{made}", status_code=303)


@router.get("/settings/service-accounts/{account_id}")
async def account_page(request: Request, who: Admin, account_id: str, db: Db, clock: Now) -> Response:
    """One service account: its teams, its tokens, and the switch."""
    return await _account(request, account_id, db, clock)


@router.post("/settings/service-accounts/{account_id}/describe")
async def describe_account(
    request: Request, who: ProvenAdmin, account_id: str, form: Annotated[NamedForm, Form()], db: Db, clock: Now
) -> Response:
    """Call it otherwise."""

    def run(session: Session) -> None:
        accounts = ServiceAccounts(session, clock)
        accounts.describe(account_id, form.name, form.description, reason=form.why(), by=who)

    return await _change_account(request, account_id, db, clock, run)


@router.post("/settings/service-accounts/{account_id}/{switch}")
async def switch_account(
    request: Request,
    who: ProvenAdmin,
    account_id: str,
    switch: Annotated[str, Path(pattern="^(enable|disable)$")],
    form: Annotated[ReasonForm, Form()],
    db: Db,
    clock: Now,
    authentication: Authentication,
) -> Response:
    """Disable or enable it with all its tokens."""

    def run(session: Session) -> None:
        accounts = ServiceAccounts(session, clock)
        accounts.switch(account_id, enabled=switch == "enable", reason=form.why(), by=who)

    answer = await _change_account(request, account_id, db, clock, run)
    authentication.forget_account(account_id)
    return answer


# --- inside ---


async def _change_team(
    request: Request,
    who: Actor,
    name: str,
    db: Db,
    clock: Now,
    run: Callable[[Session], None],
    then: str | None = None,
) -> Response:
    try:
        await db.write(run)
    except (Invalid, Conflict) as refusal:
        return await _team(request, who, name, db, clock, refusal=refusal)
    return RedirectResponse(then or f"/settings/teams/{quote(name)}", status_code=303)


async def _change_account(
    request: Request, account_id: str, db: Db, clock: Now, run: Callable[[Session], None]
) -> Response:
    try:
        await db.write(run)
    except (Invalid, Conflict) as refusal:
        return await _account(request, account_id, db, clock, refusal=refusal)
    return RedirectResponse(f"/settings/service-accounts/{quote(account_id)}", status_code=303)


async def _teams(
    request: Request, who: Actor, db: Db, *, refusal: Refusal | None = None, form: NamedForm | None = None
) -> Response:
    return render(
        request,
        "identity/teams.html",
        status=refusal.status if refusal else 200,
        teams=await db.ask(store_teams.all_teams),
        for_admin=who.may(MANAGE_PEOPLE),
        form=form or NamedForm.model_validate({}),
        errors=errors_of(refusal),
    )


async def _team(
    request: Request, who: Actor, name: str, db: Db, clock: Now, *, refusal: Refusal | None = None
) -> Response:
    holdings = parts_of(request).find(TeamHoldings) or TeamHoldings()

    def read(session: Session) -> dict[str, Any]:
        team = teams_of(session, clock, who).get(name)
        called = {one.id: one.name for one in store_people.accounts(session)}
        called = {one.id: one.name for one in store.all_people(session) if one.disabled_at is None} | called
        names = {one.id: one.name for one in store.all_people(session)} | called
        return {
            "team": TeamView.of(team),
            "names": names,
            "others": {one: said for one, said in called.items() if one not in team.members},
            "owned": holdings.of(session, name),
        }

    return render(
        request,
        "identity/team.html",
        status=refusal.status if refusal else 200,
        for_admin=who.may(MANAGE_PEOPLE),
        errors=errors_of(refusal),
        **await db.ask(read),
    )


async def _accounts(
    request: Request, db: Db, *, refusal: Refusal | None = None, form: NamedForm | None = None
) -> Response:
    def read(session: Session) -> list[Any]:
        return [account_view(session, one) for one in store_people.accounts(session)]

    return render(
        request,
        "identity/service_accounts.html",
        status=refusal.status if refusal else 200,
        accounts=await db.ask(read),
        form=form or NamedForm.model_validate({}),
        errors=errors_of(refusal),
    )


async def _account(
    request: Request, account_id: str, db: Db, clock: Now, *, refusal: Refusal | None = None
) -> Response:
    def read(session: Session) -> dict[str, Any]:
        account = ServiceAccounts(session, clock).get(account_id)
        return {"account": account_view(session, account), "tokens": store.tokens_of_account(session, account_id)}

    return render(
        request,
        "identity/service_account.html",
        status=refusal.status if refusal else 200,
        errors=errors_of(refusal),
        **await db.ask(read),
    )
