"""The pages behind one-time links of admins: an invitation, and a new password."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, TypeVar

from fastapi import Form, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.identity.errors import LinkDead, PasswordRefused, PersonRefused
from watchkeeper.modules.identity.front_desk import require_no_wait
from watchkeeper.modules.identity.model import Attempt
from watchkeeper.modules.identity.pages import Anybody, Cookie, Desk, SecretForm, peer_of, welcome
from watchkeeper.modules.identity.passwords import LONGEST, SHORTEST
from watchkeeper.modules.identity.people import HINT, People
from watchkeeper.modules.identity.service import Identity

router = page_router()
T = TypeVar("T")


class AcceptForm(SecretForm):
    name: str = ""
    password: str = ""
    again: str = ""


@router.get("/invite/{secret}")
async def invitation_page(request: Request, who: Anybody, secret: str, desk: Desk) -> Response:
    """What somebody was invited as. Looking does not use the link up."""
    return await _invitation(request, secret, desk, AcceptForm(), {}, 200)


@router.post("/invite/{secret}")
async def accept(
    request: Request, who: Anybody, secret: str, form: Annotated[AcceptForm, Form()], desk: Desk, cookie: Cookie
) -> Response:
    """Make the account and sign in."""
    await _found(request, desk, lambda people: people.invitation(secret))
    if form.password != form.again:
        errors = {"again": "The two passwords are not the same."}
        return await _invitation(request, secret, desk, form, errors, 422)
    try:
        signed_in = await desk.accept(secret, name=form.name, password=form.password, peer=peer_of(request))
    except (PasswordRefused, PersonRefused) as refusal:
        errors = {one.where: one.expected for one in refusal.complaints}
        return await _invitation(request, secret, desk, form, errors, refusal.status)
    return welcome(signed_in, cookie, "/")


@router.get("/reset/{secret}")
async def reset_page(request: Request, who: Anybody, secret: str, desk: Desk) -> Response:
    """The form for a new password."""
    return await _reset(request, secret, desk, {}, 200)


@router.post("/reset/{secret}")
async def reset(
    request: Request, who: Anybody, secret: str, form: Annotated[AcceptForm, Form()], desk: Desk
) -> Response:
    """Set it. A second factor, where there is one, is still asked at the sign-in that follows."""
    await _found(request, desk, lambda people: people.reset_of(secret))
    if form.password != form.again:
        return await _reset(request, secret, desk, {"again": "The two passwords are not the same."}, 422)
    try:
        await desk.reset_password(secret, password=form.password)
    except PasswordRefused as refusal:
        errors = {one.where: one.expected for one in refusal.complaints}
        return await _reset(request, secret, desk, errors, refusal.status)
    return RedirectResponse("/login", status_code=303)


async def _invitation(
    request: Request, secret: str, desk: Desk, form: AcceptForm, errors: dict[str, str], status: int
) -> Response:
    found = await _found(request, desk, lambda people: people.invitation(secret))
    return render(
        request,
        "identity/invite.html",
        status=status,
        invitation=found,
        name=form.name,
        errors=errors,
        shortest=SHORTEST,
        longest=LONGEST,
    )


async def _reset(request: Request, secret: str, desk: Desk, errors: dict[str, str], status: int) -> Response:
    person = await _found(request, desk, lambda people: people.reset_of(secret))
    return render(request, "identity/reset.html", status=status, person=person, errors=errors, shortest=SHORTEST)


async def _found(request: Request, desk: Desk, look: Callable[[People], T]) -> T:
    """What the link leads to. Raises LinkDead, or SignInPaused for an address that tried too many dead ones."""
    peer = peer_of(request)

    def run(db: Session) -> tuple[Attempt, T | None]:
        identity = Identity(db, desk.clock, desk.settings)
        attempt = identity.count_link(peer)
        if attempt.wait > timedelta(0):
            return attempt, None
        try:
            found = look(People(db, desk.clock, desk.settings))
        except LinkDead:
            # Answered rather than raised: the count has to stay.
            return attempt, None
        identity.forgive_one(attempt)
        return attempt, found

    attempt, found = await desk.db.write(run)
    require_no_wait(attempt)
    if found is None:
        raise LinkDead(HINT)
    return found
