"""Who sends a request: the cookie of a session, or a bearer token; never both, and never the query string."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session as DatabaseSession
from starlette.requests import HTTPConnection

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.web.access import Actor, Scope
from watchkeeper.modules.identity import store, store_factors, store_people, store_teams
from watchkeeper.modules.identity.control import LOCAL, ControlToken
from watchkeeper.modules.identity.cookies import SessionCookie
from watchkeeper.modules.identity.errors import BearerRefused, FactorRequired, ProveAgain
from watchkeeper.modules.identity.model import (
    CONTROL_PREFIX,
    LONGEST_SECRET,
    SEEN_EVERY,
    TOKEN_PREFIX,
    Person,
    Role,
    Session,
    SignInMethod,
    Token,
    digest,
    is_loopback,
)
from watchkeeper.modules.identity.settings import IdentitySettings

CACHE_SECONDS = 5.0  # a revoked token works no longer than this on any replica
_CACHE_ENTRIES = 4096
# These show a second factor, or leave it to the provider.
_STRONG = frozenset({SignInMethod.SECOND_FACTOR, SignInMethod.RECOVERY, SignInMethod.PASSKEY, SignInMethod.OIDC})
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


class IdentityAuthenticator:
    """Implements `kernel.web.access.Authenticator` on people's sessions, API tokens and the local control token."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        settings: IdentitySettings,
        cookie: SessionCookie,
        control: ControlToken | None,
    ) -> None:
        self._db = db
        self._clock = clock
        # Asked each time: sessions may be made shorter, and factors required, while the server runs.
        self._settings = settings
        self._cookie = cookie
        self._control = control
        self._tokens = TokenCache()
        self._background: set[asyncio.Task[None]] = set()

    async def authenticate(self, request: HTTPConnection) -> Actor | None:
        """The actor, or None for nobody. Any Authorization header that is not a live bearer token raises BearerRefused:
        a program with a broken token must not act as the person whose browser it runs in."""
        claims = request.headers.getlist("authorization")
        if claims:
            return await self._by_bearer(request, claims)
        secret = request.cookies.get(self._cookie.name)
        return await self._by_session(request, secret) if secret else None

    def require_proof(self, actor: Actor) -> None:
        """Raises ProveAgain. Programs show their token with each request, so nothing more is asked of them."""
        if actor.kind == "person" and (
            actor.proved_at is None or self._clock.now() >= actor.proved_at + self._settings.proof
        ):
            raise ProveAgain

    def forget_token(self, token_id: str) -> None:
        """Called after a revocation, so that this process refuses it at once."""
        self._tokens.drop(token_id)

    def forget_account(self, account_id: str) -> None:
        """Called after a service account was disabled, so that this process refuses its tokens at once."""
        self._tokens.drop_account(account_id)

    async def settle(self) -> None:
        """Wait for the late writes of "last used" and "last seen"."""
        while self._background:
            await asyncio.gather(*self._background)

    async def _by_bearer(self, request: HTTPConnection, claims: list[str]) -> Actor:
        scheme, _, secret = claims[0].partition(" ")
        secret = secret.strip()
        if len(claims) > 1 or scheme.lower() != "bearer" or not secret or len(secret) > LONGEST_SECRET:
            raise BearerRefused
        if secret.startswith(f"{CONTROL_PREFIX}_"):
            return self._by_control(request, secret)
        if not secret.startswith(f"{TOKEN_PREFIX}_"):
            raise BearerRefused
        return _actor_of(await self._live_token(secret))

    def _by_control(self, request: HTTPConnection, secret: str) -> Actor:
        # A proxy on this machine makes strangers look local; what it forwarded is not the command line.
        forwarded = any(name in request.headers for name in _FORWARDED)
        if self._control is None or forwarded or not _is_this_machine(request) or not self._control.fits(secret):
            raise BearerRefused
        return LOCAL

    async def _live_token(self, secret: str) -> Token:
        key = digest(secret)
        token = self._tokens.get(key, self._clock.monotonic())
        if token is None:
            asked_at = self._clock.monotonic()
            token = await self._db.ask(lambda db: _token_and_place(db, key))
            if token is None:
                raise BearerRefused
            self._tokens.put(key, token, asked_at)
        now = self._clock.now()
        if not token.works_at(now):
            raise BearerRefused
        if self._tokens.is_due(key, now):
            self._later(lambda db: store.touch_token(db, token.id, now))
        return token

    async def _demand_factor(self, person: Person) -> None:
        if not await self._db.ask(lambda db: store_factors.has_factor(db, person.id)):
            raise FactorRequired

    async def _by_session(self, request: HTTPConnection, secret: str) -> Actor | None:
        if len(secret) > LONGEST_SECRET:
            return None
        found = await self._db.ask(lambda db: _session_and_teams(db, digest(secret)))
        now = self._clock.now()
        if found is None or not self._settings.sessions.is_live(found[0], now):
            return None
        session, person, teams = found
        if person.disabled_at is not None:
            return None
        if self._settings.require_second_factor and session.method not in _STRONG and not _is_own_account(request):
            await self._demand_factor(person)
        if now >= session.seen_at + SEEN_EVERY:
            self._later(lambda db: store.touch_session(db, session.id, now))
        return Actor(
            id=person.id,
            kind="person",
            name=person.name,
            scopes=person.scopes,
            session_id=session.id,
            teams=None if person.role is Role.ADMIN else teams,
            proved_at=session.proved_at,
        )

    def _later(self, write: Callable[[DatabaseSession], None]) -> None:
        task = asyncio.get_running_loop().create_task(self._write(write))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _write(self, write: Callable[[DatabaseSession], None]) -> Coroutine[Any, Any, None]:
        async def run() -> None:
            try:
                await self._db.write(write)
            except Unavailable:
                # "Last used" is worth no failed request: when the disk is full, reading goes on.
                return

        return run()


