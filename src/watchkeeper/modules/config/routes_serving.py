"""What services ask: the snapshot, the stream of its changes, and where they tell about themselves."""

# Annotations are kept as objects for FastAPI.
import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Query, Request
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.etag import not_modified
from watchkeeper.kernel.web.sse import Encoded, event_stream, last_event_id
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.config import reports
from watchkeeper.modules.config.hub import Held, Hub
from watchkeeper.modules.config.permissions import DECLARE_PARAMETERS, READ_SNAPSHOT, REPORT_USAGE
from watchkeeper.modules.config.routes import Db, InEnvironment, Now, Settings, TheHub
from watchkeeper.modules.config.service import Config
from watchkeeper.modules.config.wire import RegisteredView, Registration, ReportBody

router = api_router("config")

Reading = Annotated[Actor, requires(READ_SNAPSHOT)]
Declaring = Annotated[Actor, requires(DECLARE_PARAMETERS)]
Reporting = Annotated[Actor, requires(REPORT_USAGE)]

# A stream ends after a while and the client comes back: by then its token may have been revoked.
STREAM_SECONDS = 300.0
HEARTBEAT_SECONDS = 10.0


@router.get(
    "/config/snapshot", response_class=Response, responses={200: {"content": {"application/json": {}}}, 304: {}}
)
async def read_snapshot(
    who: Reading, request: Request, hub: TheHub, settings: Settings, environment: InEnvironment = ""
) -> Response:
    """Everything that a client needs to decide for itself. Its ETag is that of the content on every replica."""
    held = hub.current(environment or settings.default_environment)
    headers = {"ETag": held.etag, "Cache-Control": "private, no-cache"}
    return not_modified(request, held.etag) or Response(held.body, headers=headers, media_type="application/json")


@router.get("/config/stream", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
async def stream(
    who: Reading,
    request: Request,
    hub: TheHub,
    settings: Settings,
    environment: InEnvironment = "",
    etag: Annotated[str, Query(max_length=200, description="Of the snapshot that the client has.")] = "",
) -> Response:
    """Changes as they are committed: `snapshot` for whoever has another version, then a `change` each."""
    name = environment or settings.default_environment
    hub.current(name)
    has = last_event_id(request) or etag
    return event_stream(request, _follow(hub, name, has), heartbeat=HEARTBEAT_SECONDS, of_program=True)


@router.post("/config/register")
async def register(who: Declaring, order: Registration, db: Db, clock: Now, hub: TheHub) -> JSONResponse:
    """Say which parameters a service's code declares. New ones are added; the registry wins over other words."""

    def declare(session: Session) -> list[RegisteredView]:
        config = Config(session, clock)
        # In one order, so that two programs that start at once never wait for each other in a circle.
        declared = sorted((one.definition() for one in order.parameters), key=lambda one: one.key)
        found = []
        for definition in declared:
            outcome, detail = config.declare(order.service, definition, by=who.id)
            found.append(RegisteredView(key=definition.key, outcome=outcome, detail=detail))
        return found

    found = await db.write(declare)
    await hub.catch_up()
    return JSONResponse({"items": [one.model_dump() for one in found]})


@router.post("/config/report", status_code=204)
async def report(who: Reporting, order: ReportBody, db: Db, clock: Now) -> Response:
    """Say which version a program uses, what its environment variables say, and what it served."""
    said = order.report()
    await db.write(lambda session: reports.take_report(session, clock, order.environment, said))
    return Response(status_code=204)


async def _follow(hub: Hub, environment: str, has: str) -> AsyncIterator[Encoded]:
    end = asyncio.get_running_loop().time() + STREAM_SECONDS
    held = hub.current(environment)
    if held.etag != has:
        yield _event("snapshot", held, held.body)
    while (left := end - asyncio.get_running_loop().time()) > 0:
        newer = await hub.moved(environment, held.etag, seconds=left)
        if newer is None:
            return
        follows = newer.previous == held.etag
        yield _event("change", newer, newer.delta) if follows else _event("snapshot", newer, newer.body)
        held = newer


def _event(kind: str, held: Held, data: bytes) -> Encoded:
    return Encoded(b"event: %s\nid: %s\ndata: %s\n\n" % (kind.encode(), held.etag.encode(), data))
