"""The verbs of API tokens. None commits: the caller owns the transaction."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session as Database

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import is_id, new_id, new_secret
from watchkeeper.kernel.web.access import Actor, Scope
from watchkeeper.modules.identity import events, store, store_people
from watchkeeper.modules.identity.errors import AccountNotFound, TokenNotFound, TokenRefused
from watchkeeper.modules.identity.model import LONGEST_NAME, TOKEN_PREFIX, Token, clean_name, digest

_LONGEST_LIFE = timedelta(days=3653)
_DUTIES = frozenset({Scope.SAFETY, Scope.PRIVACY})
_SOURCES = {"person": "console", "local": "cli"}


class Tokens:
    """Verbs on API tokens, within one transaction."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._now = clock.now()

    def create(
        self,
        *,
        name: str,
        scopes: frozenset[Scope],
        expires_at: datetime | None,
        by: Actor,
        account_id: str | None = None,
    ) -> tuple[Token, str]:
        """A new token and its secret, which is shown now and never again; `account_id` is the service account it
        belongs to. Raises TokenRefused or AccountNotFound."""
        name = clean_name(name)
        self._require(name, scopes, expires_at)
        if account_id is not None:
            self._require_account(account_id)
        secret = new_secret(TOKEN_PREFIX)
        token = Token(
            id=new_id("tok"),
            name=name,
            scopes=scopes,
            created_by=by.id,
            created_at=self._now,
            expires_at=expires_at,
            last_used_at=None,
            revoked_at=None,
            account_id=account_id,
        )
        store.add_token(self._db, token, digest(secret))
        fact = events.TokenCreated(
            token=token.id,
            scopes=tuple(sorted(scope.value for scope in scopes)),
            expires_at=rfc3339(expires_at) if expires_at else None,
        )
        self._tell(fact, by)
        return token, secret

    def get(self, token_id: str) -> Token:
        """Raises TokenNotFound."""
        token = store.token(self._db, token_id) if is_id(token_id, "tok") else None
        if token is None:
            raise TokenNotFound(token_id)
        return token

    def revoke(self, token_id: str, *, by: Actor) -> Token:
        """The token, dead from now on; revoking it again changes and tells nothing. Raises TokenNotFound."""
        self.get(token_id)
        if store.revoke_token(self._db, token_id, self._now):
            self._tell(events.TokenRevoked(token=token_id), by)
        return self.get(token_id)

    def revoke_made_by(self, maker: str, *, by: Actor) -> list[str]:
        """Revoke every token that somebody made, those of service accounts too; answers their ids."""
        found = store.open_tokens_by(self._db, maker)
        for token_id in found:
            self.revoke(token_id, by=by)
        return found

    def newest(self, limit: int, before: tuple[datetime, str] | None = None) -> list[Token]:
        return store.tokens_before(self._db, limit, before)

    def _require(self, name: str, scopes: frozenset[Scope], expires_at: datetime | None) -> None:
        complaints = []
        if not 1 <= len(name) <= LONGEST_NAME:
            complaints.append(Complaint("name", f"1 to {LONGEST_NAME} visible characters"))
        if not scopes:
            complaints.append(Complaint("scopes", "at least one of read, respond, write, admin, intake, runner"))
        if scopes & _DUTIES:
            complaints.append(Complaint("scopes", "no duties: safety and privacy are given to people by name"))
        if expires_at is not None and not self._now < expires_at < self._now + _LONGEST_LIFE:
            complaints.append(Complaint("expires_at", "an instant in the future, at most ten years away"))
        if complaints:
            raise TokenRefused("The token can't be made like this.", complaints=complaints)

    def _require_account(self, account_id: str) -> None:
        account = store_people.account(self._db, account_id) if is_id(account_id, "sva") else None
        if account is None or account.disabled_at is not None:
            raise AccountNotFound("There is no such service account, or it is disabled.")

    def _tell(self, event: journal.Event, by: Actor) -> None:
        journal.append(self._db, event, by=by.id, source=_SOURCES.get(by.kind, "api"), at=self._now)
