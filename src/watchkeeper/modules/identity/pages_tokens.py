"""The page of API tokens."""

# Annotations are kept as objects for FastAPI.
import re
import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Annotated

from fastapi import Form, Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Scope
from watchkeeper.kernel.web.idempotency import Answer, KeyReused, idempotent
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.paging import Cursor
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import public, store_people
from watchkeeper.modules.identity.errors import TokenRefused
from watchkeeper.modules.identity.routes import Admin, Authentication, Db, Now, ProvenAdmin, made, token_page
from watchkeeper.modules.identity.tokens import Tokens
from watchkeeper.modules.identity.wire import TokenMade

router = page_router()

_ON_A_PAGE = 50
_ONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
_LIFETIMES = (("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year"), ("never", "never"))
_SCOPES = (
    (Scope.INTAKE, "Send telemetry", "Metrics, logs and traces. It can read nothing."),
    (Scope.RUNNER, "Run steps", "Take steps of runbooks from here and run them elsewhere. It can read nothing else."),
    (Scope.READ, "Read", "See everything that the console shows."),
    (Scope.RESPOND, "Respond", "Read, and act on alerts and incidents."),
    (Scope.WRITE, "Write", "Respond, send telemetry and change things."),
    (Scope.ADMIN, "Administer", "Everything, also tokens and accounts."),
)

Server = Annotated[ServerSettings, part(ServerSettings)]


class TokenForm(PageForm):
    name: str = ""
    scope: str = Scope.INTAKE.value
    expires: str = "90"
    account: str = ""
    once: str = ""


@router.get("/settings/tokens")
async def tokens_page(
    request: Request, who: Admin, db: Db, clock: Now, server: Server, cursor: Cursor = None, account: str = ""
) -> Response:
    """Every token, and the form for a new one, which may be a service account's."""
    return await _page(request, db, clock, server, TokenForm(account=account[:100]), cursor=cursor)


@router.post("/settings/tokens")
async def make_token(
    request: Request, who: ProvenAdmin, form: Annotated[TokenForm, Form()], db: Db, clock: Now, server: Server
) -> Response:
    """Make a token and show it, once. The same form sent again makes no second one."""
    days = int(form.expires) if form.expires in ("30", "90", "365") else None
    expires_at = clock.now() + timedelta(days=days) if days else None
    scopes = [scope for scope in Scope if scope.value == form.scope]

    def make(session: Session) -> Answer:
        return idempotent(
            session,
            form.once if _ONCE.fullmatch(form.once) else secrets.token_urlsafe(16),
            who.id,
            sha256(form.model_dump_json(exclude={"csrf_token"}).encode()).hexdigest(),
            lambda: made(session, clock, form.name, scopes, expires_at, by=who, account_id=form.account or None),
            route="POST /settings/tokens",
            at=clock.now(),
        )

    try:
        answer = await db.write(make)
    except (TokenRefused, KeyReused) as refusal:
        return await _page(request, db, clock, server, form, refusal=refusal)
    shown = TokenMade.model_validate(answer.body, from_attributes=True)
    return await _page(request, db, clock, server, TokenForm(), shown=shown)


@router.post("/settings/tokens/{token_id}/revoke")
async def revoke_token(who: ProvenAdmin, token_id: str, db: Db, clock: Now, authentication: Authentication) -> Response:
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
    shown: TokenMade | None = None,
    refusal: Refusal | None = None,
) -> Response:
    page = await token_page(db, clock, _ON_A_PAGE, cursor)
    makers = {token.created_by for token in page.items}
    names, accounts = await db.ask(
        lambda session: (public.names(session, makers), {one.id: one for one in store_people.accounts(session)})
    )
    scopes = set(shown.scopes) if shown else set()
    errors = {one.where: one.expected for one in refusal.complaints} if refusal else {}
    if refusal and not errors:
        errors["name"] = "This form was sent before with other words in it. Send it again to make another token."
    return render(
        request,
        "identity/tokens.html",
        status=refusal.status if refusal else 200,
        tokens=page.items,
        next=page.next,
        names=names,
        accounts=accounts,
        form=form,
        once=secrets.token_urlsafe(16),
        errors=errors,
        made=shown,
        sends=bool(scopes - {Scope.READ}),
        calls=bool(scopes - {Scope.INTAKE}),
        base_url=(server.base_url or str(request.base_url)).rstrip("/"),
        scopes=_SCOPES,
        lifetimes=_LIFETIMES,
    )
