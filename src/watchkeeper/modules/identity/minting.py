from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor, Scope
from watchkeeper.modules.identity.model import Token
from watchkeeper.modules.identity.tokens import Tokens


@dataclass(frozen=True, kw_only=True)
class TokenOrder:
    name: str
    scopes: frozenset[Scope]
    expires_at: datetime | None


@dataclass(frozen=True)
class Minted:
    token: Token
    secret: str | None = field(repr=False)


async def mint(db: Database, clock: Clock, who: Actor, order: TokenOrder, *, key: str, fingerprint: str) -> Minted:
    made = await db.write(
        lambda session: Tokens(session, clock).create(
            name=order.name, scopes=order.scopes, expires_at=order.expires_at, by=who
        )
    )
    return Minted(*made)
