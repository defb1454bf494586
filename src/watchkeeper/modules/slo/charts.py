"""Chart data of objectives: the indicator over time with what changed meanwhile, the budget as it went and may go."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.slo import reading
from watchkeeper.modules.slo.changes import Change, changes
from watchkeeper.modules.slo.definition import Objective
from watchkeeper.modules.slo.errors import SloNotFound
from watchkeeper.modules.slo.model import Counts, Figures, Point
from watchkeeper.modules.slo.routes import Db, Instant, NameInPath, Now, OfObjective, TheEngine, Viewer, stretch

router = api_router("slo", prefix="/api/v1/slo/charts")
_FORECAST_POINTS = 24
Stretch = Annotated[int, Query(ge=60, le=400 * 86_400, description="Seconds until now.")]


class SloChartSeries(BaseModel):
    """One line of a chart."""

    label: str
    values: list[float | None]
    unit: str = "%"
    tone: str | None = None


class SloChartMark(BaseModel):
    """Something that was changed meanwhile; `href` leads to where it can be undone, or to the timeline."""

    at: int
    label: str
    href: str


class SloChart(BaseModel):
    """What a chart draws: Unix seconds, and a value or null for each."""

    times: list[int]
    series: list[SloChartSeries]
    marks: list[SloChartMark] = Field(default_factory=list)


@router.get("/{name}/indicator")
async def indicator(
    who: Viewer,
    name: NameInPath,
    db: Db,
    clock: Now,
    engine: TheEngine,
    objective: OfObjective = None,
    since: Instant = None,
    until: Instant = None,
) -> SloChart:
    """Bad events in percent of all, beside what the target allows; a gap where nothing was measured."""
    start, end = stretch(since, until, clock.now(), default=timedelta(days=1))

    def read(session: Session) -> SloChart:
        one = chosen(reading.figures(session, engine, clock.now(), name), objective)
        points = reading.series(session, engine, name, one.objective.name, start, end)
        return indicator_chart(points, one.objective, marks(changes(session, one.definition, start, end)))

    return await db.ask(read)


@router.get("/{name}/budget")
async def budget(
    who: Viewer, name: NameInPath, db: Db, clock: Now, engine: TheEngine, objective: OfObjective = None
) -> SloChart:
    """What was left of the budget in percent along its window, and how it may go on."""

    def read(session: Session) -> SloChart:
        one = chosen(reading.figures(session, engine, clock.now(), name), objective)
        went = reading.burn_down(session, engine, name, one.objective.name, clock.now())
        return budget_chart(one, went, marks(changes(session, one.definition, one.since, one.now)))

    return await db.ask(read)


def chosen(found: Sequence[Figures], objective: str | None) -> Figures:
    """The objective of this name, else the first. Raises SloNotFound."""
    for one in found:
        if objective is None or one.objective.name == objective:
            return one
    raise SloNotFound(f"{found[0].definition.name} has no objective {str(objective)[:63]!r}.")


def indicator_chart(points: Sequence[Point], objective: Objective, marked: list[SloChartMark]) -> SloChart:
    """Each point is of its own events; where there were none there is a gap, which is neither good nor bad.

    What is bad is drawn, not what is good: it begins at 0, where 99.9 and 99.95 % can be told apart.
    """
    allowed = round(100 * (1 - objective.target), 9)
    return SloChart(
        times=[int(point.at.timestamp()) for point in points],
        series=[
            SloChartSeries(label="bad", values=[_bad_percent(point.counts) for point in points]),
            SloChartSeries(label="allowed", values=[allowed] * len(points), tone="warning"),
        ],
        marks=marked,
    )


def budget_chart(one: Figures, went: Sequence[tuple[datetime, float]], marked: list[SloChartMark]) -> SloChart:
    """The forecast begins where what went ends: likeliest, earliest and latest, each until the budget is gone."""
    times = [int(at.timestamp()) for at, _ in went]
    left: list[float | None] = [100 * share for _, share in went]
    series = [SloChartSeries(label="left", values=left)]
    guess = one.forecast
    if guess.exhausted_at is not None and guess.exhausted_at > one.now and times:
        now, last = times[-1], one.budget.remaining * 100
        horizon = min(guess.latest or guess.exhausted_at + (guess.exhausted_at - one.now), one.now + _longest(one))
        end = max(int(horizon.timestamp()), now + 60)
        ahead = [now + (end - now) * step // _FORECAST_POINTS for step in range(1, _FORECAST_POINTS + 1)]
        before: list[float | None] = [None] * (len(times) - 1)
        for label, gone, tone in (
            ("forecast", guess.exhausted_at, "warning"),
            ("earliest", guess.earliest, "danger"),
            ("latest", guess.latest, "info"),
        ):
            line = [_on_the_way(last, now, gone, at) for at in ahead]
            series.append(SloChartSeries(label=label, values=[*before, last, *line], tone=tone))
        series[0].values.extend([None] * len(ahead))
        times = [*times, *ahead]
    return SloChart(times=times, series=series, marks=marked)


def marks(found: Sequence[Change]) -> list[SloChartMark]:
    """Changes as a chart draws them; the newest is the last, as charts list them."""
    return [
        SloChartMark(at=int(one.at.timestamp()), label=one.words, href=one.undo or one.href) for one in reversed(found)
    ]


def _bad_percent(counts: Counts | None) -> float | None:
    if counts is None or counts.total <= 0:
        return None
    return round(100 * counts.bad / counts.total, 6)


def _longest(one: Figures) -> timedelta:
    return (one.ends - one.now) if one.ends is not None else one.definition.window.length


def _on_the_way(left: float, now: int, gone: datetime | None, at: int) -> float | None:
    """On a straight line from what is left now to nothing; without an end it stays as it is."""
    if gone is None:
        return round(left, 3)
    end = int(gone.timestamp())
    return round(left * (end - at) / (end - now), 3) if at <= end and end > now else None
