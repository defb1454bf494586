"""The API of silences and maintenance windows."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Query
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.alerts import store_noise
from watchkeeper.modules.alerts.errors import MaintenanceNotFound, SilenceNotFound
from watchkeeper.modules.alerts.noise import Noise
from watchkeeper.modules.alerts.permissions import PLAN_MAINTENANCE, SILENCE_ALERTS
from watchkeeper.modules.alerts.public import Alerting
from watchkeeper.modules.alerts.routes import Db, Now, TheAlerting, Viewer, require_own
from watchkeeper.modules.alerts.wire import GroupView
from watchkeeper.modules.alerts.wire_noise import (
    EndOrder,
    MaintenanceList,
    MaintenanceView,
    Matchers,
    NewMaintenance,
    NewSilence,
    Previewed,
    SilenceList,
    SilenceView,
)

router = api_router("alerts")
Silencer = Annotated[Actor, requires(SILENCE_ALERTS)]
Planner = Annotated[Actor, requires(PLAN_MAINTENANCE)]
Over = Annotated[bool, Query(description="Those that are over instead, the last first.")]
T = TypeVar("T")


@router.get("/alerts/silences")
async def silences(who: Viewer, db: Db, clock: Now, over: Over = False) -> SilenceList:
    """Silences that are not over."""
    now = clock.now()
    read = store_noise.silences_before if over else store_noise.silences_after
    found = await db.ask(lambda session: read(session, now))
    return SilenceList(items=[SilenceView.of(one, now) for one in found])


@router.post("/alerts/silences", status_code=201, response_model=SilenceView)
async def silence(
    who: Silencer, order: NewSilence, db: Db, clock: Now, alerting: TheAlerting, once: Annotated[Once, once()]
) -> Response:
    """Keep alerts quiet that fulfil all matchers, until then."""

    def make(session: Session) -> Answer:
        made = noise_on(session, clock, alerting).silence(
            order.parsed(),
            starts_at=order.starts_at,
            ends_at=order.ends_at,
            reason=order.reason,
            by=who.id,
            source="api",
        )
        return Answer(SilenceView.of(made, clock.now()).model_dump(mode="json"))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    return answer.response()


@router.post("/alerts/silences/preview")
async def preview(who: Silencer, order: Matchers, db: Db, clock: Now, alerting: TheAlerting) -> Previewed:
    """What these matchers fit now. Changes nothing."""
    found = await db.ask(lambda session: noise_on(session, clock, alerting).preview(order.parsed()))
    shown = [GroupView.of(group) for group, _ in found]
    return Previewed(groups=shown, alerts=sum(number for _, number in found))


@router.get("/alerts/silences/{silence_id}")
async def one_silence(who: Viewer, silence_id: str, db: Db, clock: Now) -> SilenceView:
    """One silence."""
    found = await db.ask(lambda session: store_noise.silence(session, silence_id))
    if found is None:
        raise SilenceNotFound(f"There is no silence {silence_id}.")
    return SilenceView.of(found, clock.now())


@router.post("/alerts/silences/{silence_id}/end")
async def end_silence(
    who: Silencer, silence_id: str, order: EndOrder, db: Db, clock: Now, alerting: TheAlerting
) -> SilenceView:
    """It is over now: what it kept quiet and still fires pages."""
    found = await on_noise(
        db,
        clock,
        alerting,
        lambda noise: noise.end_silence(silence_id, reason=order.reason, by=who.id, source="api"),
    )
    return SilenceView.of(found, clock.now())


@router.get("/alerts/maintenance")
async def maintenance(who: Viewer, db: Db, clock: Now, over: Over = False) -> MaintenanceList:
    """Maintenance windows that are not over."""
    now = clock.now()
    read = store_noise.windows_before if over else store_noise.windows_after
    found = await db.ask(lambda session: read(session, now))
    return MaintenanceList(items=[MaintenanceView.of(one, now) for one in found])


@router.post("/alerts/maintenance", status_code=201, response_model=MaintenanceView)
async def plan(
    who: Planner, order: NewMaintenance, db: Db, clock: Now, alerting: TheAlerting, once: Annotated[Once, once()]
) -> Response:
    """Plan work once or every week: nobody is paged for these services meanwhile."""

    def make(session: Session) -> Answer:
        for service in order.services:
            require_own(session, who, service)
        made = noise_on(session, clock, alerting).plan(
            services=order.services,
            environments=order.environments,
            starts_at=order.starts_at,
            ends_at=order.ends_at,
            weekly=order.weekly.parsed() if order.weekly else None,
            reason=order.reason,
            by=who.id,
            source="api",
        )
        return Answer(MaintenanceView.of(made, clock.now()).model_dump(mode="json"))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    return answer.response()


@router.get("/alerts/maintenance/{window_id}")
async def one_window(who: Viewer, window_id: str, db: Db, clock: Now) -> MaintenanceView:
    """One maintenance window."""
    found = await db.ask(lambda session: store_noise.window(session, window_id))
    if found is None:
        raise MaintenanceNotFound(f"There is no maintenance window {window_id}.")
    return MaintenanceView.of(found, clock.now())


@router.post("/alerts/maintenance/{window_id}/end")
async def end_window(
    who: Planner, window_id: str, order: EndOrder, db: Db, clock: Now, alerting: TheAlerting
) -> MaintenanceView:
    """It is over for good now: what it kept quiet and still fires pages."""
    found = await on_noise(
        db, clock, alerting, lambda noise: noise.end_window(window_id, reason=order.reason, by=who.id, source="api")
    )
    return MaintenanceView.of(found, clock.now())


def noise_on(session: Session, clock: Clock, alerting: Alerting) -> Noise:
    """The verbs on this session."""
    return Noise(session, clock, alerting.settings, alerting.watchers)


async def on_noise(db: Database, clock: Clock, alerting: Alerting, verb: Callable[[Noise], T]) -> T:
    """Do it in one transaction."""
    return await db.write(lambda session: verb(noise_on(session, clock, alerting)))
