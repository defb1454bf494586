"""The second step of a sign-in, signing in with a passkey, and showing once more who one is."""

# Annotations are kept as objects for FastAPI.
import math
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Form, Request
from pydantic import Field
from starlette.responses import JSONResponse, RedirectResponse, Response

from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.parts import part, parts_of
from watchkeeper.kernel.web.wire import PageForm, StrictModel, page_router
from watchkeeper.modules.identity import store, store_factors
from watchkeeper.modules.identity.cookies import SessionCookie
from watchkeeper.modules.identity.errors import ChallengeGone, CodeRefused, SignInPaused, WrongPassword
from watchkeeper.modules.identity.factors import Checked, Factors
from watchkeeper.modules.identity.model import SignInMethod, local_path
from watchkeeper.modules.identity.pages import (
    Anybody,
    Cookie,
    Db,
    Desk,
    Now,
    SecretForm,
    Somebody,
    challenge_cookie,
    peer_of,
    welcome,
)
from watchkeeper.modules.identity.passkeys import Passkeys, RelyingParty
from watchkeeper.modules.identity.permissions import own_session
from watchkeeper.modules.identity.service import Identity

router = page_router()
Key = Annotated[InstallationKey, part(InstallationKey)]


class CodeForm(PageForm):
    code: str = Field("", max_length=100)
    next: str = ""


class ProofForm(SecretForm):
    password: str = ""
    code: str = Field("", max_length=100)
    next: str = ""


class PasskeyAnswer(StrictModel):
    """What the browser's authenticator answered."""

    credential: dict[str, Any]
    next: str = Field("", max_length=2000)


def party_of(request: Request) -> RelyingParty:
    """This console as this browser knows it. Passkeys are bound to the host."""
    base_url = parts_of(request)[ServerSettings].base_url
    if base_url:
        from urllib.parse import urlsplit

        parsed = urlsplit(base_url)
        return RelyingParty(parsed.hostname or "", f"{parsed.scheme}://{parsed.netloc}")
    return RelyingParty(request.url.hostname or "", f"{request.url.scheme}://{request.url.netloc}")


def begun_in(request: Request, cookie: SessionCookie) -> str:
    """The secret of what this browser has begun. Raises ChallengeGone."""
    secret = request.cookies.get(cookie.challenge_name)
    if not secret:
        raise ChallengeGone
    return secret


def require_fit(checked: Checked) -> None:
    """Raises SignInPaused or CodeRefused for a code that did not fit."""
    if checked.wait > timedelta(0):
        seconds = math.ceil(checked.wait.total_seconds())
        raise SignInPaused(f"Too many wrong codes. Try again in {seconds} s.", retry_after_seconds=seconds)
    if checked.method is None:
        raise CodeRefused


# --- the second step of a sign-in ---


@router.get("/login/second")
async def second_page(request: Request, who: Anybody, cookie: Cookie, next: str = "") -> Response:  # noqa: A002
    """Ask for a second factor; the password was right."""
    begun_in(request, cookie)
    return _second(request, local_path(next, ""))


@router.post("/login/second")
async def second_step(
    request: Request, who: Anybody, form: Annotated[CodeForm, Form()], desk: Desk, cookie: Cookie, key: Key
) -> Response:
    """Finish the sign-in with a code of the app or a recovery code."""
    secret, peer, before = begun_in(request, cookie), peer_of(request), request.cookies.get(cookie.name)
    checked = await desk.db.write(
        lambda db: Factors(db, desk.clock, desk.settings, key).second_step(secret, form.code, peer, before)
    )
    try:
        require_fit(checked)
    except (CodeRefused, SignInPaused) as refusal:
        return _second(request, local_path(form.next, ""), refusal)
    assert checked.signed_in is not None  # noqa: S101 (for mypy: the code fitted)
    return challenge_cookie(cookie, None, welcome(checked.signed_in, cookie, local_path(form.next)))


def _second(request: Request, next_path: str, refusal: Refusal | None = None) -> Response:
    status = refusal.status if refusal else 200
    response = render(request, "identity/second.html", status=status, next=next_path, refusal=refusal)
    response.headers.update(refusal.headers if refusal else {})
    return response


@router.post("/login/passkey/options")
async def passkey_options(request: Request, who: Anybody, db: Db, clock: Now, cookie: Cookie) -> Response:
    """What the browser's authenticator is asked for a sign-in."""
    party = party_of(request)
    secret, options = await db.write(lambda session: Passkeys(session, clock, party).begin_use())
    return challenge_cookie(cookie, secret, JSONResponse(options))