@dataclass
class _Entry:
    token: Token
    asked_at: float
    touched_at: datetime | None


class TokenCache:
    """Tokens found lately, by digest, for `CACHE_SECONDS` counted from before the database was asked."""

    def __init__(self, entries: int = _CACHE_ENTRIES) -> None:
        self._most = entries
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str, monotonic: float) -> Token | None:
        entry = self._entries.get(key)
        return entry.token if entry and monotonic - entry.asked_at < CACHE_SECONDS else None

    def put(self, key: str, token: Token, asked_at: float) -> None:
        before = self._entries.pop(key, None)
        touched = max((at for at in (token.last_used_at, before and before.touched_at) if at), default=None)
        self._entries[key] = _Entry(token, asked_at, touched)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def is_due(self, key: str, now: datetime) -> bool:
        """Whether "last used" should be written now; answers True once a minute per token."""
        entry = self._entries.get(key)
        if entry is None or (entry.touched_at is not None and now < entry.touched_at + SEEN_EVERY):
            return False
        entry.touched_at = now
        return True

    def drop_account(self, account_id: str) -> None:
        for key in [key for key, entry in self._entries.items() if entry.token.account_id == account_id]:
            del self._entries[key]

    def drop(self, token_id: str) -> None:
        for key in [key for key, entry in self._entries.items() if entry.token.id == token_id]:
            del self._entries[key]


def _is_own_account(request: HTTPConnection) -> bool:
    return request.url.path in ("/account", "/logout") or request.url.path.startswith("/account/")


def _is_this_machine(request: HTTPConnection) -> bool:
    """Loopback, or the very address this server answers on: a connection from oneself comes from there."""
    if request.client is None:
        return False
    server = request.scope.get("server")
    return is_loopback(request.client.host) or bool(server and server[0] == request.client.host)


def _session_and_teams(db: DatabaseSession, key: str) -> tuple[Session, Person, frozenset[str]] | None:
    found = store.session_by_digest(db, key)
    return (*found, store_teams.names_of(db, found[1].id)) if found else None


def _token_and_place(db: DatabaseSession, key: str) -> Token | None:
    """The token; one of a service account with the teams of that, and none while that is disabled."""
    token = store.token_by_digest(db, key)
    if token is None or token.account_id is None:
        return token
    account = store_people.account(db, token.account_id)
    if account is None or account.disabled_at is not None:
        return None
    return replace(token, teams=store_teams.names_of(db, account.id))


def _actor_of(token: Token) -> Actor:
    teams = None if Scope.ADMIN in token.scopes else token.teams
    return Actor(id=token.id, kind="token", name=token.name, scopes=token.scopes, teams=teams)
