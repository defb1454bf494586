"""The JSON of API tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from watchkeeper.kernel.web.access import Scope
from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.identity.model import LONGEST_NAME, Token


class NewToken(StrictModel):
    """What to make."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME, description="What it is for, such as the machine's name.")
    scopes: list[Scope] = Field(
        min_length=1,
        max_length=len(Scope),
        description="`read`, `respond` (covers read), `write` (covers respond and intake), `admin` (covers these), "
        "`intake` (may only send). The duties `safety` and `privacy` are for people.",
    )
    expires_at: AwareDatetime | None = Field(None, description="When it stops working; unset: never.")
    account_id: str | None = Field(None, max_length=40, description="The service account it belongs to, if any.")


class TokenView(BaseModel):
    """A token without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    created_by: str = Field(description="Id of the person, token or `local` that made it.")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="Exact to the minute.")
    revoked_at: datetime | None
    account_id: str | None = Field(description="The service account it belongs to, if any.")

    @classmethod
    def of(cls, token: Token) -> TokenView:
        return cls(**_fields(token))


class TokenMade(TokenView):
    """A token just made."""

    secret: str | None = Field(
        None,
        description="The token's text, shown this once. Null when the answer to an earlier request is repeated: "
        "the secret is kept nowhere, so revoke the token and make another.",
    )

    @classmethod
    def made(cls, token: Token, secret: str | None) -> TokenMade:
        return cls(**_fields(token), secret=secret)


def _fields(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "created_by": token.created_by,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
        "account_id": token.account_id,
    }
