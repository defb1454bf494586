"""The second step of a sign-in, signing in with a passkey, and showing once more who one is."""

# Annotations are kept as objects for FastAPI.
import math
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Form, Request
from pydantic import Field
from sqlalchemy.orm import Session
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
from watchkeeper.modules.identity.errors import ChallengeGone, CodeRefused, PasskeyRefused, SignInPaused, WrongPassword
from watchkeeper.modules.identity.factors import Checked, Factors
from watchkeeper.modules.identity.model import SignInMethod, local_path
from watchkeeper.modules.identity.pages import (
    Anybody,
    Cookie,
    Desk,
    SecretForm,
    Somebody,
    peer_of,
    welcome,
)
from watchkeeper.modules.identity.passkeys import Passkeys, RelyingParty, Use
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
    """This console as this browser knows it: by `base_url`, or by the address it was asked under."""
    return RelyingParty.at(parts_of(request)[ServerSettings].base_url or str(request.base_url))


def begun_in(request: Request, name: str) -> str:
    """The secret of what this browser has begun, in the cookie of this name. Raises ChallengeGone."""
    secret = request.cookies.get(name)
    if not secret:
        raise ChallengeGone
    return secret


def require_fit(checked: Checked) -> SignInMethod:
    """How the code fitted. Raises SignInPaused or CodeRefused."""
    _require_no_wait(checked.wait)
    if checked.method is None:
        raise CodeRefused
    return checked.method


def _require_no_wait(wait: timedelta) -> None:
    if wait > timedelta(0):
        seconds = math.ceil(wait.total_seconds())
        raise SignInPaused(f"Too many attempts. Try again in {seconds} s.", retry_after_seconds=seconds)


def _require_use(use: Use) -> None:
    """Raises SignInPaused or PasskeyRefused, after what there is to keep of the try was kept."""
    _require_no_wait(use.wait)
    if use.problem is not None:
        raise PasskeyRefused(use.problem)


# --- the second step of a sign-in ---


@router.get("/login/second")
async def second_page(request: Request, who: Anybody, cookie: Cookie, next: str = "") -> Response:  # noqa: A002
    """Ask for a second factor; the password was right."""
    begun_in(request, cookie.half_name)
    return _second(request, local_path(next, ""))


@router.post("/login/second")
async def second_step(
    request: Request, who: Anybody, form: Annotated[CodeForm, Form()], desk: Desk, cookie: Cookie, key: Key
) -> Response:
    """Finish the sign-in with a code of the app or a recovery code."""
    secret, peer = begun_in(request, cookie.half_name), peer_of(request)
    before = request.cookies.get(cookie.name)
    checked = await desk.db.write(
        lambda db: Factors(db, desk.clock, desk.settings, key).second_step(secret, form.code, peer, before)
    )
    try:
        require_fit(checked)
    except (CodeRefused, SignInPaused) as refusal:
        return _second(request, local_path(form.next, ""), refusal)
    assert checked.signed_in is not None  # noqa: S101 (for mypy: the code fitted)
    return welcome(checked.signed_in, cookie, local_path(form.next))


def _second(request: Request, next_path: str, refusal: Refusal | None = None) -> Response:
    status = refusal.status if refusal else 200
    response = render(request, "identity/second.html", status=status, next=next_path, refusal=refusal)
    response.headers.update(refusal.headers if refusal else {})
    return response


@router.post("/login/passkey/options")
async def passkey_options(request: Request, who: Anybody, desk: Desk, cookie: Cookie) -> Response:
    """What the browser's authenticator is asked for a sign-in."""
    party = party_of(request)
    secret, options = await desk.db.write(lambda db: Passkeys(db, desk.clock, desk.settings, party).begin_use())
    return asked(cookie, secret, options)


@router.post("/login/passkey")
async def passkey_sign_in(
    request: Request, who: Anybody, answer: PasskeyAnswer, desk: Desk, cookie: Cookie
) -> Response:
    """Sign in with a passkey: possession of the device and its owner's finger or PIN are two factors."""
    secret, peer, party = begun_in(request, cookie.passkey_name), peer_of(request), party_of(request)
    before = request.cookies.get(cookie.name)

    def run(db: Session) -> tuple[Use, str]:
        use = Passkeys(db, desk.clock, desk.settings, party).use(secret, answer.credential, peer)
        if use.person is None:
            return use, ""
        identity = Identity(db, desk.clock, desk.settings)
        return use, identity.begin_session(use.person, peer, SignInMethod.PASSKEY, before).secret

    use, session_secret = await desk.db.write(run)
    _require_use(use)
    return _on_with(cookie, session_secret, local_path(answer.next))


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
        by_code = bool(form.code) and not form.password
        return await _prove(request, who, desk, target, refusal, by_code=by_code)
    response = RedirectResponse(target, status_code=303)
    cookie.give(response, secret)
    return response


@router.post("/account/prove/passkey/options")
async def prove_options(request: Request, who: Somebody, desk: Desk, cookie: Cookie) -> Response:
    """What the authenticator is asked, for one's own passkeys only."""
    (person_id, _), party = own_session(who), party_of(request)
    secret, options = await desk.db.write(
        lambda db: Passkeys(db, desk.clock, desk.settings, party).begin_use(person_id)
    )
    return asked(cookie, secret, options)


@router.post("/account/prove/passkey")
async def prove_by_passkey(
    request: Request, who: Somebody, answer: PasskeyAnswer, desk: Desk, cookie: Cookie
) -> Response:
    """By a passkey of one's own."""
    (person_id, session_id), party, peer = own_session(who), party_of(request), peer_of(request)
    begun = begun_in(request, cookie.passkey_name)

    def run(db: Session) -> tuple[Use, str]:
        passkeys = Passkeys(db, desk.clock, desk.settings, party)
        use = passkeys.use(begun, answer.credential, peer, only=person_id)
        if use.person is None:
            return use, ""
        identity = Identity(db, desk.clock, desk.settings)
        return use, identity.prove_again(person_id, session_id, SignInMethod.PASSKEY)

    use, session_secret = await desk.db.write(run)
    _require_use(use)
    return _on_with(cookie, session_secret, local_path(answer.next, "/account"))


def asked(cookie: SessionCookie, secret: str, options: dict[str, Any]) -> Response:
    """What the authenticator is asked; the browser keeps what finds the challenge again."""
    response = JSONResponse(options)
    cookie.give_begun(response, cookie.passkey_name, secret)
    return response


def _on_with(cookie: SessionCookie, session_secret: str, target: str) -> Response:
    """Tell the page's script where to go, with the session in its cookie."""
    response = JSONResponse({"next": target})
    cookie.give(response, session_secret)
    cookie.take_begun(response)
    return response


async def _prove_by_code(
    request: Request, person_id: str, session_id: str, code: str, desk: Desk, key: InstallationKey
) -> str:
    peer = peer_of(request)

    def run(db: Session) -> tuple[Checked, str]:
        checked = Factors(db, desk.clock, desk.settings, key).check(person_id, code, peer)
        identity = Identity(db, desk.clock, desk.settings)
        return checked, identity.prove_again(person_id, session_id, checked.method) if checked.method else ""

    checked, secret = await desk.db.write(run)
    require_fit(checked)
    return secret


async def _prove(
    request: Request, who: Actor, desk: Desk, target: str, refusal: Refusal | None = None, *, by_code: bool = False
) -> Response:
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
        by_code=by_code,
        minutes=desk.settings.proof_minutes,
    )
    response.headers.update(refusal.headers if refusal else {})
    return response
