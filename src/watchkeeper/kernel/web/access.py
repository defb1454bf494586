"""Who may do what: every route states its permission in its own signature.

`who: Annotated[Actor, requires(VIEW_TELEMETRY)]` or `who: Annotated[Actor | None, public("why")]`.
"""

# Annotations are kept as objects: FastAPI reads those of the guards below, and instances have no module globals.
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol

from fastapi import Depends, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.requests import HTTPConnection, Request
from starlette.routing import BaseRoute, Mount

from watchkeeper.kernel.errors import Forbidden, Unauthenticated
from watchkeeper.kernel.web.csrf import check_origin, check_token, is_unsafe
from watchkeeper.kernel.web.parts import parts_of

_ACTOR = "watchkeeper.actor"


class Scope(StrEnum):
    """What a token or a person is allowed.

    ADMIN covers WRITE, which covers RESPOND and INTAKE; RESPOND covers READ. INTAKE and RUNNER cover only themselves,
    and nothing covers RUNNER: whoever has it says how commands ended. SAFETY and
    PRIVACY are duties: nothing else covers them, so that looking at the product's users is somebody's task by name.
    """

    READ = "read"
    RESPOND = "respond"
    WRITE = "write"
    ADMIN = "admin"
    INTAKE = "intake"
    RUNNER = "runner"
    SAFETY = "safety"
    PRIVACY = "privacy"


_RESPOND = frozenset({Scope.RESPOND, Scope.READ})
_WRITE = _RESPOND | {Scope.WRITE, Scope.INTAKE}
_COVERS = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.RESPOND: _RESPOND,
    Scope.WRITE: _WRITE,
    Scope.ADMIN: _WRITE | {Scope.ADMIN},
    Scope.INTAKE: frozenset({Scope.INTAKE}),
    Scope.RUNNER: frozenset({Scope.RUNNER}),
    Scope.SAFETY: frozenset({Scope.SAFETY}),
    Scope.PRIVACY: frozenset({Scope.PRIVACY}),
}


@dataclass(frozen=True)
class Permission:
    """A named thing one may do, and the least scope that allows it."""

    name: str
    scope: Scope


@dataclass(frozen=True)
class Public:
    """A route that asks for no permission, and the reason why."""

    reason: str


@dataclass(frozen=True)
class Actor:
    """Who acts: a signed-in person, an API token, the machine's own command line, or Watchkeeper itself.

    `teams` are the names of the teams whose services the actor may change; None stands for every team's. `proved_at` is
    when a person last showed who they are.
    """

    id: str
    kind: Literal["person", "token", "local", "system"]
    name: str
    scopes: frozenset[Scope]
    session_id: str | None = None
    teams: frozenset[str] | None = None
    proved_at: datetime | None = None

    def may(self, permission: Permission) -> bool:
        """Whether one of the actor's scopes covers the permission's."""
        return any(permission.scope in _COVERS[scope] for scope in self.scopes)

    def acts_for(self, team: str | None) -> bool:
        """Whether what belongs to this team is the actor's to change. What belongs to nobody is everybody's."""
        return team is None or self.teams is None or team in self.teams

    def require_team(self, team: str | None) -> None:
        """Raises Forbidden when what belongs to this team is not the actor's to change."""
        if not self.acts_for(team):
            raise Forbidden(f"This belongs to {team}, and {self.name} is not in that team.")


class Authenticator(Protocol):
    """Finds out who sends a request, from its cookie or bearer token."""

    async def authenticate(self, request: HTTPConnection) -> Actor | None:
        """The actor; None when nobody claims to be there. Raises Unauthenticated for a claim that is wrong."""
        ...

    def require_proof(self, actor: Actor) -> None:
        """Raises Forbidden for a person who showed who they are too long ago for what protects an account."""
        ...


