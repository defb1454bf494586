"""The API of schedules and policies, and of who is on call."""

# Annotations are kept as objects for FastAPI.
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import Path, Query, Request
from pydantic import AwareDatetime
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.etag import etag_of, require_match, with_etag
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.parts import clock_part, database_part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.oncall import reading, store
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.errors import ScheduleInvalid
from watchkeeper.modules.oncall.model import Span
from watchkeeper.modules.oncall.people import Addresses, people_in
from watchkeeper.modules.oncall.permissions import CHANGE_ONCALL, VIEW_ONCALL
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.service import Definitions, advice, require_sound
from watchkeeper.modules.oncall.store import Stored
from watchkeeper.modules.oncall.wire import (
    CheckView,
    NowView,
    OnCallNowView,
    PlannedView,
    PlanView,
    PolicyList,
    PolicyView,
    PreviewView,
    ScheduleList,
    ScheduleView,
    SpanView,
)
from watchkeeper.modules.oncall.words import Severity

router = api_router("oncall", prefix="/api/v1/oncall")

Viewer = Annotated[Actor, requires(VIEW_ONCALL)]
Changer = Annotated[Actor, requires(CHANGE_ONCALL)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
NameInPath = Annotated[str, Path(min_length=1, max_length=63)]
Moment = Annotated[AwareDatetime | None, Query(description="Unset: now.")]
ContentT = TypeVar("ContentT", Schedule, Policy)
_FIRST, _LAST = 1970, 2999


def at_of(said: datetime | None, clock: Clock) -> datetime:
    """The instant that was asked for, or now. Raises ScheduleInvalid for one out of all reason."""
    at = (said or clock.now()).replace(microsecond=0)
    if not _FIRST < at.year < _LAST:
        complaint = Complaint("query.at", f"an instant between the years {_FIRST} and {_LAST}")
        raise ScheduleInvalid("The instant is not valid.", complaints=[complaint])
    return at


def stretch(since: datetime | None, until: datetime | None, clock: Clock) -> tuple[datetime, datetime]:
    """The stretch that was asked for; the next 14 days without. Raises ScheduleInvalid."""
    start = at_of(since, clock)
    end = (until or start + reading.PREVIEW).replace(microsecond=0)
    if not start < end <= start + reading.LONGEST_PREVIEW:
        complaint = Complaint("query.until", "an instant after `since`, at most 100 days later")
        raise ScheduleInvalid("The stretch of time is not valid.", complaints=[complaint])
    return start, end


def names_in(session: Session, spans: list[Span]) -> dict[str, str]:
    """What everybody in these spans is called."""
    ids = {who for one in spans for who in (one.who, one.duty.instead_of, *one.duty.also) if who is not None}
    return identity.names(session, ids)


def require_own(session: Session, who: Actor, *contents: Schedule | Policy | None) -> None:
    """Raises Forbidden for what is of a team that the actor is not in."""
    for content in contents:
        if content is not None:
            catalog.require_own(session, who, content.team)


def etag(stored: Stored[Any]) -> str:
    """The version that `If-Match` names."""
    return etag_of([stored.id, stored.version])


def _schedule_view(session: Session, clock: Clock, stored: Stored[Schedule]) -> ScheduleView:
    people = people_in(stored.content)
    return ScheduleView.of(stored, people, identity.names(session, people), advice(session, stored.content, clock))


def _policy_view(session: Session, clock: Clock, stored: Stored[Policy]) -> PolicyView:
    people = people_in(stored.content)
    return PolicyView.of(stored, people, identity.names(session, people), advice(session, stored.content, clock))


def _view(session: Session, clock: Clock, stored: Stored[Any]) -> ScheduleView | PolicyView:
    if isinstance(stored.content, Schedule):
        return _schedule_view(session, clock, stored)
    return _policy_view(session, clock, stored)


@router.get("/now")
async def on_call_now(
    who: Viewer,
    db: Db,
    clock: Now,
    service: Annotated[str | None, Query(max_length=200, description="Only what its policy calls.")] = None,
    at: Moment = None,
) -> NowView:
    """Who is on call now, or was or will be at an instant."""
    moment = at_of(at, clock)

    def read(session: Session) -> NowView:
        found = reading.now(session, moment, service=service)
        policy = reading.policy_of(session, service=service) if service is not None else None
        spans = [span for one in found for span in (one.span, one.next) if span is not None]
        names = names_in(session, spans)
        return NowView(
            at=moment,
            policy=policy.name if policy is not None else None,
            items=[OnCallNowView.of(one, names) for one in found],
        )

    return await db.ask(read)


# --- schedules ---


@router.get("/schedules")
async def list_schedules(who: Viewer, db: Db, clock: Now) -> ScheduleList:
    """Every schedule by name."""

    def read(session: Session) -> ScheduleList:
        return ScheduleList(items=[_schedule_view(session, clock, one) for one in store.all_of(session, Schedule)])

    return await db.ask(read)


@router.post("/schedules", status_code=201, response_model=ScheduleView)
async def make_schedule(who: Changer, order: Schedule, db: Db, clock: Now, once: Annotated[Once, once()]) -> Response:
    """Make a schedule."""
    return await _make(db, clock, who, order, once)


@router.post("/schedules/check")
async def check_schedule(who: Changer, order: Schedule, db: Db, clock: Now) -> CheckView:
    """What would be said of a schedule before it is saved; refused as saving would be."""
    return await _check(db, clock, order)


@router.get("/schedules/{name}", response_model=ScheduleView)
async def show_schedule(who: Viewer, name: NameInPath, db: Db, clock: Now) -> Response:
    """One schedule."""
    return await _show(db, clock, lambda session: Definitions(session, clock).schedule(name))


@router.put("/schedules/{name}", response_model=ScheduleView)
async def change_schedule(
    request: Request, who: Changer, name: NameInPath, order: Schedule, db: Db, clock: Now
) -> Response:
    """Say it anew, if nobody else did meanwhile: `If-Match`. One that is not there is made."""
    return await _change(request, db, clock, who, name, order)


@router.delete("/schedules/{name}", status_code=204)
async def remove_schedule(who: Changer, name: NameInPath, db: Db, clock: Now) -> None:
    """Remove a schedule and its overrides; refused while a policy calls it."""

    def write(session: Session) -> None:
        verbs = Definitions(session, clock)
        require_own(session, who, verbs.schedule(name).content)
        verbs.remove_schedule(name, by=who.id, source="api")

    await db.write(write)


@router.get("/schedules/{name}/preview")
async def preview(
    who: Viewer, name: NameInPath, db: Db, clock: Now, since: Moment = None, until: Moment = None
) -> PreviewView:
    """Who is on call when: the next 14 days, or up to 100 days from an instant."""
    start, end = stretch(since, until, clock)

    def read(session: Session) -> PreviewView:
        stored = Definitions(session, clock).schedule(name)
        found = reading.preview(session, name, start, end)
        names = names_in(session, found)
        items = [SpanView.of(one, names) for one in found]
        return PreviewView(schedule=name, time_zone=stored.content.time_zone, items=items)

    return await db.ask(read)


# --- policies ---


@router.get("/policies")
async def list_policies(who: Viewer, db: Db, clock: Now) -> PolicyList:
    """Every escalation policy by name."""

    def read(session: Session) -> PolicyList:
        return PolicyList(items=[_policy_view(session, clock, one) for one in store.all_of(session, Policy)])

    return await db.ask(read)


@router.post("/policies", status_code=201, response_model=PolicyView)
async def make_policy(who: Changer, order: Policy, db: Db, clock: Now, once: Annotated[Once, once()]) -> Response:
    """Make an escalation policy."""
    return await _make(db, clock, who, order, once)


@router.post("/policies/check")
async def check_policy(who: Changer, order: Policy, db: Db, clock: Now) -> CheckView:
    """What would be said of a policy before it is saved; refused as saving would be."""
    return await _check(db, clock, order)


@router.get("/policies/{name}", response_model=PolicyView)
async def show_policy(who: Viewer, name: NameInPath, db: Db, clock: Now) -> Response:
    """One escalation policy."""
    return await _show(db, clock, lambda session: Definitions(session, clock).policy(name))


@router.put("/policies/{name}", response_model=PolicyView)
async def change_policy(
    request: Request, who: Changer, name: NameInPath, order: Policy, db: Db, clock: Now
) -> Response:
    """Say it anew, if nobody else did meanwhile: `If-Match`. One that is not there is made."""
    return await _change(request, db, clock, who, name, order)


@router.delete("/policies/{name}", status_code=204)
async def remove_policy(who: Changer, name: NameInPath, db: Db, clock: Now) -> None:
    """Remove an escalation policy; what it was for goes by the default one."""

    def write(session: Session) -> None:
        verbs = Definitions(session, clock)
        require_own(session, who, verbs.policy(name).content)
        verbs.remove_policy(name, by=who.id, source="api")

    await db.write(write)


@router.get("/policies/{name}/preview")
async def preview_policy(
    who: Viewer, name: NameInPath, db: Db, clock: Now, severity: Severity = "critical", at: Moment = None
) -> PlanView:
    """Who would be called when, if an alert came now and nobody did anything."""
    moment = at_of(at, clock)

    def read(session: Session) -> PlanView:
        policy = Definitions(session, clock).policy(name).content
        found = reading.plan_of(session, policy, severity, moment)
        names = identity.names(session, {one for step in found for one in step.people})
        return PlanView(policy=name, severity=severity, at=moment, items=[PlannedView.of(one, names) for one in found])

    return await db.ask(read)


# --- what both do alike ---


async def _make(db: Database, clock: Clock, who: Actor, order: ContentT, once: Once) -> Response:
    def make(session: Session) -> Answer:
        content = Addresses.read(session).kept(order)
        require_own(session, who, content)
        made = Definitions(session, clock).put(content, by=who.id, source="api", managed_by="api", only_new=True)
        return Answer(_view(session, clock, made).model_dump(mode="json"), headers={"ETag": etag(made)})

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    return answer.response()


async def _check(db: Database, clock: Clock, order: Schedule | Policy) -> CheckView:
    def read(session: Session) -> CheckView:
        addresses = Addresses.read(session)
        content: Any = addresses.kept(order)  # type: ignore[type-var]
        require_sound(session, content)
        return CheckView(advice=advice(session, content, clock))

    return await db.ask(read)


async def _show(db: Database, clock: Clock, find: Any) -> Response:
    def read(session: Session) -> tuple[Stored[Any], Any]:
        stored = find(session)
        return stored, _view(session, clock, stored)

    stored, view = await db.ask(read)
    return with_etag(JSONResponse(view.model_dump(mode="json")), etag(stored))


async def _change(request: Request, db: Database, clock: Clock, who: Actor, name: str, order: ContentT) -> Response:
    if order.name != name:
        kept = Complaint("name", f"{name}: it keeps its name")
        raise ScheduleInvalid("The name is not that of the address.", complaints=[kept])

    def write(session: Session) -> tuple[Stored[Any], Any]:
        content = Addresses.read(session).kept(order)
        before = store.by_name(session, type(order), name, lock=True)
        require_own(session, who, content, before.content if before is not None else None)
        if before is not None:
            require_match(request, etag(before))
        stored = Definitions(session, clock).put(content, by=who.id, source="api", managed_by="api")
        return stored, _view(session, clock, stored)

    stored, view = await db.write(write)
    return with_etag(JSONResponse(view.model_dump(mode="json")), etag(stored))
