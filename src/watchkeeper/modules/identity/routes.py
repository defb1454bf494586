"""The API of tokens."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from fastapi import Response
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ids import is_id
from watchkeeper.kernel.web.access import Actor, Scope, requires
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.paging import DEFAULT_LIMIT, BadCursor, Cursor, Limit, Page, decode_cursor, page_of
from watchkeeper.kernel.web.parts import clock_part, database_part, part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.identity.authenticator import IdentityAuthenticator
from watchkeeper.modules.identity.model import Token
from watchkeeper.modules.identity.permissions import MANAGE_TOKENS
from watchkeeper.modules.identity.tokens import Tokens
from watchkeeper.modules.identity.wire import NewToken, TokenMade, TokenView

router = api_router("tokens")

Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
Admin = Annotated[Actor, requires(MANAGE_TOKENS)]
ProvenAdmin = Annotated[Actor, requires(MANAGE_TOKENS, proved_lately=True)]
Authentication = Annotated[IdentityAuthenticator, part(IdentityAuthenticator)]


@router.get("/tokens")
async def list_tokens(
    who: Admin, db: Db, clock: Now, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[TokenView]:
    """API tokens, newest first, without their secrets; revoked and expired ones too."""
    page = await token_page(db, clock, limit, cursor)
    return Page[TokenView](items=[TokenView.of(token) for token in page.items], next=page.next)


@router.post("/tokens", status_code=201, response_model=TokenMade)
async def create_token(
    who: ProvenAdmin, order: NewToken, db: Db, clock: Now, once: Annotated[Once, once()]
) -> Response:
    """Make an API token. Its secret is in this answer and nowhere else: sent again with the same Idempotency-Key,
    the request is answered without it."""

    def make(session: Session) -> Answer:
        return once.run(
            session,
            lambda: made(
                session, clock, order.name, order.scopes, order.expires_at, by=who, account_id=order.account_id
            ),
        )

    return (await db.write(make)).response()


@router.delete("/tokens/{token_id}", status_code=204)
async def revoke_token(who: ProvenAdmin, token_id: str, db: Db, clock: Now, authentication: Authentication) -> Response:
    """Revoke a token. Every replica refuses it within 5 s. Revoking it again changes nothing."""
    await db.write(lambda session: Tokens(session, clock).revoke(token_id, by=who))
    authentication.forget_token(token_id)
    return Response(status_code=204)


async def token_page(db: Database, clock: Clock, limit: int, cursor: str | None) -> Page[Token]:
    """One page of tokens, newest first. Raises BadCursor."""
    before = place_of(cursor) if cursor else None
    tokens = await db.ask(lambda session: Tokens(session, clock).newest(limit + 1, before))
    return page_of(tokens, limit, lambda token: (token.created_at, token.id))


def made(
    session: Session,
    clock: Clock,
    name: str,
    scopes: Iterable[Scope],
    expires_at: datetime | None,
    *,
    by: Actor,
    account_id: str | None = None,
) -> Answer:
    """Make a token; what is remembered for a repeated request lacks the secret."""
    token, secret = Tokens(session, clock).create(
        name=name, scopes=frozenset(scopes), expires_at=expires_at, by=by, account_id=account_id
    )
    return Answer(TokenMade.made(token, secret), replay=TokenMade.made(token, None))


def place_of(cursor: str) -> tuple[datetime, str]:
    """The place in the list that a cursor stands for. Raises BadCursor."""
    created_at, token_id = decode_cursor(cursor, tuple[datetime, str])
    if created_at.tzinfo is None or not is_id(token_id, "tok"):
        raise BadCursor("The cursor can't be read. Start again without one.")
    return created_at, token_id