@router.post("/login/passkey")
async def passkey_sign_in(
    request: Request, who: Anybody, answer: PasskeyAnswer, desk: Desk, cookie: Cookie
) -> Response:
    """Sign in with a passkey: possession of the device and its owner's finger or PIN are two factors."""
    secret, peer, party = begun_in(request, cookie), peer_of(request), party_of(request)
    before = request.cookies.get(cookie.name)

    def run(db: Any) -> Any:
        person = Passkeys(db, desk.clock, party).use(secret, answer.credential)
        identity = Identity(db, desk.clock, desk.settings)
        return identity.begin_session(person, peer, SignInMethod.PASSKEY, before)

    signed_in = await desk.db.write(run)
    response = JSONResponse({"next": local_path(answer.next)})
    cookie.give(response, signed_in.secret)
    return challenge_cookie(cookie, None, response)


# --- showing once more who one is ---


@router.get("/account/prove")
async def prove_page(request: Request, who: Somebody, desk: Desk, next: str = "") -> Response:  # noqa: A002
    """Ask for something only the account's owner has."""
    return await _prove(request, who, desk, local_path(next, "/account"))


@router.post("/account/prove")
async def prove(
    request: Request, who: Somebody, form: Annotated[ProofForm, Form()], desk: Desk, cookie: Cookie, key: Key
) -> Response:
    """By password, by a code of the app, or by a recovery code."""
    person_id, session_id = own_session(who)
    target = local_path(form.next, "/account")
    try:
        if form.password or not form.code:
            secret = await desk.prove(person_id, session_id, password=form.password)
        else:
            secret = await _prove_by_code(request, person_id, session_id, form.code, desk, key)
    except (WrongPassword, CodeRefused, SignInPaused) as refusal:
        return await _prove(request, who, desk, target, refusal)
    response = RedirectResponse(target, status_code=303)
    cookie.give(response, secret)
    return response


@router.post("/account/prove/passkey/options")
async def prove_options(request: Request, who: Somebody, db: Db, clock: Now, cookie: Cookie) -> Response:
    """What the authenticator is asked, for one's own passkeys only."""
    (person_id, _), party = own_session(who), party_of(request)
    secret, options = await db.write(lambda session: Passkeys(session, clock, party).begin_use(person_id))
    return challenge_cookie(cookie, secret, JSONResponse(options))


@router.post("/account/prove/passkey")
async def prove_by_passkey(
    request: Request, who: Somebody, answer: PasskeyAnswer, desk: Desk, cookie: Cookie
) -> Response:
    """By a passkey of one's own."""
    (person_id, session_id), party, begun = own_session(who), party_of(request), begun_in(request, cookie)

    def run(db: Any) -> str:
        person = Passkeys(db, desk.clock, party).use(begun, answer.credential)
        if person.id != person_id:
            raise ChallengeGone
        return Identity(db, desk.clock, desk.settings).prove_again(person_id, session_id, SignInMethod.PASSKEY)

    secret = await desk.db.write(run)
    response = JSONResponse({"next": local_path(answer.next, "/account")})
    cookie.give(response, secret)
    return challenge_cookie(cookie, None, response)


async def _prove_by_code(
    request: Request, person_id: str, session_id: str, code: str, desk: Desk, key: InstallationKey
) -> str:
    peer = peer_of(request)

    def run(db: Any) -> tuple[Checked, str]:
        checked = Factors(db, desk.clock, desk.settings, key).check(person_id, code, peer)
        identity = Identity(db, desk.clock, desk.settings)
        return checked, identity.prove_again(person_id, session_id, checked.method) if checked.method else ""

    checked, secret = await desk.db.write(run)
    require_fit(checked)
    return secret


async def _prove(request: Request, who: Actor, desk: Desk, target: str, refusal: Refusal | None = None) -> Response:
    person_id, _ = own_session(who)
    person, has_factor = await desk.db.ask(
        lambda db: (store.person(db, person_id), store_factors.has_factor(db, person_id))
    )
    response = render(
        request,
        "identity/prove.html",
        status=refusal.status if refusal else 200,
        next=target,
        person=person,
        has_factor=has_factor,
        refusal=refusal,
    )
    response.headers.update(refusal.headers if refusal else {})
    return response
