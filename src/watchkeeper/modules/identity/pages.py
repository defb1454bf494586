"""The pages by which people come in and go out."""

# Annotations are kept as objects for FastAPI.
import ipaddress
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Form, Request
from pydantic import ConfigDict
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.web.access import Actor, public, requires
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.parts import clock_part, database_part, part, parts_of
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import store
from watchkeeper.modules.identity.cookies import SessionCookie
from watchkeeper.modules.identity.errors import PasswordRefused, PersonRefused, SignInPaused, SignInRefused
from watchkeeper.modules.identity.front_desk import FrontDesk
from watchkeeper.modules.identity.model import HalfSignedIn, Peer, SignedIn, describe_device, local_path
from watchkeeper.modules.identity.passwords import LONGEST, SHORTEST
from watchkeeper.modules.identity.permissions import USE_ACCOUNT, own_session
from watchkeeper.modules.identity.service import Identity
from watchkeeper.modules.identity.settings import IdentitySettings

router = page_router()

Desk = Annotated[FrontDesk, part(FrontDesk)]
Cookie = Annotated[SessionCookie, part(SessionCookie)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
Anybody = Annotated[Actor | None, public("nobody is signed in before signing in")]
Somebody = Annotated[Actor, requires(USE_ACCOUNT)]


class SecretForm(PageForm):
    """A form with a password in it: spaces around it belong to it."""

    model_config = ConfigDict(str_strip_whitespace=False)


class SignInForm(SecretForm):
    email: str = ""
    password: str = ""
    next: str = ""


class SetupForm(SecretForm):
    name: str = ""
    email: str = ""
    password: str = ""
    again: str = ""


def peer_of(request: Request) -> Peer:
    """Who is calling, in words that are safe to keep and to show."""
    host = request.client.host if request.client else ""
    try:
        address = str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        address = "unknown"
    return Peer(address, describe_device(request.headers.get("user-agent", "")))


def welcome(signed_in: SignedIn, cookie: SessionCookie, target: str) -> Response:
    """Send the browser on with its new session."""
    response = RedirectResponse(target, status_code=303)
    cookie.give(response, signed_in.secret)
    cookie.take_begun(response)
    return response


# --- sign-in ---


@router.get("/login")
async def login_page(request: Request, who: Anybody, db: Db, next: str = "") -> Response:  # noqa: A002 (the query's name)
    """The sign-in form; who is signed in already goes on."""
    if who is not None and who.kind == "person":
        return RedirectResponse(local_path(next), status_code=303)
    return await _login_form(request, db, next_path=local_path(next, ""))


@router.post("/login")
async def sign_in(
    request: Request, who: Anybody, form: Annotated[SignInForm, Form()], desk: Desk, cookie: Cookie, db: Db
) -> Response:
    """Start a session, always a new one; the browser's earlier session ends."""
    before = request.cookies.get(cookie.name)
    try:
        signed_in = await desk.sign_in(form.email, form.password, peer_of(request), replaces=before)
    except (SignInRefused, SignInPaused) as refusal:
        return await _login_form(request, db, next_path=local_path(form.next, ""), email=form.email, refusal=refusal)
    if isinstance(signed_in, HalfSignedIn):
        target = f"/login/second?{urlencode({'next': local_path(form.next)})}"
        response = RedirectResponse(target, status_code=303)
        cookie.give_begun(response, cookie.half_name, signed_in.secret)
        return response
    return welcome(signed_in, cookie, local_path(form.next))


async def _login_form(
    request: Request, db: Database, *, next_path: str, email: str = "", refusal: Refusal | None = None
) -> Response:
    is_set_up = await db.ask(lambda session: store.has_people(session))
    response = render(
        request,
        "identity/login.html",
        status=refusal.status if refusal else 200,
        next=next_path,
        email=email,
        refusal=refusal,
        is_set_up=is_set_up,
        provider=parts_of(request)[IdentitySettings].provider_name,
    )
    response.headers.update(refusal.headers if refusal else {})
    return response


@router.post("/logout")
async def sign_out(who: Somebody, db: Db, clock: Now, cookie: Cookie, desk: Desk) -> Response:
    """End this session."""
    person_id, session_id = own_session(who)
    await db.write(lambda session: Identity(session, clock, desk.settings).sign_out(person_id, session_id))
    response = RedirectResponse("/login", status_code=303)
    cookie.take(response)
    return response


# --- the first person ---


@router.get("/setup/{secret}")
async def setup_page(request: Request, who: Anybody, secret: str, desk: Desk, clock: Now, db: Db) -> Response:
    """The form for the first person. Looking at it does not use the link up."""
    await db.ask(lambda session: Identity(session, clock, desk.settings).require_setup_link(secret))
    return _setup_form(request, SetupForm(), {}, 200)


@router.post("/setup/{secret}")
async def set_up(
    request: Request, who: Anybody, secret: str, form: Annotated[SetupForm, Form()], desk: Desk, cookie: Cookie
) -> Response:
    """Make the first person, an admin, and sign them in."""
    if form.password != form.again:
        return _setup_form(request, form, {"again": "The two passwords are not the same."}, 422)
    try:
        signed_in = await desk.set_up(
            secret, name=form.name, email=form.email, password=form.password, peer=peer_of(request)
        )
    except (PasswordRefused, PersonRefused) as refusal:
        return _setup_form(request, form, {one.where: one.expected for one in refusal.complaints}, refusal.status)
    return welcome(signed_in, cookie, "/")


def _setup_form(request: Request, form: SetupForm, errors: dict[str, str], status: int) -> Response:
    return render(
        request,
        "identity/setup.html",
        status=status,
        name=form.name,
        email=form.email,
        errors=errors,
        shortest=SHORTEST,
        longest=LONGEST,
    )


# --- a one-time link ---


@router.get("/login/link/{secret}")
async def link_page(request: Request, who: Anybody, secret: str, desk: Desk, clock: Now, db: Db) -> Response:
    """Ask before the link is used: mail and chat programs fetch links to preview them, and must not burn it."""
    _, person = await db.ask(lambda session: Identity(session, clock, desk.settings).require_login_link(secret))
    return render(request, "identity/link.html", person=person)


@router.post("/login/link/{secret}")
async def use_link(
    request: Request, who: Anybody, secret: str, desk: Desk, clock: Now, cookie: Cookie, db: Db
) -> Response:
    """Use the link up and start a session."""
    peer, before = peer_of(request), request.cookies.get(cookie.name)
    signed_in = await db.write(
        lambda session: Identity(session, clock, desk.settings).use_login_link(secret, peer, before)
    )
    return welcome(signed_in, cookie, "/")
