"""Acknowledging by a link, and the record of pages."""

# Annotations are kept as objects for FastAPI.
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Form, Path, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.web.access import Actor, public
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.parts import clock_part, part
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import GroupState
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.notify import public as notify
from watchkeeper.modules.oncall.pages import sections
from watchkeeper.modules.oncall.paging import store, store_probes
from watchkeeper.modules.oncall.paging.calling import ABOUT, call_of
from watchkeeper.modules.oncall.paging.errors import LinkUnknown
from watchkeeper.modules.oncall.paging.measures import Measures, measure
from watchkeeper.modules.oncall.paging.model import Page, Probe, Watch
from watchkeeper.modules.oncall.paging.outside import Outside, outside
from watchkeeper.modules.oncall.routes_paging import Db, ThePaging, Viewer
from watchkeeper.modules.oncall.settings import OncallSettings

router = page_router()
Secret = Annotated[str, Path(min_length=10, max_length=200)]
Anybody = Annotated[
    Actor | None, public("whoever holds the link was paged, and may be on a phone that is not signed in")
]
Now = Annotated[Clock, clock_part()]
TheSettings = Annotated[OncallSettings, part(OncallSettings)]
_MEASURED = timedelta(days=28)


@dataclass(frozen=True)
class Line:
    """A page with what it was about and every message."""

    page: Page
    group: GroupState | None
    who: str
    messages: tuple[notify.Notification, ...]
    attempts: dict[str, list[notify.Attempt]]
    channels: dict[str, str]


@dataclass(frozen=True)
class Health:
    """How paging does: the last audit, the last word to the outside, the last synthetic pages."""

    watch: Watch | None
    outside: Outside
    through: Probe | None
    last: tuple[Probe, ...]


@router.get("/ack/{secret}")
async def confirm(request: Request, who: Anybody, secret: Secret, db: Db, paging: ThePaging) -> Response:
    """What would be acknowledged. Opening the link does nothing: mail programs open links, too."""
    return await _ack_page(request, secret, db, paging, acknowledged=False)


@router.post("/ack/{secret}")
async def acknowledge(
    request: Request, who: Anybody, secret: Secret, form: Annotated[PageForm, Form()], db: Db, paging: ThePaging
) -> Response:
    """Whoever was paged has it."""
    return await _ack_page(request, secret, db, paging, acknowledged=True)


@router.get("/oncall/pages")
async def log(
    request: Request,
    who: Viewer,
    db: Db,
    clock: Now,
    settings: TheSettings,
    person: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Why was I paged, when, and by which way; and how much everybody is."""
    wanted = person or (who.id if who.kind == "person" else "")
    now = clock.now()

    def read(session: Session) -> tuple[list[Line], list[identity.PersonSummary], Measures, Health]:
        found = store.latest(session, person_id=wanted if wanted != "all" else None, limit=100)
        measured = store.latest(session, since=now - _MEASURED, limit=10_000)
        groups = {
            one.group_id: alerts.group(session, one.group_id) for one in {p.group_id: p for p in measured}.values()
        }
        measures = measure(measured, groups, now - _MEASURED, now)
        return lines(session, found), identity.people(session), measures, health_of(session, settings, now)

    found, people, measures, health = await db.ask(read)
    return render(
        request,
        "oncall/pages.html",
        tabs=sections("Pages"),
        lines=found,
        people=people,
        wanted=wanted,
        measures=measures,
        health=health,
        names={one.id: one.name for one in people},
    )


def health_of(session: Session, settings: OncallSettings, now: datetime) -> Health:
    """What is known of it now."""
    last, through = store_probes.latest(session, limit=5), store_probes.last_through(session)
    return Health(store.watch(session), outside(session, settings, now), through, tuple(last))


def lines(session: Session, found: list[Page]) -> list[Line]:
    """With what they were about and every message."""
    names = identity.names(session, [one.person_id for one in found if one.person_id is not None])
    channels = {one.id: one.name for one in notify.channels(session)}
    made = []
    record: dict[str, list[notify.Notification]] = {}
    for one in found:
        if one.group_id not in record:
            record[one.group_id] = notify.record_of(session, ABOUT, one.group_id)
        mine = tuple(each for each in reversed(record[one.group_id]) if each.call == call_of(one.id))
        who = names[one.person_id] if one.person_id is not None else f"the channel {one.channel}"
        attempts = notify.attempts_of(session, mine)
        made.append(Line(one, alerts.group(session, one.group_id), who, mine, attempts, channels))
    return made


async def _ack_page(request: Request, secret: str, db: Db, paging: ThePaging, *, acknowledged: bool) -> Response:
    try:
        if acknowledged:
            found = await db.write(lambda session: paging.acknowledge_link(session, secret))
        else:
            found = await db.ask(lambda session: paging.linked(session, secret))
    except LinkUnknown as refusal:
        return render(request, "oncall/ack.html", status=404, found=None, refusal=refusal, done=False, secret="")
    return render(request, "oncall/ack.html", found=found, refusal=None, done=acknowledged, secret=secret)
