"""The API of objectives: definitions, figures, series, alerts, who spent a budget."""

# Annotations are kept as objects for FastAPI.
import asyncio
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import AwareDatetime
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.etag import etag_of, require_match, with_etag
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.parts import clock_part, database_part, part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.slo import reading, spending, store, store_counts, suggest
from watchkeeper.modules.slo.definition import Definition, Objective
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.errors import SloInvalid, SloNotFound
from watchkeeper.modules.slo.model import Spending
from watchkeeper.modules.slo.permissions import CHANGE_SLOS, VIEW_SLOS
from watchkeeper.modules.slo.service import Slos
from watchkeeper.modules.slo.store import Stored
from watchkeeper.modules.slo.wire import (
    AlertList,
    AlertView,
    DefinitionBody,
    FiguresList,
    FiguresView,
    PointView,
    RevisionList,
    RevisionView,
    SeriesView,
    SloView,
    SpendingView,
    SuggestionList,
    SuggestionView,
)
from watchkeeper.modules.telemetry.public import Telemetry

router = api_router("slo")


async def looking(engine: Annotated[Engine, part(Engine)]) -> Engine:
    """For the length of a command no engine runs: then it looks when it is asked for the first time."""
    if not engine.is_running and engine.looked_at is None:
        await asyncio.to_thread(engine.run_once)
    return engine


