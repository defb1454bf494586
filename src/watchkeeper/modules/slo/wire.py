"""Our JSON of objectives."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.model import (
    AlertState,
    Burn,
    Cause,
    Counts,
    Figures,
    Point,
    Revision,
    Spending,
)
from watchkeeper.modules.slo.store import Stored
from watchkeeper_client.rules import duration_text


class CountsView(BaseModel):
    """Events: `bad` is `total` less `good`."""

    good: float
    bad: float
    total: float
    measured_seconds: float

    @classmethod
    def of(cls, counts: Counts) -> CountsView:
        return cls(good=counts.good, bad=counts.bad, total=counts.total, measured_seconds=counts.measured)


class BudgetView(BaseModel):
    """`spent` (bad events / `allowed_events`), `remaining` and `overspent` are shares of the budget; `expected_events`
    are those of the whole window, `minutes` those of a full outage at even traffic."""

    spent: float
    remaining: float
    overspent: float
    expected_events: float
    allowed_events: float
    events_left: float
    given_back_events: float
    minutes: float
    minutes_left: float


class BurnView(BaseModel):
    """`rate` = bad / total / (1 - target) x covered."""

    rate: float
    covered: float
    good: float
    total: float

    @classmethod
    def of(cls, burn: Burn) -> BurnView:
        return cls(rate=burn.rate, covered=burn.covered, good=burn.counts.good, total=burn.counts.total)


class ForecastView(BaseModel):
    """When the budget is gone if it goes on like this; between `earliest` and `latest` with 90 % likelihood."""

    exhausted_at: datetime | None
    earliest: datetime | None
    latest: datetime | None


class AlertView(BaseModel):
    """An episode of an alert."""

    id: str
    slo: str
    objective: str
    service: str
    kind: Literal["burn", "source_silent"]
    action: Literal["page", "ticket"]
    dedup_key: str
    started_at: datetime
    resolved_at: datetime | None
    last_fired_at: datetime
    fired: int
    rules: list[str]
    burn: float
    budget_spent: float
    detail: str

    @classmethod
    def of(cls, state: AlertState) -> AlertView:
        return cls(**{**vars(state), "rules": list(state.rules)})


class FiguresView(BaseModel):
    """An objective now."""

    slo: str
    objective: str
    display_name: str
    service: str
    status: str
    target: float
    share: float | None
    since: datetime
    ends: datetime | None
    now: datetime
    counts: CountsView
    excluded: CountsView
    covered: float
    budget: BudgetView
    burn_rates: dict[str, BurnView]
    forecast: ForecastView
    alerts: list[AlertView]
    newest: datetime | None
    problem: str | None
    warnings: list[str]

    @classmethod
    def of(cls, one: Figures) -> FiguresView:
        budget = one.budget
        return cls(
            slo=one.definition.name,
            objective=one.objective.name,
            display_name=one.definition.display_name,
            service=one.definition.service,
            status=one.status.value,
            target=one.objective.target,
            share=one.share,
            since=one.since,
            ends=one.ends,
            now=one.now,
            counts=CountsView.of(one.counts),
            excluded=CountsView.of(one.excluded),
            covered=one.covered,
            budget=BudgetView(
                spent=budget.spent,
                remaining=budget.remaining,
                overspent=budget.overspent,
                expected_events=budget.expected,
                allowed_events=budget.allowed,
                events_left=budget.events_left,
                given_back_events=budget.given_back,
                minutes=budget.minutes,
                minutes_left=budget.minutes_left,
            ),
            burn_rates={duration_text(window): BurnView.of(burn) for window, burn in one.burns.items()},
            forecast=ForecastView(**vars(one.forecast)),
            alerts=[AlertView.of(alert) for alert in one.alerts],
            newest=one.newest,
            problem=one.problem,
            warnings=list(one.warnings),
        )


class FiguresList(BaseModel):
    """Worst first."""

    items: list[FiguresView]


class SloView(BaseModel):
    """An SLO: its definition, and each of its objectives now."""

    id: str
    name: str
    version: int
    managed_by: str
    created_at: datetime
    updated_at: datetime
    updated_by: str
    definition: dict[str, Any]
    objectives: list[FiguresView]

    @classmethod
    def of(cls, stored: Stored, figures: list[Figures]) -> SloView:
        return cls(
            id=stored.id,
            name=stored.name,
            version=stored.version,
            managed_by=stored.managed_by,
            created_at=stored.created_at,
            updated_at=stored.updated_at,
            updated_by=stored.updated_by,
            definition=stored.definition.model_dump(mode="json"),
            objectives=[FiguresView.of(one) for one in figures],
        )


class DefinitionBody(Definition):
    """An SLO as it is to be."""


class PointView(BaseModel):
    """One step; `counts` null where nothing was measured."""

    at: datetime
    until: datetime
    counts: CountsView | None

    @classmethod
    def of(cls, point: Point) -> PointView:
        counts = None if point.counts is None else CountsView.of(point.counts)
        return cls(at=point.at, until=point.until, counts=counts)


class SeriesView(BaseModel):
    """An objective over time."""

    slo: str
    objective: str
    points: list[PointView]


class CauseView(BaseModel):
    """Who spent: `share` of all bad events of the stretch."""

    name: str
    bad: float
    total: float
    share: float

    @classmethod
    def of(cls, cause: Cause) -> CauseView:
        return cls(name=cause.name, bad=cause.bad, total=cause.total, share=cause.share)


class SpendingView(BaseModel):
    """Bad events by cause, largest first."""

    slo: str
    objective: str
    since: datetime
    until: datetime
    bad: float
    routes: list[CauseView]
    releases: list[CauseView]
    incidents: list[CauseView]

    @classmethod
    def of(cls, slo: str, objective: str, since: datetime, until: datetime, spending: Spending) -> SpendingView:
        return cls(
            slo=slo,
            objective=objective,
            since=since,
            until=until,
            bad=spending.bad,
            routes=[CauseView.of(one) for one in spending.routes],
            releases=[CauseView.of(one) for one in spending.releases],
            incidents=[CauseView.of(one) for one in spending.incidents],
        )


class AlertList(BaseModel):
    """Newest first."""

    items: list[AlertView]


class RevisionView(BaseModel):
    """Late data changed an hour that had been told already."""

    slo: str
    objective: str
    hour: datetime
    before: CountsView
    after: CountsView
    found_at: datetime

    @classmethod
    def of(cls, one: Revision) -> RevisionView:
        return cls(
            slo=one.slo,
            objective=one.objective,
            hour=one.hour,
            before=CountsView.of(one.before),
            after=CountsView.of(one.after),
            found_at=one.found_at,
        )


class RevisionList(BaseModel):
    """Newest first."""

    items: list[RevisionView]


class SuggestionView(BaseModel):
    """A target that the last weeks would have met."""

    definition: dict[str, Any]
    measured_share: float
    worst_day_share: float
    events: float
    days: float
    reason: str


class SuggestionList(BaseModel):
    """Of a service."""

    items: list[SuggestionView]
