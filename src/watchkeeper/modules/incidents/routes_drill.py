"""The API of drills."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.wire import StrictModel, api_router
from watchkeeper.modules.incidents.drill import Report, Scenario, in_words, play
from watchkeeper.modules.incidents.model import Severity
from watchkeeper.modules.incidents.permissions import DRILL
from watchkeeper.modules.incidents.routes import Db, Now, TheIncidenting

router = api_router("incidents")
Player = Annotated[Actor, requires(DRILL)]


class DrillOrder(StrictModel):
    """What is played."""

    title: Annotated[str, Field(min_length=1, max_length=180)] = "Nobody can sign in"
    severity: Severity = Severity.SEV1
    service: Annotated[str, Field(max_length=200)] | None = None
    environment: Annotated[str, Field(max_length=200)] | None = None
    page: bool = Field(False, description="Really call people; the drill goes on until they resolve it.")


class CallView(BaseModel):
    """Who would be called so long after the alert, if nobody did anything."""

    after_seconds: float
    people: list[str] = Field(description="Their names.")
    channels: list[str]
    why: str


class DueView(BaseModel):
    """What a clock says so long after the opening."""

    after_seconds: float
    what: str


class DrillView(BaseModel):
    """What a drill showed."""

    incident: str
    name: str
    href: str
    alert_group: str
    paged: bool
    opened_by: str = Field(description="What would open an incident for such an alert.")
    calls: list[CallView]
    clocks: list[DueView]
    problems: list[str] = Field(description="What would go wrong tonight.")
    words: list[str] = Field(description="All of it, line by line.")

    @classmethod
    def of(cls, report: Report) -> "DrillView":
        return cls(
            incident=report.incident.id,
            name=report.incident.name,
            href=f"/incidents/{report.incident.id}",
            alert_group=report.group,
            paged=report.paged,
            opened_by=report.opened_by,
            calls=[
                CallView(
                    after_seconds=one.after.total_seconds(),
                    people=list(one.people),
                    channels=list(one.channels),
                    why=one.why,
                )
                for one in report.calls
            ],
            clocks=[DueView(after_seconds=one.after.total_seconds(), what=one.what) for one in report.clocks],
            problems=list(report.problems),
            words=in_words(report),
        )


@router.post("/incidents/drill", status_code=201, response_model=DrillView)
async def drill(
    who: Player, order: DrillOrder, db: Db, clock: Now, incidenting: TheIncidenting, once: Annotated[Once, once()]
) -> Response:
    """Play an incident from the alert to the report. Nobody is called unless `page` says so."""

    def make(session: Session) -> Answer:
        scenario = Scenario(order.title, order.severity, order.service, order.environment, order.page)
        report = play(session, clock, incidenting, scenario, by=who.id, source="api")
        return Answer(DrillView.of(report).model_dump(mode="json"))

    return (await db.write(lambda session: once.run(session, lambda: make(session)))).response()
