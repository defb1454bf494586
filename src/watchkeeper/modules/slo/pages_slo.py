"""The page of one SLO: its numbers so that people can compute them again, who spent its budget, what happened."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

import yaml
from fastapi import Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import Fact, describe_fact
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.parts import parts_of
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.slo import pages_words as say
from watchkeeper.modules.slo import reading, spending, store, store_counts
from watchkeeper.modules.slo.charts import changes, chosen, timeline_href, undo_href
from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.model import Adjustment, AlertState, Exclusion, Figures, Revision, Spending, rules_of
from watchkeeper.modules.slo.pages import is_old
from watchkeeper.modules.slo.permissions import CHANGE_SLOS, DECIDE_ADJUSTMENTS
from watchkeeper.modules.slo.routes import Db, NameInPath, Now, OfObjective, TheEngine, Viewer
from watchkeeper.modules.slo.service import Slos
from watchkeeper.modules.slo.store import Stored
from watchkeeper.modules.telemetry.public import QueryTooSlow, Telemetry
from watchkeeper_client.rules import duration_text

router = page_router()
RANGES: Mapping[str, tuple[str, timedelta]] = {
    "6h": ("6 hours", timedelta(hours=6)),
    "1d": ("1 day", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
}
_ALERTS, _REVISIONS, _ADJUSTMENTS = 20, 20, 20


@dataclass(frozen=True)
class Change:
    """What was changed at the service meanwhile, and where that can be undone."""

    at: datetime
    text: str
    href: str
    undo: str | None

    @classmethod
    def of(cls, fact: Fact) -> "Change":
        return cls(fact.at, describe_fact(fact), timeline_href(fact), undo_href(fact))


@dataclass(frozen=True)
class About:
    """Everything on the page of an SLO; `one` is the objective that the charts show."""

    stored: Stored
    all: tuple[Figures, ...]
    one: Figures
    since: datetime
    until: datetime
    changes: tuple[Change, ...]
    alerts: tuple[AlertState, ...]
    exclusions: tuple[Exclusion, ...]
    adjustments: tuple[Adjustment, ...]
    revisions: tuple[Revision, ...]
    names: Mapping[str, str]
    team: str | None

    @property
    def definition(self) -> Definition:
        return self.stored.definition


def about(session: Session, clock: Clock, engine: Engine, name: str, objective: str | None, span: timedelta) -> About:
    """Raises SloNotFound."""
    now = clock.now()
    stored = Slos(session, clock).slo(name)
    found = reading.figures(session, engine, now, name)
    one = chosen(found, objective)
    definition, since = stored.definition, now - span
    adjustments = store.all_adjustments(session, slo=name)[:_ADJUSTMENTS]
    exclusions = [
        each
        for each in store.all_exclusions(session, since=min(since, one.since))
        if name in each.slos or each.service == definition.service
    ]
    people = {stored.updated_by, *(each.created_by for each in exclusions)}
    people |= {by for each in adjustments for by in (each.proposed_by, each.decided_by) if by}
    service = catalog.service(session, definition.service)
    return About(
        stored=stored,
        all=tuple(found),
        one=one,
        since=since,
        until=now,
        changes=tuple(Change.of(fact) for fact in changes(session, definition.service, since, now)),
        alerts=tuple(store_counts.episodes(session, slo=name, limit=_ALERTS)),
        exclusions=tuple(exclusions),
        adjustments=tuple(adjustments),
        revisions=tuple(store_counts.all_revisions(session, slo=name, limit=_REVISIONS)),
        names=identity.names(session, people),
        team=catalog.owning_team(session, service.about.owner) if service is not None else None,
    )


@router.get("/slos/{name}")
async def slo(
    who: Viewer,
    request: Request,
    name: NameInPath,
    db: Db,
    clock: Now,
    engine: TheEngine,
    objective: OfObjective = None,
    span: Annotated[str, Query(alias="range", max_length=4)] = "1d",
) -> Response:
    """One SLO: how it does, why, and what it is."""
    length = RANGES.get(span, RANGES["1d"])[1]
    found = await db.ask(lambda session: about(session, clock, engine, name, objective, length))
    spent, slow = await _spending(request, db, engine, found)
    return slo_page(request, who, found, engine, span=span if span in RANGES else "1d", spent=spent, slow=slow)


def slo_page(
    request: Request, who: Actor, found: About, engine: Engine, *, span: str, spent: Spending, slow: bool
) -> Response:
    """The page."""
    one, definition = found.one, found.definition
    of_stretch = {"objective": one.objective.name, "since": rfc3339(found.since), "until": rfc3339(found.until)}
    mine = who.acts_for(found.team)
    return render(
        request,
        "slo/slo.html",
        about=found,
        definition=definition,
        figures=[told(each) for each in found.all],
        one=one,
        spent=spent,
        spending_failed=slow,
        chart_indicator=f"/api/v1/slo/charts/{definition.name}/indicator?{urlencode(of_stretch)}",
        chart_budget=f"/api/v1/slo/charts/{definition.name}/budget?{urlencode({'objective': one.objective.name})}",
        series_href=f"/api/v1/slos/{definition.name}/series?{urlencode(of_stretch)}",
        ranges=_ranges(found, span),
        span_text=RANGES[span][0],
        rules=_rules(definition),
        yaml=in_yaml(definition),
        looked_at=engine.looked_at,
        is_old=is_old(engine.looked_at, found.until),
        say=say,
        may_change=who.may(CHANGE_SLOS) and mine,
        may_decide=who.may(DECIDE_ADJUSTMENTS),
    )


async def _spending(request: Request, db: Database, engine: Engine, found: About) -> tuple[Spending, bool]:
    """Who spent; nothing, and True, where the telemetry took too long to say or is not here."""
    telemetry = parts_of(request).find(Telemetry)
    if telemetry is None:
        return Spending(0.0), True

    def read(asked: Telemetry) -> Spending:
        with db.read() as session:
            return spending.by_cause(
                session, engine, asked, found.stored, found.one.objective, found.since, found.until
            )

    try:
        return await telemetry.run(read), False
    except QueryTooSlow:
        return Spending(0.0), True


@dataclass(frozen=True)
class Step:
    """One line of arithmetic: what it is, how it is computed of the counts, and what comes out."""

    what: str
    how: str
    result: str


@dataclass(frozen=True)
class Told:
    """An objective in words, with its arithmetic."""

    figures: Figures
    kind: str
    word: str
    meaning: str
    name: str
    target: str
    threshold: str
    left: str
    burns: tuple[tuple[str, str, str, str, str], ...]
    steps: tuple[Step, ...]
    forecast: str


def told(one: Figures) -> Told:
    """What the page says of an objective: every percentage with the counts that it is made of."""
    kind, word, meaning = say.STATUS[one.status]
    threshold = one.objective.threshold
    burns = tuple(
        (
            duration_text(window),
            say.rate(burn.rate),
            say.events(burn.counts.bad),
            say.events(burn.counts.total),
            f"{burn.covered * 100:.4g} %",
        )
        for window, burn in one.burns.items()
    )
    return Told(
        figures=one,
        kind=kind,
        word=word,
        meaning=meaning,
        name=one.objective.display_name or one.objective.name,
        target=say.target(one.objective.target),
        threshold=duration_text(threshold) if threshold is not None else "",
        left=say.left(one),
        burns=burns,
        steps=tuple(arithmetic(one)),
        forecast=forecast_kind(one),
    )


def arithmetic(one: Figures) -> list[Step]:
    """From the counts to what is left, so that anybody can compute it again."""
    counts, budget, target = one.counts, one.budget, one.objective.target
    if counts.total <= 0:
        return []
    events, allowed = say.events, f"(1 \N{MINUS SIGN} {target:.10g})"
    steps = [
        Step("Share of good events", f"{events(counts.good)} / {events(counts.total)}", f"{counts.share or 0:.6%}"),
        Step(
            "Events of the whole window",
            f"{events(counts.total)} counted in the {one.covered:.2%} of the time so far that were measured",
            events(round(budget.expected)),
        ),
        Step(
            "Of these may be bad",
            f"{allowed} \N{MULTIPLICATION SIGN} {events(round(budget.expected))}",
            f"{budget.allowed:,.1f}",
        ),
    ]
    bad = f"{events(budget.bad)} bad"
    if budget.given_back > 0:
        bad = f"({events(budget.bad)} bad \N{MINUS SIGN} {events(budget.given_back)} given back)"
    steps.append(Step("Spent of the budget", f"{bad} / {budget.allowed:,.1f}", f"{budget.spent:.2%}"))
    return steps


def forecast_kind(one: Figures) -> str:
    """Which sentence tells the forecast."""
    if one.counts.total <= 0:
        return "none"
    if one.budget.remaining <= 0:
        return "gone"
    return "lasts" if one.forecast.exhausted_at is None else "ends"


def in_yaml(definition: Definition) -> str:
    """The definition as people write it, without what is as usual."""
    said: dict[str, Any] = definition.model_dump(mode="json", exclude_defaults=True)
    said["indicator"] = {"kind": definition.indicator.kind, **said.get("indicator", {})}
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=120)


def _ranges(found: About, span: str) -> list[tuple[str, str, bool]]:
    several = len(found.all) > 1
    kept = {"objective": found.one.objective.name} if several else {}
    return [
        (label, f"/slos/{found.definition.name}?{urlencode({**kept, 'range': key})}", key == span)
        for key, (label, _) in RANGES.items()
    ]


def _rules(definition: Definition) -> Sequence[tuple[str, str]]:
    return [(say.rule(one, definition.window.length), one.action) for one in rules_of(definition)]
