"""Pages of integrations, with what to copy into each sender, and of heartbeats."""

# Annotations are kept as objects for FastAPI.
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from fastapi import Form, Request
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Conflict, Forbidden, Invalid, NotFound, Refusal
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.parts import parts_of
from watchkeeper.kernel.web.problems import refusal_of_validation
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.alerts import store_heartbeats, store_integrations
from watchkeeper.modules.alerts.beats import BeatState
from watchkeeper.modules.alerts.errors import AlertInvalid
from watchkeeper.modules.alerts.heartbeats import Heartbeats
from watchkeeper.modules.alerts.integrations import Integrations
from watchkeeper.modules.alerts.model import Severity
from watchkeeper.modules.alerts.pages import ReasonForm, sections
from watchkeeper.modules.alerts.permissions import MANAGE_HEARTBEATS, MANAGE_INTEGRATIONS
from watchkeeper.modules.alerts.routes import Db, Now, TheAlerting, Viewer, require_own
from watchkeeper.modules.alerts.routes_ways import Integrator, Keeper, Name
from watchkeeper.modules.alerts.wire_ways import HeartbeatBody, IntegrationBody
from watchkeeper.modules.catalog import public as catalog

router = page_router()
ModelT = TypeVar("ModelT", bound=BaseModel)
KINDS = (
    ("alertmanager", "Alertmanager"),
    ("grafana", "Grafana"),
    ("pagerduty", "PagerDuty's clients (Events v2)"),
    ("generic", "Any other JSON"),
)
_STATES = {
    BeatState.NEW: ("muted", "not heard of yet"),
    BeatState.UP: ("ok", "up"),
    BeatState.LATE: ("warning", "late"),
    BeatState.DOWN: ("danger", "down"),
    BeatState.PAUSED: ("muted", "paused"),
}
_SHOWN_PINGS = 5


class IntegrationForm(PageForm):
    """A way in."""

    name: str = Field(default="", max_length=63)
    kind: str = Field(default="alertmanager", max_length=20)
    service: str = Field(default="", max_length=200)
    environment: str = Field(default="", max_length=200)
    policy: str = Field(default="", max_length=63)
    default_severity: str = Field(default="error", max_length=10)
    mapping: str = Field(default="", max_length=10_000)

    def order(self) -> IntegrationBody:
        """Raises AlertInvalid or another Invalid."""
        values: dict[str, Any] = self.model_dump(exclude={"csrf_token", "mapping"})
        return _checked(IntegrationBody, {**values, "mapping": _pairs(self.mapping)})


class HeartbeatForm(PageForm):
    """Something that has to be heard of."""

    name: str = Field(default="", max_length=63)
    description: str = Field(default="", max_length=500)
    every_minutes: str = Field(default="", max_length=7)
    cron: str = Field(default="", max_length=100)
    time_zone: str = Field(default="UTC", max_length=64)
    grace_minutes: str = Field(default="60", max_length=7)
    service: str = Field(default="", max_length=200)
    severity: str = Field(default="error", max_length=10)

    def order(self) -> HeartbeatBody:
        """Raises AlertInvalid or another Invalid."""
        every = _seconds(self.every_minutes, "every_minutes") if self.every_minutes.strip() else None
        values = self.model_dump(include={"name", "description", "time_zone", "severity"})
        return _checked(
            HeartbeatBody,
            {
                **values,
                "period_seconds": every,
                "cron": self.cron or None,
                "grace_seconds": _seconds(self.grace_minutes, "grace_minutes"),
                "service": self.service or None,
            },
        )


@router.get("/alerts/integrations")
async def integrations(who: Viewer, request: Request, db: Db, clock: Now) -> Response:
    """Ways in, and the form for another."""
    return await _integrations_page(request, who, db, clock, IntegrationForm())