async def current_actor(connection: HTTPConnection) -> Actor | None:
    """Who sends this request; asked of the Authenticator once per request."""
    state = connection.scope.setdefault("state", {})
    if _ACTOR not in state:
        # mypy: a Protocol is registered under its own class
        authenticator = parts_of(connection).find(Authenticator)
        state[_ACTOR] = await authenticator.authenticate(connection) if authenticator else None
    actor: Actor | None = state[_ACTOR]
    return actor


def known_actor(connection: HTTPConnection) -> Actor | None:
    """Who sends this request, if that was already found out."""
    actor: Actor | None = connection.scope.get("state", {}).get(_ACTOR)
    return actor


@dataclass(frozen=True)
class _Requires:
    permission: Permission
    proved_lately: bool = False

    async def __call__(self, request: Request) -> Actor:
        actor = await authorise(request, self.permission)
        if self.proved_lately:
            parts_of(request)[Authenticator].require_proof(actor)
        return actor


@dataclass(frozen=True)
class _Open:
    access: Public
    csrf: bool

    async def __call__(self, request: Request) -> Actor | None:
        actor = await _claimed_actor(request)
        if self.csrf and is_unsafe(request.method):
            check_origin(request)
            await check_token(request, actor.session_id if actor else None)
        return actor


async def _claimed_actor(request: Request) -> Actor | None:
    try:
        return await current_actor(request)
    except Unauthenticated:
        # A public route serves a stale cookie like no cookie: the sign-in page must open for it.
        return None


async def authorise(request: Request, permission: Permission) -> Actor:
    """The actor, who may; raises Unauthenticated or Forbidden. Cookie sessions must prove unsafe requests theirs."""
    actor = await current_actor(request)
    if actor is None:
        raise Unauthenticated("This needs a signed-in person or a bearer token.")
    if actor.session_id is not None and is_unsafe(request.method):
        check_origin(request)
        await check_token(request, actor.session_id)
    if not actor.may(permission):
        raise Forbidden(f"{actor.name} lacks the scope '{permission.scope}', which '{permission.name}' needs.")
    return actor


def requires(permission: Permission, *, proved_lately: bool = False) -> Any:
    """Marks a route as needing `permission` and hands it the actor.

    `proved_lately`: a person must have shown who they are a short while ago, so that an unattended browser can't
    change what protects an account. Programs prove it with each request.
    """
    return Depends(_Requires(permission, proved_lately))


def public(reason: str, *, csrf: bool = True) -> Any:
    """Marks a route as open to anybody and hands it the actor, if there is one.

    Unsafe methods still need the form token of a page of ours; `csrf=False` is for routes that other machines call
    and that no cookie makes more powerful.
    """
    return Depends(_Open(Public(reason), csrf))


def permission_of(route: Any) -> Permission | Public | None:
    """What a route or a mounted app asks for; None when it does not say."""
    dependant = getattr(route, "dependant", None)
    if dependant is not None:
        return _permission_of_dependant(dependant)
    if isinstance(route, Mount):
        route = route.app
    for holder in (route, getattr(route, "endpoint", None), getattr(route, "app", None)):
        stated = getattr(holder, "permission", None)
        if isinstance(stated, (Permission, Public)):
            return stated
    return None


def _permission_of_dependant(dependant: Any) -> Permission | Public | None:
    for needed in dependant.dependencies:
        if isinstance(needed.call, _Requires):
            return needed.call.permission
        if isinstance(needed.call, _Open):
            return needed.call.access
        if found := _permission_of_dependant(needed):
            return found
    return None


@dataclass(frozen=True)
class StatedRoute:
    """One route as the outside sees it: full path, methods, and what it asks for."""

    path: str
    methods: frozenset[str]
    permission: Permission | Public | None
    route: BaseRoute


def stated_routes(app: FastAPI) -> Iterator[StatedRoute]:
    """Every route and mount of the app with its permission."""
    for context in iter_route_contexts(app.routes):
        path = context.path_format or context.path or ""
        stated = permission_of(context.original_route)
        yield StatedRoute(path, frozenset(context.methods or ()), stated, context.original_route)
