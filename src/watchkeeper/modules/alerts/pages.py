"""Pages of alerts: what is open, worst first, and one of them with what changed before it."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Form, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.errors import Complaint, Conflict, Invalid, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.paging import Cursor, page_of
from watchkeeper.kernel.web.parts import parts_of
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.alerts import public, store, store_details, store_integrations
from watchkeeper.modules.alerts.around import FactLinks, changes_around, history_of
from watchkeeper.modules.alerts.buttons import GroupButtons
from watchkeeper.modules.alerts.errors import AlertInvalid, GroupNotFound
from watchkeeper.modules.alerts.model import AlertState, GroupState, Severity, Status
from watchkeeper.modules.alerts.permissions import ACT_ON_ALERTS, SILENCE_ALERTS, VIEW_ALERTS
from watchkeeper.modules.alerts.public import Alerting, GroupFilter
from watchkeeper.modules.alerts.routes import Db, GroupId, Now, Responder, TheAlerting, Viewer, place_of
from watchkeeper.modules.alerts.service import Alerts
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.runbooks import public as runbooks

router = page_router()
NAV = (NavItem("Alerts", "/alerts", "danger", order=12, permission=VIEW_ALERTS, key="a"),)
_PER_PAGE = 50
_SHOWN_ALERTS = 50
_VIEWS = {"open": (Status.TRIGGERED, Status.ACKNOWLEDGED), "resolved": (Status.RESOLVED,), "all": ()}
SNOOZES = (("30", "30 minutes"), ("60", "1 hour"), ("240", "4 hours"), ("720", "12 hours"), ("1440", "1 day"))
SEVERITY_KINDS = {"critical": "danger", "error": "danger", "warning": "warning", "info": "info"}
SUPPRESSED_WORDS = {
    "silence": "silenced",
    "maintenance": "in maintenance",
    "dependency": "something that it depends on is down",
}


@dataclass(frozen=True)
class Wanted:
    """What the list shows."""

    view: str
    q: str
    service: str
    severity: str

    def filter(self) -> GroupFilter:
        severities = tuple(one for one in Severity if one.value == self.severity)
        services = (self.service,) if self.service else ()
        return GroupFilter(_VIEWS.get(self.view, _VIEWS["open"]), services, severities=severities, words=self.q)

    def query(self, **changes: str) -> str:
        """The filter as it stands in the address, with changes."""
        return urlencode({name: value for name, value in {**vars(self), **changes}.items() if value})


def _wanted(
    view: Annotated[str, Query(max_length=10)] = "open",
    q: Annotated[str, Query(max_length=200)] = "",
    service: Annotated[str, Query(max_length=200)] = "",
    severity: Annotated[str, Query(max_length=10)] = "",
) -> Wanted:
    return Wanted(view if view in _VIEWS else "open", q.strip(), service, severity)


class AcknowledgeForm(PageForm):
    """Take it, for a while or until it is over."""

    minutes: str = Field(default="", max_length=6)


class SnoozeForm(PageForm):
    """Page nobody for a while."""

    minutes: str = Field(default="60", max_length=6)
    reason: str = Field(default="", max_length=500)


class ReasonForm(PageForm):
    """Why."""

    reason: str = Field(default="", max_length=500)


def sections(current: str, count: int | None = None) -> list[tuple[Any, ...]]:
    """The tabs of all pages of alerts."""
    items = (
        ("Alerts", "/alerts", count),
        ("Silences", "/alerts/silences", None),
        ("Maintenance", "/alerts/maintenance", None),
        ("Heartbeats", "/alerts/heartbeats", None),
        ("Integrations", "/alerts/integrations", None),
    )
    return [(label, href, label == current, number) for label, href, number in items]


@router.get("/alerts")
async def alerts(
    who: Viewer, request: Request, db: Db, wanted: Annotated[Wanted, Depends(_wanted)], cursor: Cursor = None
) -> Response:
    """Open groups first, the worst first."""
    after = place_of(cursor)

    def read(session: Session) -> tuple[list[GroupState], list[str], int, dict[str, str], bool]:
        found = store.list_groups(session, wanted.filter(), limit=_PER_PAGE + 1, after=after)
        count = sum(public.open_counts(session).values())
        names = identity.names(session, {one.acknowledged_by for one in found if one.acknowledged_by})
        ways = bool(store_integrations.all_integrations(session))
        return found, store.services_with_alerts(session), count, names, ways

    found, services, count, names, has_ways = await db.ask(read)
    page = page_of(found, _PER_PAGE, store.list_key)
    return render(
        request,
        "alerts/list.html",
        tabs=sections("Alerts", count),
        groups=page.items,
        next=page.next,
        wanted=wanted,
        services=sorted({*services, *([wanted.service] if wanted.service else [])}),
        severities=[one.value for one in Severity],
        kinds=SEVERITY_KINDS,
        words=SUPPRESSED_WORDS,
        names=names,
        has_ways=has_ways,
        may_act=who.may(ACT_ON_ALERTS),
    )


@router.get("/alerts/{group_id}")
async def alert(who: Viewer, request: Request, group_id: GroupId, db: Db) -> Response:
    """One group: its alerts, what they said, what changed before."""
    return await _alert_page(request, who, db, group_id)


@router.post("/alerts/{group_id}/acknowledge")
async def acknowledge(
    who: Responder,
    request: Request,
    group_id: GroupId,
    form: Annotated[AcknowledgeForm, Form()],
    db: Db,
    clock: Now,
    alerting: TheAlerting,
) -> Response:
    """Take it."""

    def verb(alerts: Alerts) -> object:
        until = clock.now() + _minutes(form.minutes) if form.minutes else None
        return alerts.acknowledge(group_id, by=who.id, source="console", until=until)

    return await _act(request, who, db, clock, alerting, group_id, verb)


@router.post("/alerts/{group_id}/unacknowledge")
async def unacknowledge(
    who: Responder,
    request: Request,
    group_id: GroupId,
    form: Annotated[ReasonForm, Form()],
    db: Db,
    clock: Now,
    alerting: TheAlerting,
) -> Response:
    """Give it back."""

    def verb(alerts: Alerts) -> object:
        return alerts.unacknowledge(group_id, by=who.id, source="console", reason=form.reason)

    return await _act(request, who, db, clock, alerting, group_id, verb)


@router.post("/alerts/{group_id}/snooze")
async def snooze(
    who: Responder,
    request: Request,
    group_id: GroupId,
    form: Annotated[SnoozeForm, Form()],
    db: Db,
    clock: Now,
    alerting: TheAlerting,
) -> Response:
    """Page nobody for a while."""

    def verb(alerts: Alerts) -> object:
        until = clock.now() + _minutes(form.minutes)
        return alerts.snooze(group_id, until=until, by=who.id, source="console", reason=form.reason)

    return await _act(request, who, db, clock, alerting, group_id, verb)


@router.post("/alerts/{group_id}/resolve")
async def resolve(
    who: Responder,
    request: Request,
    group_id: GroupId,
    form: Annotated[ReasonForm, Form()],
    db: Db,
    clock: Now,
    alerting: TheAlerting,
) -> Response:
    """Call it over."""

    def verb(alerts: Alerts) -> object:
        if not form.reason.strip():
            raise AlertInvalid("There is no reason.", complaints=[Complaint("reason", "why it is over")])
        return alerts.resolve(group_id, by=who.id, source="console", reason=form.reason.strip())

    return await _act(request, who, db, clock, alerting, group_id, verb)


def runbook_of(session: Session, group: GroupState, found: list[AlertState]) -> tuple[runbooks.Runbook, str] | None:
    """The runbook of an alert by any of its names, with the section about it; else that of its service."""
    labels = [one.labels for one in found[:5]]
    known_by = ("alertname", "slo", "heartbeat", "family")
    names = [group.slo, *(one.get(name) for name in known_by for one in labels), group.title]
    for name in dict.fromkeys(one for one in names if one):
        if (best := runbooks.for_alert(session, name, group.service)) is not None:
            return best
    of_service = runbooks.for_service(session, group.service) if group.service else None
    return (of_service, "") if of_service is not None else None


async def _act(
    request: Request,
    who: Actor,
    db: Db,
    clock: Now,
    alerting: Alerting,
    group_id: str,
    verb: Callable[[Alerts], object],
) -> Response:
    try:
        await db.write(lambda session: verb(alerting.on(session, clock)))
    except (Invalid, Conflict) as refusal:
        return await _alert_page(request, who, db, group_id, refusal)
    return RedirectResponse(f"/alerts/{group_id}", status_code=303)


async def _alert_page(request: Request, who: Actor, db: Db, group_id: str, refusal: Refusal | None = None) -> Response:
    links = parts_of(request).find(FactLinks) or FactLinks()
    buttons = parts_of(request).find(GroupButtons) or GroupButtons()

    def read(session: Session) -> dict[str, Any]:
        group = public.group(session, group_id)
        if group is None:
            raise GroupNotFound(f"There is no alert {group_id}.")
        found = store.alerts_of(session, group_id, limit=_SHOWN_ALERTS)
        changes, history = changes_around(session, group, links), history_of(session, group, links)
        people = {one for one in (group.acknowledged_by, group.resolved_by) if one}
        way = store_integrations.integration(session, group.integration)
        return {
            "group": group,
            "alerts": found,
            "said": store_details.details_of(session, [one.id for one in found]),
            "changes": changes,
            "buttons": buttons.of(session, group, who),
            "history": history,
            "names": identity.names(session, people | {one.fact.actor for one in (*changes, *history)}),
            "runbook": runbook_of(session, group, found),
            "way": way.integration.name if way is not None else group.integration.removeprefix("own:"),
        }

    shown = await db.ask(read)
    return render(
        request,
        "alerts/alert.html",
        status=refusal.status if refusal else 200,
        tabs=sections("Alerts"),
        kinds=SEVERITY_KINDS,
        words=SUPPRESSED_WORDS,
        snoozes=SNOOZES,
        most=store_details.MOST_DETAILS,
        refusal=refusal,
        may_act=who.may(ACT_ON_ALERTS),
        may_silence=who.may(SILENCE_ALERTS),
        silence_href=f"/alerts/silences?{urlencode({'matchers': _matchers_of(shown['group'])})}#new",
        **shown,
    )


def _matchers_of(group: GroupState) -> str:
    """Matchers that fit the alerts of a group."""
    said = [f'family="{group.key}"'] if '"' not in group.key else []
    said += [f'service="{group.service}"'] if group.service else []
    return "\n".join(said)


def _minutes(text: str) -> timedelta:
    if not text.isdecimal() or not 1 <= int(text) <= 10_080:
        raise AlertInvalid("That is no length of time.", complaints=[Complaint("minutes", "from 1 to 10,080 minutes")])
    return timedelta(minutes=int(text))
