"""One's own second factors as pages."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated, Any

from fastapi import Form, Query, Request
from markupsafe import Markup
from pydantic import Field
from starlette.responses import JSONResponse, RedirectResponse, Response

from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import StrictModel, page_router
from watchkeeper.modules.identity import passwords, store, store_factors
from watchkeeper.modules.identity.errors import ChallengeGone, FactorNeeded, SignInPaused, WrongPassword
from watchkeeper.modules.identity.factors import Factors, factor_state
from watchkeeper.modules.identity.model import FactorState, Person
from watchkeeper.modules.identity.pages import Cookie, Db, Desk, Now, SecretForm, challenge_cookie
from watchkeeper.modules.identity.pages_second import CodeForm, Key, begun_in, party_of
from watchkeeper.modules.identity.passkeys import Passkeys
from watchkeeper.modules.identity.permissions import USE_ACCOUNT, own_session

router = page_router()
Proven = Annotated[Actor, requires(USE_ACCOUNT, proved_lately=True)]
_DONE = {
    "app-removed": "The authenticator app is removed.",
    "passkey": "The passkey is added. You can sign in with it from now on.",
    "passkey-removed": "The passkey is removed.",
    "email": "The e-mail address is changed.",
}


class RemovalForm(SecretForm):
    password: str = ""


class NewPasskey(StrictModel):
    """A new passkey, and what its owner calls it."""

    credential: dict[str, Any]
    name: str = Field("", max_length=200)


@router.get("/account/factors")
async def factors_page(
    request: Request, who: Proven, desk: Desk, key: Key, done: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """What protects this account besides its password."""
    return await _factors(request, who, desk, key, message=_DONE.get(done))


@router.post("/account/factors/app")
async def begin_app(request: Request, who: Proven, desk: Desk, key: Key) -> Response:
    """Begin to set up an authenticator app."""
    person_id, _ = own_session(who)
    await desk.db.write(
        lambda db: Factors(db, desk.clock, desk.settings, key).begin_totp(require_person(db, person_id))
    )
    return RedirectResponse("/account/factors#app", status_code=303)


@router.post("/account/factors/app/confirm")
async def confirm_app(
    request: Request, who: Proven, form: Annotated[CodeForm, Form()], desk: Desk, key: Key
) -> Response:
    """Count the app from now on, once it has shown a right code."""
    person_id, _ = own_session(who)
    codes = await desk.db.write(
        lambda db: Factors(db, desk.clock, desk.settings, key).confirm_totp(
            require_person(db, person_id), "".join(form.code.split())
        )
    )
    if codes is None:
        problem = "This code does not fit. Check the clock of your phone, and enter the newest code."
        return await _factors(request, who, desk, key, errors={"code": problem}, status=422)
    return await _factors(request, who, desk, key, message="The authenticator app is set up.", codes=codes)


@router.post("/account/factors/app/remove")
async def remove_app(
    request: Request, who: Proven, form: Annotated[RemovalForm, Form()], desk: Desk, key: Key
) -> Response:
    """Remove the app. The last factor goes only when the password is long enough to stand alone."""
    person_id, session_id = own_session(who)
    state = await _state(desk, person_id)
    if state.passkeys == 0:
        refused = await _refuse_short_password(desk, person_id, session_id, form.password)
        if refused:
            return await _factors(request, who, desk, key, errors={"app": refused}, status=409)
    await desk.db.write(
        lambda db: Factors(db, desk.clock, desk.settings, key).remove_totp(require_person(db, person_id))
    )
    return RedirectResponse("/account/factors?done=app-removed", status_code=303)


@router.post("/account/factors/recovery")
async def new_recovery_codes(request: Request, who: Proven, desk: Desk, key: Key) -> Response:
    """Ten new recovery codes in place of all earlier ones, shown this once."""
    person_id, _ = own_session(who)
    codes = await desk.db.write(
        lambda db: Factors(db, desk.clock, desk.settings, key).make_recovery_codes(require_person(db, person_id))
    )
    return await _factors(request, who, desk, key, codes=codes)


@router.post("/account/factors/passkeys/options")
async def new_passkey_options(request: Request, who: Proven, db: Db, clock: Now, cookie: Cookie) -> Response:
    """What the authenticator is asked for a new passkey."""
    (person_id, _), party = own_session(who), party_of(request)
    secret, options = await db.write(
        lambda session: Passkeys(session, clock, party).begin_registration(require_person(session, person_id))
    )
    return challenge_cookie(cookie, secret, JSONResponse(options))


@router.post("/account/factors/passkeys")
async def add_passkey(request: Request, who: Proven, order: NewPasskey, db: Db, clock: Now, cookie: Cookie) -> Response:
    """Keep the passkey that the authenticator has made."""
    (person_id, _), party, begun = own_session(who), party_of(request), begun_in(request, cookie)
    await db.write(
        lambda session: Passkeys(session, clock, party).register(
            require_person(session, person_id), begun, order.credential, order.name
        )
    )
    return challenge_cookie(cookie, None, JSONResponse({"next": "/account/factors?done=passkey"}))


@router.post("/account/factors/passkeys/{passkey_id}/remove")
async def remove_passkey(
    request: Request, who: Proven, passkey_id: str, form: Annotated[RemovalForm, Form()], desk: Desk, key: Key
) -> Response:
    """Remove one passkey."""
    (person_id, session_id), party = own_session(who), party_of(request)
    state = await _state(desk, person_id)
    if not state.app and state.passkeys == 1:
        refused = await _refuse_short_password(desk, person_id, session_id, form.password)
        if refused:
            return await _factors(request, who, desk, key, errors={"passkey": refused}, status=409)
    await desk.db.write(lambda db: Passkeys(db, desk.clock, party).remove(require_person(db, person_id), passkey_id))
    return RedirectResponse("/account/factors?done=passkey-removed", status_code=303)


async def _refuse_short_password(desk: Desk, person_id: str, session_id: str, password: str) -> str | None:
    """Why the last factor stays, if it does. Only a hash is kept, so the length has to be shown."""
    person = await desk.db.ask(lambda db: store.person(db, person_id))
    if person is None or person.password_hash is None:
        return None
    try:
        await desk.check_own_password(person_id, session_id, password)
    except (WrongPassword, SignInPaused) as refusal:
        return refusal.detail
    if len(passwords.normalise(password)) >= passwords.SHORTEST:
        return None
    return FactorNeeded(
        f"A password of fewer than {passwords.SHORTEST} characters needs a second factor. Change the password first."
    ).detail


async def _state(desk: Desk, person_id: str) -> FactorState:
    return await desk.db.ask(lambda db: factor_state(db, person_id))


def require_person(db: Any, person_id: str) -> Person:
    """The person, who was there a moment ago."""
    person = store.person(db, person_id)
    if person is None:
        raise ChallengeGone
    return person


async def _factors(
    request: Request,
    who: Actor,
    desk: Desk,
    key: InstallationKey,
    *,
    message: str | None = None,
    errors: dict[str, str] | None = None,
    codes: list[str] | None = None,
    status: int = 200,
) -> Response:
    person_id, _ = own_session(who)

    def read(db: Any) -> dict[str, Any]:
        factors = Factors(db, desk.clock, desk.settings, key)
        person = require_person(db, person_id)
        waiting = factors.waiting_totp(person)
        return {
            "person": person,
            "state": factor_state(db, person_id),
            "passkeys": store_factors.passkeys_of(db, person_id),
            "waiting": waiting,
        }

    found = await desk.db.ask(read)
    return render(
        request,
        "identity/factors.html",
        status=status,
        message=message,
        errors=errors or {},
        codes=codes or [],
        required=desk.settings.require_second_factor,
        qr=_qr(found["waiting"].uri) if found["waiting"] else None,
        **found,
    )


def _qr(uri: str) -> Markup:
    import segno  # here: a server where nobody sets up an app starts without it

    # segno draws squares only; nothing of the address stands in its text.
    return Markup(segno.make(uri, error="m").svg_inline(scale=5, border=2, dark="#000", light="#fff"))  # noqa: S704  # nosec B704
