"""The API of integrations and heartbeats."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Path, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.etag import check_match, etag_of, with_etag
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.alerts import store_heartbeats, store_integrations
from watchkeeper.modules.alerts.heartbeats import Heartbeats
from watchkeeper.modules.alerts.integrations import Integrations
from watchkeeper.modules.alerts.permissions import MANAGE_HEARTBEATS, MANAGE_INTEGRATIONS
from watchkeeper.modules.alerts.public import Alerting
from watchkeeper.modules.alerts.routes import Db, Now, TheAlerting, Viewer, require_own
from watchkeeper.modules.alerts.wire_ways import (
    HeartbeatBody,
    HeartbeatDetail,
    HeartbeatList,
    HeartbeatView,
    IntegrationBody,
    IntegrationList,
    IntegrationView,
    IntegrationWithKey,
    PingView,
)

router = api_router("alerts")
Integrator = Annotated[Actor, requires(MANAGE_INTEGRATIONS)]
Keeper = Annotated[Actor, requires(MANAGE_HEARTBEATS)]
Name = Annotated[str, Path(min_length=1, max_length=63, description="Its name or id.")]
Reason = Annotated[str, Query(max_length=500, description="Why.")]
_SHOWN_PINGS = 50


@router.get("/alerts/integrations")
async def integrations(who: Viewer, db: Db) -> IntegrationList:
    """Ways in, by name."""
    found = await db.ask(store_integrations.all_integrations)
    return IntegrationList(items=[IntegrationView.of(one) for one in found])


@router.post("/alerts/integrations", status_code=201, response_model=IntegrationWithKey)
async def add_integration(
    who: Integrator, order: IntegrationBody, db: Db, clock: Now, once: Annotated[Once, once()]
) -> Response:
    """Add a way in. Its key is in the answer, and nowhere else ever again."""

    def make(session: Session) -> Answer:
        require_own(session, who, order.service)
        stored, key = Integrations(session, clock).add(order.parsed(), by=who.id, source="api")
        return _with_key(IntegrationWithKey.with_key(stored, key))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    return answer.response()


@router.get("/alerts/integrations/{name}", response_model=IntegrationView)
async def integration(who: Viewer, name: Name, db: Db, clock: Now) -> Response:
    """One way in."""
    stored = await db.ask(lambda session: Integrations(session, clock).get(name))
    view = IntegrationView.of(stored)
    return with_etag(JSONResponse(view.model_dump(mode="json")), etag_of([stored.version]))


@router.put("/alerts/integrations/{name}")
async def change_integration(
    request: Request, who: Integrator, name: Name, order: IntegrationBody, db: Db, clock: Now
) -> IntegrationView:
    """Change a way in; its keys stay. With `If-Match`, only the version that it names."""

    def write(session: Session) -> IntegrationView:
        verbs = Integrations(session, clock)
        before = verbs.get(name)
        check_match(request, etag_of([before.version]))
        require_own(session, who, before.integration.service)
        require_own(session, who, order.service)
        return IntegrationView.of(verbs.change(name, order.parsed(), by=who.id, source="api"))

    return await db.write(write)


@router.delete("/alerts/integrations/{name}", status_code=204)
async def remove_integration(who: Integrator, name: Name, db: Db, clock: Now, reason: Reason = "") -> None:
    """Remove a way in with its keys; its alerts stay."""

    def write(session: Session) -> None:
        verbs = Integrations(session, clock)
        require_own(session, who, verbs.get(name).integration.service)
        verbs.remove(name, reason=reason, by=who.id, source="api")

    await db.write(write)


@router.post("/alerts/integrations/{name}/keys", status_code=201, response_model=IntegrationWithKey)
async def rotate_key(who: Integrator, name: Name, db: Db, clock: Now, once: Annotated[Once, once()]) -> Response:
    """Make another key: the newest before it opens for seven days more, any older one no longer."""

    def make(session: Session) -> Answer:
        verbs = Integrations(session, clock)
        require_own(session, who, verbs.get(name).integration.service)
        stored, key = verbs.rotate(name, by=who.id, source="api")
        return _with_key(IntegrationWithKey.with_key(stored, key))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    return answer.response()


@router.delete("/alerts/integrations/{name}/keys/{key_id}")
async def revoke_key(who: Integrator, name: Name, key_id: str, db: Db, clock: Now) -> IntegrationView:
    """Revoke a key: it opens nothing a second from now."""

    def write(session: Session) -> IntegrationView:
        verbs = Integrations(session, clock)
        require_own(session, who, verbs.get(name).integration.service)
        return IntegrationView.of(verbs.revoke_key(name, key_id, by=who.id, source="api"))

    return await db.write(write)


@router.get("/alerts/heartbeats")
async def heartbeats(who: Viewer, db: Db) -> HeartbeatList:
    """Heartbeats, by name."""
    found = await db.ask(store_heartbeats.all_heartbeats)
    secret = who.may(MANAGE_HEARTBEATS)
    return HeartbeatList(items=[HeartbeatView.of(one, secret=secret) for one in found])


@router.post("/alerts/heartbeats", status_code=201, response_model=HeartbeatView)
async def add_heartbeat(
    who: Keeper, order: HeartbeatBody, db: Db, clock: Now, alerting: TheAlerting, once: Annotated[Once, once()]
) -> Response:
    """Expect something regularly, from its first ping on."""

    def make(session: Session) -> Answer:
        require_own(session, who, order.service)
        made = Heartbeats(session, clock, alerting).add(order.parsed(), by=who.id, source="api")
        return Answer(HeartbeatView.of(made, secret=True).model_dump(mode="json"))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    return answer.response()


@router.get("/alerts/heartbeats/{name}")
async def heartbeat(who: Viewer, name: Name, db: Db, clock: Now, alerting: TheAlerting) -> HeartbeatDetail:
    """One heartbeat with its newest pings."""

    def read(session: Session) -> HeartbeatDetail:
        found = Heartbeats(session, clock, alerting).get(name)
        pings = store_heartbeats.pings_of(session, found.id, limit=_SHOWN_PINGS)
        view = HeartbeatView.of(found, secret=who.may(MANAGE_HEARTBEATS))
        return HeartbeatDetail(**view.model_dump(), pings=[PingView.of(one) for one in pings])

    return await db.ask(read)


@router.put("/alerts/heartbeats/{name}")
async def change_heartbeat(
    who: Keeper, name: Name, order: HeartbeatBody, db: Db, clock: Now, alerting: TheAlerting
) -> HeartbeatView:
    """Change what is expected; its address stays."""

    def write(session: Session) -> HeartbeatView:
        verbs = _own(session, who, name, clock, alerting)
        require_own(session, who, order.service)
        return HeartbeatView.of(verbs.change(name, order.parsed(), by=who.id, source="api"), secret=True)

    return await db.write(write)


@router.delete("/alerts/heartbeats/{name}", status_code=204)
async def remove_heartbeat(
    who: Keeper, name: Name, db: Db, clock: Now, alerting: TheAlerting, reason: Reason = ""
) -> None:
    """Expect it no more; an alert of it is over."""
    await db.write(
        lambda session: _own(session, who, name, clock, alerting).remove(name, reason=reason, by=who.id, source="api")
    )


@router.post("/alerts/heartbeats/{name}/pause")
async def pause_heartbeat(who: Keeper, name: Name, db: Db, clock: Now, alerting: TheAlerting) -> HeartbeatView:
    """Expect nothing until its next ping."""
    found = await db.write(
        lambda session: _own(session, who, name, clock, alerting).pause(name, by=who.id, source="api")
    )
    return HeartbeatView.of(found, secret=True)


@router.post("/alerts/heartbeats/{name}/resume")
async def resume_heartbeat(who: Keeper, name: Name, db: Db, clock: Now, alerting: TheAlerting) -> HeartbeatView:
    """Expect it again, from its next ping on."""
    found = await db.write(
        lambda session: _own(session, who, name, clock, alerting).resume(name, by=who.id, source="api")
    )
    return HeartbeatView.of(found, secret=True)


def _own(session: Session, who: Actor, name: str, clock: Clock, alerting: Alerting) -> Heartbeats:
    """The verbs, for whoever may change this one. Raises Forbidden."""
    verbs = Heartbeats(session, clock, alerting)
    require_own(session, who, verbs.get(name).service)
    return verbs


def _with_key(view: IntegrationWithKey) -> Answer:
    plain = view.model_dump(mode="json")
    # What is remembered for a repetition must not hold the key.
    return Answer(plain, replay={**plain, "key": None})
