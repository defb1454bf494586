"""The pages of signing in with an OpenID provider: the way there, and the way back."""

# Annotations are kept as objects for FastAPI.
import hmac
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.ids import new_secret
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.identity.cookies import SessionCookie
from watchkeeper.modules.identity.external import ExternalAccounts, JustLinked
from watchkeeper.modules.identity.model import Peer, SignedIn, digest, local_path
from watchkeeper.modules.identity.oidc import Begun, OidcClient, said_no
from watchkeeper.modules.identity.oidc_errors import NoAccountHere, ProviderUnset, SignInElsewhereGone
from watchkeeper.modules.identity.oidc_model import SIGN_IN_TAKES, ExternalAccount
from watchkeeper.modules.identity.pages import Anybody, Cookie, Db, Now, peer_of, welcome
from watchkeeper.modules.identity.settings import IdentitySettings

CALLBACK = "/login/oidc/callback"
_LONGEST_PARAMETER = 4096

router = page_router()

Client = Annotated[OidcClient, part(OidcClient)]
Settings = Annotated[IdentitySettings, part(IdentitySettings)]
Server = Annotated[ServerSettings, part(ServerSettings)]


@dataclass(frozen=True)
class _Return:
    """What was remembered of a sign-in until the browser came back."""

    begun: Begun
    browser: str
    next: str

    def data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, data: dict[str, Any]) -> "_Return":
        return cls(Begun(**data["begun"]), data["browser"], data["next"])


@router.get("/login/oidc")
async def begin(
    request: Request,
    who: Anybody,
    oidc: Client,
    db: Db,
    clock: Now,
    settings: Settings,
    server: Server,
    cookie: Cookie,
    next: str = "",  # noqa: A002 (the query's name)
) -> Response:
    """Send the browser to the provider. What it has to bring back is remembered here and bound to it by a cookie."""
    if settings.oidc_issuer is None:
        raise ProviderUnset
    base = (server.base_url or str(request.base_url)).rstrip("/")
    browser = new_secret("wko")
    going = _Return(Begun(redirect_uri=base + CALLBACK), digest(browser), local_path(next))
    try:
        await oidc.provider()  # before anything is kept: it may be down
        state = await db.write(
            lambda session: ExternalAccounts(session, clock, settings).begin(peer_of(request), going.data())
        )
        url = await oidc.authorization_url(going.begun, state)
    except Refusal as refusal:
        return _refused(request, refusal, cookie, settings)
    response = RedirectResponse(url, status_code=303)
    response.set_cookie(
        _cookie_name(cookie),
        browser,
        max_age=int(SIGN_IN_TAKES.total_seconds()),
        path="/",
        secure=cookie.secure,
        httponly=True,
        samesite="lax",  # it has to come along when the provider sends the browser back
    )
    return response


@router.get(CALLBACK)
async def come_back(
    request: Request,
    who: Anybody,
    oidc: Client,
    db: Db,
    clock: Now,
    settings: Settings,
    cookie: Cookie,
    state: str = "",
    code: str = "",
    error: str = "",
    iss: str | None = None,
) -> Response:
    """The provider sent the browser back: find out who signed in, and let them in or say why not."""
    if settings.oidc_issuer is None:
        raise ProviderUnset
    try:
        back = await _recall(db, clock, settings, state, request.cookies.get(_cookie_name(cookie), ""))
        provider = await oidc.provider()
        if error:
            oidc.require_issuer(provider, iss)
            raise said_no(error)
        account = await oidc.account(back.begun, code=code, named_issuer=iss)
        before = request.cookies.get(cookie.name)
        signed_in = await _admit(db, clock, settings, account, peer_of(request), before)
    except Refusal as refusal:
        return _refused(request, refusal, cookie, settings)
    response = welcome(signed_in, cookie, back.next)
    _take_cookie(response, cookie)
    return response


async def _recall(db: Database, clock: Clock, settings: IdentitySettings, state: str, browser: str) -> _Return:
    """What this browser began. Raises SignInElsewhereGone; each state is good for one answer."""
    if not browser or not 0 < len(state) <= _LONGEST_PARAMETER:
        raise SignInElsewhereGone
    # In a transaction of its own: a state that was seen is used up, whatever follows.
    back = _Return.of(await db.write(lambda session: ExternalAccounts(session, clock, settings).take(state)))
    if not hmac.compare_digest(back.browser, digest(browser)):
        raise SignInElsewhereGone
    return back


async def _admit(
    db: Database,
    clock: Clock,
    settings: IdentitySettings,
    account: ExternalAccount,
    peer: Peer,
    replaces: str | None,
) -> SignedIn:
    def admit(session: Any) -> SignedIn:
        return ExternalAccounts(session, clock, settings).admit(account, peer, replaces)

    try:
        try:
            return await db.write(admit)
        except JustLinked:
            return await db.write(admit)
    except NoAccountHere as refusal:
        turned_away = refusal  # a name that the lambda may keep
        await db.write(lambda session: ExternalAccounts(session, clock, settings).note(turned_away))
        raise


def _refused(request: Request, refusal: Refusal, cookie: SessionCookie, settings: IdentitySettings) -> Response:
    page = render(
        request,
        "identity/oidc_refused.html",
        status=refusal.status,
        refusal=refusal,
        provider=settings.oidc_name,
    )
    page.headers.update(refusal.headers)
    _take_cookie(page, cookie)
    return page


def _cookie_name(cookie: SessionCookie) -> str:
    return "__Host-wk_oidc" if cookie.secure else "wk_oidc"


def _take_cookie(response: Response, cookie: SessionCookie) -> None:
    response.delete_cookie(_cookie_name(cookie), path="/", secure=cookie.secure, httponly=True, samesite="lax")
