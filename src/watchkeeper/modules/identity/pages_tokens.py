"""The page of API tokens."""

# Annotations are kept as objects for FastAPI.
import secrets
from datetime import timedelta
from typing import Annotated

from fastapi import Form, Request
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Scope
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.paging import Cursor
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import public
from watchkeeper.modules.identity.errors import TokenRefused
from watchkeeper.modules.identity.minting import Minted, TokenOrder, mint
from watchkeeper.modules.identity.routes import Admin, Authentication, Db, Now, token_page
from watchkeeper.modules.identity.tokens import Tokens

router = page_router()

_ON_A_PAGE = 50
_LIFETIMES = (("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year"), ("never", "never"))
_SCOPES = (
    (Scope.INTAKE, "Send telemetry", "Metrics, logs and traces. It can read nothing."),
    (Scope.READ, "Read", "See everything that the console shows."),
    (Scope.WRITE, "Write", "Read, send telemetry and change things."),
    (Scope.ADMIN, "Administer", "Everything, also tokens and accounts."),
)

Server = Annotated[ServerSettings, part(ServerSettings)]


class TokenForm(PageForm):
    name: str = ""
    scope: str = Scope.INTAKE.value
    expires: str = "90"
    once: str = ""


@router.get("/settings/tokens")
async def tokens_page(
    request: Request, who: Admin, db: Db, clock: Now, server: Server, cursor: Cursor = None
) -> Response:
    """Every token, and the form for a new one."""
    return await _page(request, db, clock, server, TokenForm(), cursor=cursor)


@router.post("/settings/tokens")
async def make_token(
    request: Request, who: Admin, form: Annotated[TokenForm, Form()], db: Db, clock: Now, server: Server
) -> Response:
    """Make a token and show it, once. The same form sent again makes no second one."""
    days = int(form.expires) if form.expires in ("30", "90", "365") else None
    order = TokenOrder(
        name=form.name,
        scopes=frozenset(scope for scope in Scope if scope.value == form.scope),
        expires_at=clock.now() + timedelta(days=days) if days else None,
    )
    try:
        made = await mint(
            db, clock, who, order, key=form.once or secrets.token_urlsafe(16), fingerprint=form.model_dump_json()
        )
    except TokenRefused as refusal:
        return await _page(request, db, clock, server, form, refusal=refusal)
    return await _page(request, db, clock, server, TokenForm(), made=made)


@router.post("/settings/tokens/{token_id}/revoke")
async def revoke_token(who: Admin, token_id: str, db: Db, clock: Now, authentication: Authentication) -> Response:
    """Revoke a token for good."""
    await db.write(lambda session: Tokens(session, clock).revoke(token_id, by=who))
    authentication.forget_token(token_id)
    return RedirectResponse("/settings/tokens", status_code=303)


async def _page(
    request: Request,
    db: Db,
    clock: Now,
    server: ServerSettings,
    form: TokenForm,
    *,
    cursor: str | None = None,
    made: Minted | None = None,
    refusal: Refusal | None = None,
) -> Response:
    page = await token_page(db, clock, _ON_A_PAGE, cursor)
    makers = {token.created_by for token in page.items}
    names = await db.ask(lambda session: public.names(session, makers))
    scopes = made.token.scopes if made else frozenset()
    return render(
        request,
        "identity/tokens.html",
        status=refusal.status if refusal else 200,
        tokens=page.items,
        next=page.next,
        names=names,
        form=form,
        once=secrets.token_urlsafe(16),
        errors={one.where: one.expected for one in refusal.complaints} if refusal else {},
        made=made.token if made else None,
        secret=made.secret if made else None,
        sends=bool(scopes - {Scope.READ}),
        calls=bool(scopes - {Scope.INTAKE}),
        base_url=(server.base_url or str(request.base_url)).rstrip("/"),
        scopes=_SCOPES,
        lifetimes=_LIFETIMES,
    )
