"""`Idempotency-Key`: a POST that creates may be sent again after a lost answer, and creates once."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Request
from pydantic_core import to_jsonable_python
from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.db.shared_tables import idempotency_keys as keys
from watchkeeper.kernel.errors import Invalid
from watchkeeper.kernel.web.access import current_actor
from watchkeeper.kernel.web.parts import clock_of

REPLAYED = "Idempotency-Replayed"


class KeyReused(Invalid):
    """The key was used before with another body: one of the two requests is a mistake."""

    code = "kernel.idempotency_key_reused"
    title = "The Idempotency-Key belongs to another request"


@dataclass(frozen=True)
class Answer:
    """What a creating verb answers. `replay` replaces the body when it is repeated, for secrets shown only once."""

    body: Any
    status: int = 201
    headers: Mapping[str, str] = field(default_factory=dict)
    replay: Any = None

    def response(self) -> Response:
        """The answer as JSON."""
        content = b"" if self.body is None else orjson.dumps(to_jsonable_python(self.body))
        return Response(content, self.status, dict(self.headers), "application/json")


def idempotent(
    session: Session,
    key: str,
    actor: str,
    request_hash: str,
    verb: Callable[[], Answer],
    *,
    route: str,
    at: datetime,
) -> Answer:
    """Run `verb` once for this actor, route and key, in this transaction; a repetition gets the first answer.

    Raises KeyReused when the body differs. A verb that refuses leaves no trace, so the key can be used again.
    """
    mine = (keys.c.actor == actor) & (keys.c.route == route) & (keys.c.key == key)
    if not _claim(session, actor=actor, route=route, key=key, request_hash=request_hash, at=at):
        row = session.execute(select(keys).where(mine)).one()
        if row.request_hash != request_hash:
            raise KeyReused("This Idempotency-Key was already used with another body.")
        return Answer(orjson.loads(row.body), row.status, {**row.headers, REPLAYED: "true"})
    answer = verb()
    remembered = answer.body if answer.replay is None else answer.replay
    session.execute(
        update(keys)
        .where(mine)
        .values(
            status=answer.status,
            headers=dict(answer.headers),
            body=orjson.dumps(to_jsonable_python(remembered)).decode(),
        )
    )
    return answer


def forget_answers(session: Session, *, before: datetime) -> int:
    """Delete what was remembered before an instant; returns how many."""
    result = session.execute(delete(keys).where(keys.c.created_at < before))
    return result.rowcount if isinstance(result, CursorResult) else 0


@dataclass(frozen=True)
class Once:
    """One creating request: run its verb through it and answer with the result."""

    key: str | None
    actor: str
    route: str
    request_hash: str
    at: datetime

    def run(self, session: Session, verb: Callable[[], Answer]) -> Answer:
        """The verb's answer, or that of the first request with this key."""
        if self.key is None:
            return verb()
        return idempotent(session, self.key, self.actor, self.request_hash, verb, route=self.route, at=self.at)


async def _once(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            pattern=r"^[\x21-\x7e]+$",
            description="Any text of yours, unique for what is created. Sent again with the same body within a day, it "
            "gets the first answer instead of creating twice.",
        ),
    ] = None,
) -> Once:
    actor = await current_actor(request)
    body = await request.body()
    return Once(
        key=idempotency_key,
        actor=actor.id if actor else "anonymous",
        route=f"{request.method} {request.url.path}"[:200],
        request_hash=sha256(body).hexdigest(),
        at=clock_of(request).now(),
    )


def once() -> Any:
    """`once: Annotated[Once, once()]`, then `answer = await db.write(lambda s: once.run(s, lambda: create(s)))`."""
    return Depends(_once)


def _claim(session: Session, *, actor: str, route: str, key: str, request_hash: str, at: datetime) -> bool:
    # Written first: a second request with the key waits here on PostgreSQL until the first has committed its answer.
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    values = {
        "actor": actor,
        "route": route,
        "key": key,
        "request_hash": request_hash,
        "status": 0,
        "headers": {},
        "body": "null",
        "created_at": at,
    }
    # RETURNING, since psycopg has no row count left once an INSERT's cursor is closed.
    result = session.execute(dialect.insert(keys).values(values).on_conflict_do_nothing().returning(keys.c.key))
    return result.first() is not None
