"""Pages of incidents: what goes on, how bad is how bad, and declaring one."""

# Annotations are kept as objects for FastAPI.
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Form, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.errors import Conflict, Forbidden, Invalid, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.paging import Cursor, page_of
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import GroupButton, GroupState
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.incidents import store
from watchkeeper.modules.incidents.errors import IncidentInvalid
from watchkeeper.modules.incidents.groups import is_own, open_for, title_of
from watchkeeper.modules.incidents.model import Incident, Severity
from watchkeeper.modules.incidents.permissions import ACT_ON_INCIDENTS, VIEW_INCIDENTS
from watchkeeper.modules.incidents.routes import Db, Now, Responder, TheIncidenting, Viewer, place_of
from watchkeeper.modules.incidents.rules import all_rules
from watchkeeper.modules.incidents.store import IncidentFilter
from watchkeeper.modules.incidents.words import GUIDE, SEVERITY_KINDS, STATUS_KINDS, clock_words

router = page_router()
NAV = (NavItem("Incidents", "/incidents", "warning", order=11, permission=VIEW_INCIDENTS, key="i"),)
_PER_PAGE = 50
_VIEWS = ("open", "resolved", "all", "drills")


@dataclass(frozen=True)
class Wanted:
    """What the list shows."""

    view: str
    q: str
    service: str
    severity: str

    def filter(self) -> IncidentFilter:
        is_open = {"open": True, "resolved": False}.get(self.view)
        return IncidentFilter(
            severities=tuple(one for one in Severity if one.value == self.severity),
            services=(self.service,) if self.service else (),
            open=is_open,
            words=self.q,
            drills=self.view == "drills",
        )

    def query(self) -> str:
        """The filter as it stands in the address."""
        return urlencode({name: value for name, value in vars(self).items() if value})


def _wanted(
    view: Annotated[str, Query(max_length=10)] = "open",
    q: Annotated[str, Query(max_length=200)] = "",
    service: Annotated[str, Query(max_length=200)] = "",
    severity: Annotated[str, Query(max_length=10)] = "",
) -> Wanted:
    return Wanted(view if view in _VIEWS else "open", q.strip(), service, severity)


class DeclareForm(PageForm):
    """A new incident."""

    title: str = Field(default="", max_length=1_000)
    severity: str = Field(default="SEV-3", max_length=10)
    services: str = Field(default="", max_length=2_000)
    impact: str = Field(default="", max_length=20_000)


class TokenForm(PageForm):
    """Nothing but the token."""


def sections(current: str) -> list[tuple[str, str, bool]]:
    """The tabs of all pages of incidents."""
    items = (
        ("Incidents", "/incidents"),
        ("Measures", "/incidents/measures"),
        ("Severity guide", "/incidents/severities"),
    )
    return [(label, href, label == current) for label, href in items]


@router.get("/incidents")
async def incidents(
    who: Viewer,
    request: Request,
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
    wanted: Annotated[Wanted, Depends(_wanted)],
    cursor: Cursor = None,
) -> Response:
    """Open ones first, the worst first."""
    after, now = place_of(cursor), clock.now()

    def read(session: Session) -> tuple[list[Incident], dict[str, str], list[str]]:
        found = store.listed(session, wanted.filter(), limit=_PER_PAGE + 1, after=after)
        names = identity.names(session, {person for one in found for person in one.roles.values()})
        return found, names, [one.name for one in catalog.services(session)]

    found, names, services = await db.ask(read)
    page = page_of(found, _PER_PAGE, store.list_key)
    return render(
        request,
        "incidents/list.html",
        tabs=sections("Incidents"),
        incidents=page.items,
        clocks={one.id: [clock_words(each, now) for each in _shown(incidenting, one, now)] for one in page.items},
        next=page.next,
        wanted=wanted,
        views=_VIEWS,
        severities=[one.value for one in Severity],
        services=sorted({*services, *([wanted.service] if wanted.service else [])}),
        names=names,
        kinds=SEVERITY_KINDS,
        status_kinds=STATUS_KINDS,
        may_act=who.may(ACT_ON_INCIDENTS),
    )


@router.get("/incidents/severities")
async def severities(who: Viewer, request: Request, db: Db, incidenting: TheIncidenting) -> Response:
    """How bad is how bad, until when somebody has to respond, and what is opened by itself."""
    rules = await db.ask(all_rules)
    return render(
        request,
        "incidents/severities.html",
        tabs=sections("Severity guide"),
        guide=GUIDE,
        targets=incidenting.settings.targets,
        settings=incidenting.settings,
        rules=rules,
        kinds=SEVERITY_KINDS,
    )


@router.get("/incidents/new")
async def new_incident(who: Viewer, request: Request) -> Response:
    """The form that declares one. Raises Forbidden for whoever may not."""
    if not who.may(ACT_ON_INCIDENTS):
        raise Forbidden(f"{who.name} may look at incidents, not declare one.")
    return _form(request, DeclareForm(), None)


@router.post("/incidents")
async def declare(
    who: Responder,
    request: Request,
    form: Annotated[DeclareForm, Form()],
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
) -> Response:
    """Open it."""

    def write(session: Session) -> Incident:
        return incidenting.on(session, clock).open(
            form.title,
            severity=severity_said(form.severity),
            services=listed(form.services),
            impact=form.impact,
            by=who.id,
            source="console",
        )

    try:
        made = await db.write(write)
    except (Invalid, Conflict) as refusal:
        return _form(request, form, refusal)
    return RedirectResponse(f"/incidents/{made.id}", status_code=303)


@router.post("/incidents/of-alert/{group_id}")
async def declare_for_alert(
    who: Responder,
    request: Request,
    group_id: str,
    form: Annotated[TokenForm, Form()],
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
) -> Response:
    """Open one for an alert, with its words; if it has one already, go there."""

    def write(session: Session) -> Incident:
        group = alerts.group(session, group_id)
        title = title_of(group) if group is not None else ""
        return incidenting.on(session, clock).open(title, groups=[group_id], by=who.id, source="console")

    made = await db.write(write)
    return RedirectResponse(f"/incidents/{made.id}", status_code=303)


def button_of(session: Session, group: GroupState, actor: Actor) -> GroupButton | None:
    """On the page of an alert: its incident, or a button that declares one."""
    one = open_for(session, [group.id])
    if one is not None and actor.may(VIEW_INCIDENTS):
        return GroupButton(f"Incident: {one.severity}, {one.status}", f"/incidents/{one.id}")
    if group.is_open and not is_own(group) and actor.may(ACT_ON_INCIDENTS):
        return GroupButton("Declare an incident", f"/incidents/of-alert/{group.id}", posts=True)
    return None


def severity_said(text: str) -> Severity:
    """Raises IncidentInvalid."""
    if text not in set(Severity):
        raise IncidentInvalid("There is no such severity. SEV-1 to SEV-4 were expected.")
    return Severity(text)


def listed(text: str) -> list[str]:
    """Names that are separated by commas."""
    return [one.strip() for one in text.split(",") if one.strip()]


def _shown(incidenting: TheIncidenting, one: Incident, now: Any) -> Any:
    return incidenting.clocks_of(one, now) if one.is_open else ()


def _form(request: Request, form: DeclareForm, refusal: Refusal | None) -> Response:
    return render(
        request,
        "incidents/new.html",
        status=refusal.status if refusal else 200,
        tabs=sections("Incidents"),
        form=form,
        refusal=refusal,
        guide=GUIDE,
    )
