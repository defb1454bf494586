"""The page of one incident, made for a phone at night, and what is done there."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import File, Form, Request, UploadFile
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.errors import Conflict, Invalid, PreconditionFailed, Refusal, TooLarge
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.incidents import public, store
from watchkeeper.modules.incidents.errors import IncidentInvalid
from watchkeeper.modules.incidents.files import TYPES
from watchkeeper.modules.incidents.groups import is_own
from watchkeeper.modules.incidents.linking import kind_of, pages_of
from watchkeeper.modules.incidents.model import Incident, LinkKind, Role, Status
from watchkeeper.modules.incidents.pages import listed, sections, severity_said
from watchkeeper.modules.incidents.permissions import ACT_ON_INCIDENTS
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.routes import (
    Db,
    EntryId,
    IncidentId,
    Now,
    Responder,
    TheIncidenting,
    Viewer,
    found_in,
)
from watchkeeper.modules.incidents.routes_records import file_of
from watchkeeper.modules.incidents.service import Incidents
from watchkeeper.modules.incidents.store import IncidentFilter
from watchkeeper.modules.incidents.words import SEVERITY_KINDS, STATUS_KINDS, clock_words, href_of

router = page_router()
_MOST_OTHERS = 50


class StepForm(PageForm):
    """One of the small forms: `what` says which, `version` what its page showed."""

    what: str = Field(max_length=20)
    version: int | None = None
    value: str = Field(default="", max_length=20_000)
    second: str = Field(default="", max_length=1_000)
    reason: str = Field(default="", max_length=2_000)
    public: str = Field(default="", max_length=5)
    status: str = Field(default="", max_length=20)


class DescribeForm(PageForm):
    """What is said of it."""

    version: int | None = None
    title: str = Field(default="", max_length=1_000)
    services: str = Field(default="", max_length=5_000)
    summary: str = Field(default="", max_length=25_000)
    impact: str = Field(default="", max_length=25_000)
    users_affected: str = Field(default="", max_length=20)


@router.get("/incidents/{incident_id}")
async def incident(
    who: Viewer, request: Request, incident_id: IncidentId, db: Db, clock: Now, incidenting: TheIncidenting
) -> Response:
    """One incident."""
    return await _page(request, who, db, clock, incidenting, incident_id)


@router.post("/incidents/{incident_id}/step")
async def step(
    who: Responder,
    request: Request,
    incident_id: IncidentId,
    form: Annotated[StepForm, Form()],
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
) -> Response:
    """Do one thing."""
    if form.what not in _STEPS:
        raise IncidentInvalid("There is no such step.")

    def verb(verbs: Incidents) -> None:
        _STEPS[form.what](verbs, incident_id, form, {"by": who.id, "source": "console"})

    return await _act(request, who, db, clock, incidenting, incident_id, verb)


@router.post("/incidents/{incident_id}/describe")
async def describe(
    who: Responder,
    request: Request,
    incident_id: IncidentId,
    form: Annotated[DescribeForm, Form()],
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
) -> Response:
    """Change what is said of it."""

    def verb(verbs: Incidents) -> None:
        if form.users_affected and not form.users_affected.isdecimal():
            raise IncidentInvalid("Users affected: a whole number was expected.")
        changes = {
            "title": form.title,
            "services": listed(form.services),
            "summary": form.summary,
            "impact": form.impact,
            "users_affected": int(form.users_affected) if form.users_affected else None,
        }
        verbs.describe(incident_id, changes, expected=form.version, by=who.id, source="console")

    return await _act(request, who, db, clock, incidenting, incident_id, verb)


@router.post("/incidents/{incident_id}/files")
async def add_file(
    who: Responder,
    request: Request,
    incident_id: IncidentId,
    file: Annotated[UploadFile, File()],
    db: Db,
    clock: Now,
    incidenting: TheIncidenting,
) -> Response:
    """Keep a small file with it."""
    content = await file.read(incidenting.settings.attachment_bytes + 1)

    def verb(verbs: Incidents) -> None:
        verbs.attach(incident_id, file.filename or "", content, by=who.id, source="console")

    return await _act(request, who, db, clock, incidenting, incident_id, verb)


@router.get("/incidents/{incident_id}/files/{entry_id}")
async def get_file(who: Viewer, incident_id: IncidentId, entry_id: EntryId, db: Db) -> Response:
    """The content of a file, to be saved."""
    return await db.ask(lambda session: file_of(session, incident_id, entry_id))


def _status(verbs: Incidents, one: str, form: StepForm, who: Any) -> None:
    verbs.change_status(one, _status_said(form.value), reason=form.reason, expected=form.version, **who)


def _severity(verbs: Incidents, one: str, form: StepForm, who: Any) -> None:
    verbs.change_severity(one, severity_said(form.value), reason=form.reason, expected=form.version, **who)


def _role(verbs: Incidents, one: str, form: StepForm, who: Any) -> None:
    person = {"me": who["by"], "nobody": None}.get(form.second, form.second)
    # Its page named whoever has the role: taking it there is handing it over, if that is still so.
    verbs.assign(one, _role_said(form.value), person, hand_over=True, expected=form.version, **who)


def _update(verbs: Incidents, one: str, form: StepForm, who: Any) -> None:
    status = _status_said(form.status) if form.status else None
    verbs.post_update(one, form.value, public=bool(form.public), status=status, reason=form.reason, **who)


def _note(verbs: Incidents, one: str, form: StepForm, who: Any) -> None:
    verbs.note(one, form.value, **who)


def _decision(verbs: Incidents, one: str, form: StepForm, who: Any) -> None:
    verbs.decide(one, form.value, **who)


def _pin(verbs: Incidents, one: str, form: StepForm, who: Any) -> None:
    verbs.pin(one, form.value, pinned=form.second != "no", **who)


def _link(verbs: Incidents, one: str, form: StepForm, who: Any) -> None:
    verbs.link(one, kind_of(form.value), form.value, label=form.second, **who)


def _merge(verbs: Incidents, one: str, form: StepForm, who: Any) -> None:
    verbs.merge(one, form.value, expected=form.version, **who)


def _split(verbs: Incidents, one: str, form: StepForm, who: Any) -> None:
    verbs.split(one, form.value, links=listed(form.second), expected=form.version, **who)


def _acknowledge(verbs: Incidents, one: str, form: StepForm, who: Any) -> None:
    verbs.acknowledge(one, alerts_too=True, **who)


def _reopen(verbs: Incidents, one: str, form: StepForm, who: Any) -> None:
    verbs.reopen(one, reason=form.reason, **who)


_STEPS: dict[str, Callable[[Incidents, str, StepForm, Any], None]] = {
    "acknowledge": _acknowledge,
    "status": _status,
    "severity": _severity,
    "role": _role,
    "update": _update,
    "note": _note,
    "decision": _decision,
    "pin": _pin,
    "link": _link,
    "merge": _merge,
    "split": _split,
    "reopen": _reopen,
}


async def _act(
    request: Request,
    who: Actor,
    db: Db,
    clock: Now,
    incidenting: Incidenting,
    incident_id: str,
    verb: Callable[[Incidents], None],
) -> Response:
    try:
        await db.write(lambda session: verb(incidenting.on(session, clock)))
    except (Invalid, Conflict, PreconditionFailed, TooLarge) as refusal:
        return await _page(request, who, db, clock, incidenting, incident_id, refusal)
    return RedirectResponse(f"/incidents/{incident_id}", status_code=303)


async def _page(
    request: Request,
    who: Actor,
    db: Db,
    clock: Now,
    incidenting: Incidenting,
    incident_id: str,
    refusal: Refusal | None = None,
) -> Response:
    shown = await db.ask(lambda session: _read(session, found_in(session, incident_id)))
    one, now = shown["incident"], clock.now()
    clocks = incidenting.clocks_of(one, now)
    return render(
        request,
        "incidents/incident.html",
        status=refusal.status if refusal else 200,
        tabs=sections("Incidents"),
        clocks=[clock_words(each, now) for each in clocks],
        kinds=SEVERITY_KINDS,
        status_kinds=STATUS_KINDS,
        statuses=[status.value for status in Status],
        roles=[role.value for role in Role],
        may_act=who.may(ACT_ON_INCIDENTS),
        me=who.id,
        refusal=refusal,
        href_of=href_of,
        types=", ".join(f".{end}" for end in TYPES),
        **shown,
    )


def _read(session: Session, one: Incident) -> dict[str, Any]:
    entries, links = public.entries(session, one.id), public.links(session, one.id)
    updates = public.updates(session, one.id)
    people, latest = public.responders(session, one.id), entries[::-1]
    groups = {link.target: alerts.group(session, link.target) for link in links if link.kind is LinkKind.ALERT_GROUP}
    actors = {one.opened_by, *one.roles.values(), *(each.person_id for each in people)}
    pages = pages_of(session, one)
    actors |= {page.person_id for page in pages if page.person_id is not None}
    actors |= {entry.by for entry in entries} | {update.by for update in updates} | {link.by for link in links}
    others = store.listed(session, IncidentFilter(open=True, drills=one.drill), limit=_MOST_OTHERS)
    return {
        "incident": one,
        "entries": [*(one for one in latest if one.pinned), *(one for one in latest if not one.pinned)],
        "updates": list(reversed(updates)),
        "links": links,
        "groups": {key: group for key, group in groups.items() if group is not None},
        "own": {key for key, group in groups.items() if group is not None and is_own(group)},
        "people": people,
        "pages": pages,
        "names": identity.names(session, actors),
        "staff": [person for person in identity.staff(session) if person.active and person.responds],
        "others": [other for other in others if other.id != one.id],
    }


def _status_said(text: str) -> Status:
    if text not in set(Status):
        raise IncidentInvalid("There is no such status.")
    return Status(text)


def _role_said(text: str) -> Role:
    if text not in set(Role):
        raise IncidentInvalid("There is no such role.")
    return Role(text)
