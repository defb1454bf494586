"""One's own second factors as pages."""

# Annotations are kept as objects for FastAPI.
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Form, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, RedirectResponse, Response

from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import StrictModel, page_router
from watchkeeper.modules.identity import store, store_factors
from watchkeeper.modules.identity.errors import ChallengeGone, FactorNeeded, SignInPaused, WrongPassword
from watchkeeper.modules.identity.factors import Factors, factor_state
from watchkeeper.modules.identity.model import Person
from watchkeeper.modules.identity.pages import Cookie, Desk, SecretForm
from watchkeeper.modules.identity.pages_second import CodeForm, Key, asked, begun_in, party_of
from watchkeeper.modules.identity.passkeys import Passkeys
from watchkeeper.modules.identity.permissions import USE_ACCOUNT, own_session

router = page_router()
Proven = Annotated[Actor, requires(USE_ACCOUNT, proved_lately=True)]
_DONE = {
    "app-removed": "The authenticator app is removed.",
    "passkey": "The passkey is added. You can sign in with it from now on.",
    "passkey-removed": "The passkey is removed.",
}


@dataclass(frozen=True)
class QrCode:
    """A QR code for a page to draw: so many modules each way, and the path around the dark ones."""

    size: int
    dark: str


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
    try:
        long_password = await _long_password(desk, person_id, session_id, form.password)
        await desk.db.write(
            lambda db: Factors(db, desk.clock, desk.settings, key).remove_totp(
                require_person(db, person_id), long_password=long_password
            )
        )
    except (WrongPassword, SignInPaused, FactorNeeded) as refusal:
        return await _factors(request, who, desk, key, errors={"app": _why(refusal, form)}, status=refusal.status)
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
async def new_passkey_options(request: Request, who: Proven, desk: Desk, cookie: Cookie) -> Response:
    """What the authenticator is asked for a new passkey."""
    (person_id, _), party = own_session(who), party_of(request)
    secret, options = await desk.db.write(
        lambda db: Passkeys(db, desk.clock, desk.settings, party).begin_registration(require_person(db, person_id))
    )
    return asked(cookie, secret, options)


@router.post("/account/factors/passkeys")
async def add_passkey(request: Request, who: Proven, order: NewPasskey, desk: Desk, cookie: Cookie) -> Response:
    """Keep the passkey that the authenticator has made."""
    (person_id, _), party = own_session(who), party_of(request)
    begun = begun_in(request, cookie.passkey_name)
    await desk.db.write(
        lambda db: Passkeys(db, desk.clock, desk.settings, party).register(
            require_person(db, person_id), begun, order.credential, order.name
        )
    )
    response = JSONResponse({"next": "/account/factors?done=passkey"})
    cookie.take_begun(response)
    return response


@router.post("/account/factors/passkeys/{passkey_id}/remove")
async def remove_passkey(
    request: Request, who: Proven, passkey_id: str, form: Annotated[RemovalForm, Form()], desk: Desk, key: Key
) -> Response:
    """Remove one passkey. The last factor goes only when the password is long enough to stand alone."""
    (person_id, session_id), party = own_session(who), party_of(request)
    try:
        long_password = await _long_password(desk, person_id, session_id, form.password)
        await desk.db.write(
            lambda db: Passkeys(db, desk.clock, desk.settings, party).remove(
                require_person(db, person_id), passkey_id, long_password=long_password
            )
        )
    except (WrongPassword, SignInPaused, FactorNeeded) as refusal:
        return await _factors(request, who, desk, key, errors={"passkey": _why(refusal, form)}, status=refusal.status)
    return RedirectResponse("/account/factors?done=passkey-removed", status_code=303)


def _why(refusal: Refusal, form: RemovalForm) -> str:
    return refusal.detail if form.password else "Enter your password: this is your last second factor."


async def _long_password(desk: Desk, person_id: str, session_id: str, password: str) -> str | None:
    """Of the last factor's removal; the page asks for no password where another factor stays."""
    return await desk.long_password(person_id, session_id, password) if password else None


def require_person(db: Session, person_id: str) -> Person:
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

    def read(db: Session) -> dict[str, Any]:
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


def _qr(uri: str) -> QrCode:
    import segno  # here: a server where nobody sets up an app starts without it

    rows = segno.make(uri, error="m", micro=False).matrix
    dark = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, module in enumerate(row) if module)
    return QrCode(len(rows), dark)