Viewer = Annotated[Actor, requires(VIEW_SLOS)]
Changer = Annotated[Actor, requires(CHANGE_SLOS)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
TheEngine = Annotated[Engine, Depends(looking)]
TheTelemetry = Annotated[Telemetry, part(Telemetry)]
NameInPath = Annotated[str, Path(min_length=1, max_length=63)]
OfService = Annotated[str | None, Query(max_length=200, description="Only those of this service.")]
OfObjective = Annotated[str | None, Query(max_length=63, description="Unset: the first.")]
Instant = Annotated[AwareDatetime | None, Query()]
_LONGEST = timedelta(days=400)


def require_own(session: Session, who: Actor, service: str | None) -> None:
    """Raises Forbidden for what is of a service whose team the actor is not in."""
    found = catalog.service(session, service) if service is not None else None
    if found is not None:
        catalog.require_own(session, who, found.about.owner)


def stretch(
    since: datetime | None, until: datetime | None, now: datetime, *, default: timedelta
) -> tuple[datetime, datetime]:
    """A stretch of time that was asked for; the last `default` without. Raises SloInvalid."""
    end = min(until or now, now + timedelta(minutes=1))
    start = since or end - default
    if not start < end <= start + _LONGEST:
        raise SloInvalid(
            "The stretch of time is not valid.",
            complaints=[Complaint("query.since", "an instant before `until`, at most 400 days earlier")],
        )
    return start, end


def _view(session: Session, engine: Engine, now: datetime, stored: Stored) -> SloView:
    return SloView.of(stored, reading.figures(session, engine, now, stored.name))


@router.get("/slos")
async def list_slos(who: Viewer, db: Db, clock: Now, engine: TheEngine, service: OfService = None) -> FiguresList:
    """Every objective now, worst first."""
    found = await db.ask(lambda session: reading.all_figures(session, engine, clock.now(), service=service))
    return FiguresList(items=[FiguresView.of(one) for one in found])


@router.post("/slos", status_code=201, response_model=SloView)
async def define(
    who: Changer, order: DefinitionBody, db: Db, clock: Now, engine: TheEngine, once: Annotated[Once, once()]
) -> Response:
    """Define an SLO."""
    definition = Definition.model_validate(order.model_dump())

    def make(session: Session) -> Answer:
        require_own(session, who, definition.service)
        made = Slos(session, clock).put(definition, by=who.id, source="api", managed_by="api", only_new=True)
        return Answer(_view(session, engine, clock.now(), made).model_dump(mode="json"))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    return answer.response()


@router.get("/slos/suggest")
async def suggestions(
    who: Viewer, clock: Now, telemetry: TheTelemetry, service: Annotated[str, Query(min_length=1, max_length=200)]
) -> SuggestionList:
    """SLOs that the last four weeks' traffic of a service would have met."""
    found = await telemetry.run(lambda store: suggest.suggest(store, service, clock.now()))
    return SuggestionList(
        items=[SuggestionView(**{**vars(one), "definition": one.definition.model_dump(mode="json")}) for one in found]
    )


@router.get("/slos/{name}", response_model=SloView)
async def show(who: Viewer, name: NameInPath, db: Db, clock: Now, engine: TheEngine) -> Response:
    """One SLO: what it is, and how it does."""

    def read(session: Session) -> tuple[Stored, SloView]:
        stored = Slos(session, clock).slo(name)
        return stored, _view(session, engine, clock.now(), stored)

    stored, view = await db.ask(read)
    return with_etag(JSONResponse(view.model_dump(mode="json")), etag_of([stored.id, stored.version]))


@router.put("/slos/{name}", response_model=SloView)
async def change(
    request: Request, who: Changer, name: NameInPath, order: DefinitionBody, db: Db, clock: Now, engine: TheEngine
) -> Response:
    """Say it anew; with `If-Match`, only if nobody else did meanwhile. One that is not there is defined."""
    definition = Definition.model_validate(order.model_dump())
    if definition.name != name:
        raise SloInvalid(
            "The name is not that of the address.", complaints=[Complaint("name", f"{name}: an SLO keeps its name")]
        )

    def write(session: Session) -> tuple[Stored, SloView]:
        before = store.by_name(session, name, lock=True)
        require_own(session, who, definition.service)
        if before is not None:
            require_own(session, who, before.definition.service)
            require_match(request, etag_of([before.id, before.version]))
        stored = Slos(session, clock).put(definition, by=who.id, source="api", managed_by="api")
        return stored, _view(session, engine, clock.now(), stored)

    stored, view = await db.write(write)
    return with_etag(JSONResponse(view.model_dump(mode="json")), etag_of([stored.id, stored.version]))


@router.delete("/slos/{name}", status_code=204)
async def remove(
    who: Changer, name: NameInPath, db: Db, clock: Now, reason: Annotated[str, Query(max_length=500)] = ""
) -> None:
    """Remove an SLO and what was counted of it; its alerts stay in the record."""

    def write(session: Session) -> None:
        slos = Slos(session, clock)
        require_own(session, who, slos.slo(name).definition.service)
        slos.remove(name, by=who.id, source="api", reason=reason)

    await db.write(write)


@router.get("/slos/{name}/series")
async def series(
    who: Viewer,
    name: NameInPath,
    db: Db,
    clock: Now,
    engine: TheEngine,
    objective: OfObjective = None,
    since: Instant = None,
    until: Instant = None,
    step: Annotated[int | None, Query(ge=60, le=31_536_000, description="Seconds; unset: about 150 points.")] = None,
) -> SeriesView:
    """Counts over time; null where nothing was measured."""
    start, end = stretch(since, until, clock.now(), default=timedelta(hours=6))
    width = None if step is None else timedelta(seconds=step)
    target, points = await db.ask(
        lambda session: (
            _objective(Slos(session, clock).slo(name), objective),
            reading.series(session, engine, name, objective, start, end, width),
        )
    )
    return SeriesView(slo=name, objective=target.name, points=[PointView.of(one) for one in points])


@router.get("/slos/{name}/alerts")
async def alerts_of(who: Viewer, name: NameInPath, db: Db, clock: Now) -> AlertList:
    """The newest hundred episodes of an SLO's alerts."""

    def read(session: Session) -> AlertList:
        Slos(session, clock).slo(name)
        return AlertList(items=[AlertView.of(one) for one in store_counts.episodes(session, slo=name)])

    return await db.ask(read)


@router.get("/slos/{name}/revisions")
async def revisions(who: Viewer, name: NameInPath, db: Db, clock: Now) -> RevisionList:
    """Hours that late data changed after they had been told."""

    def read(session: Session) -> RevisionList:
        Slos(session, clock).slo(name)
        return RevisionList(items=[RevisionView.of(one) for one in store_counts.all_revisions(session, slo=name)])

    return await db.ask(read)


@router.get("/slos/{name}/spending")
async def spent(
    who: Viewer,
    name: NameInPath,
    db: Db,
    clock: Now,
    engine: TheEngine,
    telemetry: TheTelemetry,
    objective: OfObjective = None,
    since: Instant = None,
    until: Instant = None,
) -> SpendingView:
    """Who spent the budget: bad events by route, release and incident."""
    start, end = stretch(since, until, clock.now(), default=timedelta(days=1))

    def read(asked: Telemetry) -> tuple[str, Spending]:
        with db.read() as session:
            stored = Slos(session, clock).slo(name)
            target = _objective(stored, objective)
            return target.name, spending.by_cause(session, engine, asked, stored, target, start, end)

    target, found = await telemetry.run(read)
    return SpendingView.of(name, target, start, end, found)


def _objective(stored: Stored, name: str | None) -> Objective:
    for one in stored.definition.objectives:
        if name is None or one.name == name:
            return one
    raise SloNotFound(f"{stored.name} has no objective {str(name)[:63]!r}.")
