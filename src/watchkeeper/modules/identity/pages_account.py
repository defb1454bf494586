"""A person's own account: sessions and password."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Form, Request
from pydantic import Field
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import store
from watchkeeper.modules.identity.errors import (
    FactorNeeded,
    PasswordRefused,
    PersonRefused,
    SignInPaused,
    WrongPassword,
)
from watchkeeper.modules.identity.factors import factor_state
from watchkeeper.modules.identity.front_desk import FrontDesk
from watchkeeper.modules.identity.pages import Cookie, Db, Desk, Now, SecretForm, Somebody
from watchkeeper.modules.identity.pages_factors import Proven, require_person
from watchkeeper.modules.identity.passwords import LONGEST, SHORTEST, SHORTEST_WITH_FACTOR
from watchkeeper.modules.identity.permissions import own_session
from watchkeeper.modules.identity.service import Identity

router = page_router()

_DONE = {
    "password": "The password is changed. Every other session has ended.",
    "email": "The e-mail address is changed.",
    "ended": "The session has ended.",
    "others": "Every other session has ended.",
}


class EmailForm(PageForm):
    email: str = Field("", max_length=1000)


class PasswordForm(SecretForm):
    current: str = ""
    new: str = ""
    again: str = ""


@router.get("/account")
async def account_page(request: Request, who: Somebody, desk: Desk, done: str = "") -> Response:
    """Who I am here, where I am signed in, my password."""
    return await _account(request, who, desk, message=_DONE.get(done))


@router.post("/account/password")
async def change_password(
    request: Request, who: Somebody, form: Annotated[PasswordForm, Form()], desk: Desk, cookie: Cookie
) -> Response:
    """Change the password and end every other session."""
    person_id, session_id = own_session(who)
    if form.new != form.again:
        return await _account(
            request, who, desk, errors={"again": "The two new passwords are not the same."}, status=422
        )
    try:
        secret = await desk.change_password(person_id, session_id, current=form.current, new=form.new)
    except (WrongPassword, SignInPaused, PasswordRefused, FactorNeeded) as refusal:
        field = "new" if isinstance(refusal, PasswordRefused | FactorNeeded) else "current"
        return await _account(
            request, who, desk, errors={field: refusal.detail}, status=refusal.status, refusal=refusal
        )
    response = RedirectResponse("/account?done=password", status_code=303)
    cookie.give(response, secret)
    return response


@router.post("/account/email")
async def change_email(
    request: Request, who: Proven, form: Annotated[EmailForm, Form()], desk: Desk, db: Db, clock: Now
) -> Response:
    """Change the address that one signs in with."""
    person_id, _ = own_session(who)
    try:
        await db.write(
            lambda session: Identity(session, clock, desk.settings).change_email(
                require_person(session, person_id), form.email
            )
        )
    except PersonRefused as refusal:
        errors = {one.where: one.expected for one in refusal.complaints}
        return await _account(request, who, desk, errors=errors, status=refusal.status)
    return RedirectResponse("/account?done=email", status_code=303)


@router.post("/account/sessions/{session_id}/end")
async def end_session(who: Somebody, session_id: str, db: Db, clock: Now, desk: Desk) -> Response:
    """End one session of one's own."""
    person_id, _ = own_session(who)
    await db.write(lambda session: Identity(session, clock, desk.settings).end_session(person_id, session_id))
    return RedirectResponse("/account?done=ended", status_code=303)


@router.post("/account/sessions/end-others")
async def end_others(who: Somebody, db: Db, clock: Now, desk: Desk) -> Response:
    """End every session of one's own but this one."""
    person_id, session_id = own_session(who)
    await db.write(lambda session: Identity(session, clock, desk.settings).end_others(person_id, session_id))
    return RedirectResponse("/account?done=others", status_code=303)


async def _account(
    request: Request,
    who: Actor,
    desk: FrontDesk,
    *,
    errors: dict[str, str] | None = None,
    message: str | None = None,
    status: int = 200,
    refusal: Refusal | None = None,
) -> Response:
    person_id, session_id = own_session(who)
    person, sessions, factors = await desk.db.ask(
        lambda session: (
            store.person(session, person_id),
            Identity(session, desk.clock, desk.settings).own_sessions(person_id),
            factor_state(session, person_id),
        )
    )
    response = render(
        request,
        "identity/account.html",
        status=status,
        person=person,
        sessions=sessions,
        this_session=session_id,
        errors=errors or {},
        message=message,
        factors=factors,
        shortest=SHORTEST_WITH_FACTOR if factors.any else SHORTEST,
        longest=LONGEST,
    )
    response.headers.update(refusal.headers if refusal else {})
    return response