@router.post("/alerts/integrations")
async def add_integration(
    who: Integrator, request: Request, form: Annotated[IntegrationForm, Form()], db: Db, clock: Now
) -> Response:
    """Add a way in, and show its key this once."""

    def write(session: Session) -> tuple[str, str]:
        order = form.order()
        require_own(session, who, order.service)
        stored, key = Integrations(session, clock).add(order.parsed(), by=who.id, source="console")
        return stored.integration.name, key

    return await _with_new_key(request, who, db, clock, form, write)


@router.post("/alerts/integrations/{name}/keys")
async def rotate(who: Integrator, request: Request, name: Name, db: Db, clock: Now) -> Response:
    """Make another key, and show it this once."""

    def write(session: Session) -> tuple[str, str]:
        verbs = Integrations(session, clock)
        require_own(session, who, verbs.get(name).integration.service)
        stored, key = verbs.rotate(name, by=who.id, source="console")
        return stored.integration.name, key

    return await _with_new_key(request, who, db, clock, IntegrationForm(), write)


@router.post("/alerts/integrations/{name}/keys/{key_id}/revoke")
async def revoke(who: Integrator, request: Request, name: Name, key_id: str, db: Db, clock: Now) -> Response:
    """A key opens nothing any more."""

    def write(session: Session) -> None:
        verbs = Integrations(session, clock)
        require_own(session, who, verbs.get(name).integration.service)
        verbs.revoke_key(name, key_id, by=who.id, source="console")

    try:
        await db.write(write)
    except (NotFound, Forbidden) as refusal:
        return await _integrations_page(request, who, db, clock, IntegrationForm(), refusal)
    return RedirectResponse("/alerts/integrations", status_code=303)


@router.post("/alerts/integrations/{name}/remove")
async def remove(
    who: Integrator, request: Request, name: Name, form: Annotated[ReasonForm, Form()], db: Db, clock: Now
) -> Response:
    """A way in is no more."""

    def write(session: Session) -> None:
        verbs = Integrations(session, clock)
        require_own(session, who, verbs.get(name).integration.service)
        verbs.remove(name, reason=_reason(form.reason), by=who.id, source="console")

    try:
        await db.write(write)
    except (Invalid, NotFound, Forbidden) as refusal:
        return await _integrations_page(request, who, db, clock, IntegrationForm(), refusal)
    return RedirectResponse("/alerts/integrations", status_code=303)


@router.get("/alerts/heartbeats")
async def heartbeats(who: Viewer, request: Request, db: Db) -> Response:
    """Heartbeats, the ones in trouble first, and the form for another."""
    return await _heartbeats_page(request, who, db, HeartbeatForm())


@router.post("/alerts/heartbeats")
async def add_heartbeat(
    who: Keeper, request: Request, form: Annotated[HeartbeatForm, Form()], db: Db, clock: Now, alerting: TheAlerting
) -> Response:
    """Expect something regularly."""

    def write(session: Session) -> None:
        order = form.order()
        require_own(session, who, order.service)
        Heartbeats(session, clock, alerting).add(order.parsed(), by=who.id, source="console")

    try:
        await db.write(write)
    except (Invalid, Conflict, Forbidden) as refusal:
        return await _heartbeats_page(request, who, db, form, refusal)
    return RedirectResponse("/alerts/heartbeats", status_code=303)


@router.post("/alerts/heartbeats/{name}/{verb}")
async def change_heartbeat(
    who: Keeper,
    request: Request,
    name: Name,
    verb: str,
    form: Annotated[ReasonForm, Form()],
    db: Db,
    clock: Now,
    alerting: TheAlerting,
) -> Response:
    """Pause, resume or remove one."""

    def write(session: Session) -> None:
        verbs = Heartbeats(session, clock, alerting)
        require_own(session, who, verbs.get(name).service)
        if verb == "pause":
            verbs.pause(name, by=who.id, source="console")
        elif verb == "resume":
            verbs.resume(name, by=who.id, source="console")
        elif verb == "remove":
            verbs.remove(name, reason=_reason(form.reason), by=who.id, source="console")
        else:
            raise NotFound("A heartbeat can be paused, resumed and removed.")

    try:
        await db.write(write)
    except (Invalid, NotFound, Forbidden) as refusal:
        return await _heartbeats_page(request, who, db, HeartbeatForm(), refusal)
    return RedirectResponse("/alerts/heartbeats", status_code=303)


