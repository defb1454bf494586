"""The API of tokens."""

# Annotations are kept as objects for FastAPI.
from datetime import datetime
from typing import Annotated

from fastapi import Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ids import is_id
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.paging import DEFAULT_LIMIT, BadCursor, Cursor, Limit, Page, decode_cursor, page_of
from watchkeeper.kernel.web.parts import clock_part, database_part, part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.identity.authenticator import IdentityAuthenticator
from watchkeeper.modules.identity.model import Token
from watchkeeper.modules.identity.permissions import MANAGE_TOKENS
from watchkeeper.modules.identity.tokens import Tokens
from watchkeeper.modules.identity.wire import TokenView

router = api_router("tokens")

Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
Admin = Annotated[Actor, requires(MANAGE_TOKENS)]
Authentication = Annotated[IdentityAuthenticator, part(IdentityAuthenticator)]


@router.get("/tokens")
async def list_tokens(
    who: Admin, db: Db, clock: Now, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[TokenView]:
    """API tokens, newest first, without their secrets; revoked and expired ones too."""
    page = await token_page(db, clock, limit, cursor)
    return Page[TokenView](items=[TokenView.of(token) for token in page.items], next=page.next)


@router.delete("/tokens/{token_id}", status_code=204)
async def revoke_token(who: Admin, token_id: str, db: Db, clock: Now, authentication: Authentication) -> Response:
    """Revoke a token. Every replica refuses it within 5 s. Revoking it again changes nothing."""
    await db.write(lambda session: Tokens(session, clock).revoke(token_id, by=who))
    authentication.forget_token(token_id)
    return Response(status_code=204)


async def token_page(db: Database, clock: Clock, limit: int, cursor: str | None) -> Page[Token]:
    """One page of tokens, newest first. Raises BadCursor."""
    before = decode_cursor(cursor, tuple[datetime, str]) if cursor else None
    if before is not None and (before[0].tzinfo is None or not is_id(before[1], "tok")):
        raise BadCursor("The cursor can't be read. Start again without one.")
    tokens = await db.ask(lambda session: Tokens(session, clock).newest(limit + 1, before))
    return page_of(tokens, limit, lambda token: (token.created_at, token.id))
