"""The API of measures."""

# Annotations are kept as objects for FastAPI.
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.web.csv_table import csv_response, csv_text
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.incidents import store
from watchkeeper.modules.incidents.checking import invalid
from watchkeeper.modules.incidents.measures import FORMULA, Measured, Measures, Spread, Tally, measure
from watchkeeper.modules.incidents.model import Severity
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.routes import Db, Now, TheIncidenting, Viewer
from watchkeeper.modules.incidents.store import IncidentFilter

router = api_router("incidents")
USUAL, LONGEST = timedelta(days=90), timedelta(days=3 * 366)
MOST = 10_000
Since = Annotated[AwareDatetime | None, Query(description="Opened from then on. Unset: 90 days before `until`.")]
Until = Annotated[AwareDatetime | None, Query(description="Opened before then. Unset: now.")]
HEADER = (
    "id",
    "name",
    "title",
    "severity",
    "status",
    "services",
    "started_at",
    "detected_at",
    "opened_at",
    "acknowledged_at",
    "responded_at",
    "resolved_at",
    "detect_seconds",
    "acknowledge_seconds",
    "respond_seconds",
    "resolve_seconds",
    "users_affected",
    "responders",
    "person_hours",
    "reopened",
)


class SpreadView(BaseModel):
    """Of some times, in seconds; null where there is none."""

    count: int
    median: float | None
    mean: float | None
    longest: float | None

    @classmethod
    def of(cls, one: Spread) -> "SpreadView":
        seconds = {name: _seconds(getattr(one, name)) for name in ("median", "mean", "longest")}
        return cls(count=one.count, **seconds)


class TallyView(BaseModel):
    """Of some incidents together."""

    name: str
    incidents: int
    detect: SpreadView
    acknowledge: SpreadView
    respond: SpreadView
    resolve: SpreadView
    users_affected: int | None = Field(description="Of those incidents of which it was said; null where of none.")
    person_hours: float | None = Field(description="Of those that are over; null where none is.")

    @classmethod
    def of(cls, one: Tally) -> "TallyView":
        spreads = {name: SpreadView.of(getattr(one, name)) for name in ("detect", "acknowledge", "respond", "resolve")}
        return cls(
            name=one.name,
            incidents=one.incidents,
            **spreads,
            users_affected=one.users,
            person_hours=round(one.person_hours, 2) if one.person_hours is not None else None,
        )


class MeasuresView(BaseModel):
    """How incidents went. Drills and merged ones count nowhere."""

    since: datetime
    until: datetime
    formula: str = Field(description="How the cost is counted.")
    total: TallyView
    severities: list[TallyView]
    services: list[TallyView]
    months: list[TallyView]
    weeks: list[TallyView] = Field(description="ISO weeks, oldest first, also those without an incident.")


@router.get("/incidents/measures")
async def measures(
    who: Viewer, db: Db, clock: Now, incidenting: TheIncidenting, since: Since = None, until: Until = None
) -> MeasuresView:
    """Times to detect, acknowledge, respond and resolve, and the cost: by severity, service, month and week."""
    begin, end = stretch(since, until, clock.now())
    found = await db.ask(lambda session: read(session, incidenting, begin, end))
    return MeasuresView(
        since=found.since,
        until=found.until,
        formula=FORMULA,
        total=TallyView.of(found.total),
        severities=[TallyView.of(one) for one in found.severities],
        services=[TallyView.of(one) for one in found.services],
        months=[TallyView.of(one) for one in found.months],
        weeks=[TallyView.of(one) for one in found.weeks],
    )


@router.get("/incidents/measures.csv", response_class=Response)
async def measures_csv(
    who: Viewer, db: Db, clock: Now, incidenting: TheIncidenting, since: Since = None, until: Until = None
) -> Response:
    """One line for each incident."""
    begin, end = stretch(since, until, clock.now())
    found = await db.ask(lambda session: read(session, incidenting, begin, end))
    return csv_response("incidents.csv", as_csv(found))


def read(session: Session, incidenting: Incidenting, since: datetime, until: datetime) -> Measures:
    """Of those that were opened in a stretch of time."""
    found = store.listed(session, IncidentFilter(since=since, until=until, merged=False), limit=MOST)
    people = store.responders_of(session, [one.id for one in found])
    return measure(found, people, since, until, incidenting.settings.targets.hours.zone)


def stretch(since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """What is asked for. Raises IncidentInvalid."""
    end = until or now
    if end.year < 1975:
        raise invalid("until", "an instant after 1975")
    begin = since or end - USUAL
    if not timedelta(0) < end - begin <= LONGEST:
        raise invalid("since", "an instant before `until`, at most three years earlier")
    return begin, end


def as_csv(found: Measures) -> str:
    """One line for each incident."""
    return csv_text(HEADER, [_row(one) for one in found.each])


def _row(one: Measured) -> list[object]:
    incident = one.incident
    instants = ("started_at", "detected_at", "opened_at", "acknowledged_at", "responded_at", "resolved_at")
    at = [getattr(incident, name) for name in instants]
    spans = [_seconds(span) for span in (one.detect, one.acknowledge, one.respond, one.resolve)]
    return [
        incident.id,
        incident.name,
        incident.title,
        Severity(incident.severity).value,
        incident.status.value,
        ", ".join(incident.services),
        *(rfc3339(instant) if instant is not None else None for instant in at),
        *spans,
        incident.users_affected,
        one.responders,
        round(one.person_hours, 2) if one.person_hours is not None else None,
        incident.reopened,
    ]


def _seconds(span: timedelta | None) -> float | None:
    return round(span.total_seconds(), 3) if span is not None else None