async def _with_new_key(
    request: Request, who: Actor, db: Database, clock: Clock, form: IntegrationForm, write: Any
) -> Response:
    try:
        name, key = await db.write(write)
    except (Invalid, Conflict, NotFound, Forbidden) as refusal:
        return await _integrations_page(request, who, db, clock, form, refusal)
    # No redirect: the key is in this answer and nowhere else.
    return await _integrations_page(request, who, db, clock, IntegrationForm(), made=(name, key))


async def _integrations_page(
    request: Request,
    who: Actor,
    db: Database,
    clock: Clock,
    form: IntegrationForm,
    refusal: Refusal | None = None,
    made: tuple[str, str] | None = None,
) -> Response:
    found, services = await db.ask(
        lambda session: (
            store_integrations.all_integrations(session),
            [one.name for one in catalog.services(session)],
        )
    )
    now = clock.now()
    return render(
        request,
        "alerts/integrations.html",
        status=refusal.status if refusal else 200,
        tabs=sections("Integrations"),
        found=[(one, [key for key in one.keys if key.opens(now)]) for one in found],
        made=made,
        made_kind=next((one.integration.kind.value for one in found if made and one.integration.name == made[0]), ""),
        address=_address(request),
        services=services,
        kinds=KINDS,
        kind_words=dict(KINDS),
        severities=[(one.value, one.value) for one in Severity],
        form=form,
        refusal=refusal,
        may_manage=who.may(MANAGE_INTEGRATIONS),
    )


async def _heartbeats_page(
    request: Request, who: Actor, db: Database, form: HeartbeatForm, refusal: Refusal | None = None
) -> Response:
    def read(session: Session) -> tuple[list[Any], list[str]]:
        found = store_heartbeats.all_heartbeats(session)
        order = (BeatState.DOWN, BeatState.LATE, BeatState.UP, BeatState.NEW, BeatState.PAUSED)
        found.sort(key=lambda one: order.index(one.beat.state))
        shown = [(one, store_heartbeats.pings_of(session, one.id, limit=_SHOWN_PINGS)) for one in found]
        return shown, [one.name for one in catalog.services(session)]

    found, services = await db.ask(read)
    return render(
        request,
        "alerts/heartbeats.html",
        status=refusal.status if refusal else 200,
        tabs=sections("Heartbeats"),
        found=found,
        states=_STATES,
        address=_address(request),
        services=services,
        severities=[(one.value, one.value) for one in Severity],
        form=form,
        refusal=refusal,
        may_manage=who.may(MANAGE_HEARTBEATS),
    )


def _address(request: Request) -> str:
    settings = parts_of(request).find(ServerSettings)
    said = settings.base_url if settings is not None else None
    return (said or str(request.base_url)).rstrip("/")


def _pairs(text: str) -> dict[str, str]:
    """`title = event.name`, one a line. Raises AlertInvalid."""
    found = {}
    for line in text.splitlines():
        name, divider, value = line.partition("=")
        if divider:
            found[name.strip()] = value.strip()
        elif line.strip():
            complaint = Complaint("mapping", "lines such as title = event.name")
            raise AlertInvalid("The mapping can't be read.", complaints=[complaint])
    return found


def _checked(model: type[ModelT], values: dict[str, Any]) -> ModelT:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise refusal_of_validation(error.errors()) from None


def _seconds(text: str, where: str) -> int:
    if not text.strip().isdecimal():
        raise AlertInvalid("That is no number.", complaints=[Complaint(where, "a number of minutes")])
    return int(timedelta(minutes=int(text)).total_seconds())


def _reason(text: str) -> str:
    if not text.strip():
        raise AlertInvalid("There is no reason.", complaints=[Complaint("reason", "a reason")])
    return text.strip()
