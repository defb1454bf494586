"""The page of one SLO: its numbers so that people can compute them again, who spent its budget, what happened."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.parts import parts_of
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.slo import pages_words as say
from watchkeeper.modules.slo import reading, spending, store, store_counts
from watchkeeper.modules.slo.changes import Change, changes
from watchkeeper.modules.slo.charts import chosen
from watchkeeper.modules.slo.definition import Definition, parse_span
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.model import (
    Adjustment,
    AlertState,
    Exclusion,
    Figures,
    Revision,
    Spending,
    burn_of,
    rules_of,
)
from watchkeeper.modules.slo.pages import is_old
from watchkeeper.modules.slo.pages_board import suspects_of
from watchkeeper.modules.slo.pages_told import burn_row, in_yaml, told
from watchkeeper.modules.slo.permissions import CHANGE_SLOS
from watchkeeper.modules.slo.routes import Db, NameInPath, Now, OfObjective, TheEngine, Viewer
from watchkeeper.modules.slo.service import Slos
from watchkeeper.modules.slo.store import Stored
from watchkeeper.modules.telemetry.public import QueryTooSlow, Telemetry
from watchkeeper_client.rules import duration_text

router = page_router()
RANGES: Mapping[str, tuple[str, timedelta]] = {
    "1h": ("1 hour", timedelta(hours=1)),
    "6h": ("6 hours", timedelta(hours=6)),
    "1d": ("1 day", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
}
_USUAL = "6h"
_ALERTS, _REVISIONS, _ADJUSTMENTS = 20, 20, 20


@dataclass(frozen=True)
class About:
    """Everything on the page of an SLO; `one` is the objective that the charts show."""

    stored: Stored
    all: tuple[Figures, ...]
    one: Figures
    since: datetime
    until: datetime
    changes: tuple[Change, ...]
    suspects: tuple[Change, ...]
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
        changes=tuple(changes(session, definition, since, now)),
        suspects=suspects_of(session, engine, one),
        alerts=_alerts(session, name, found),
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
    span: Annotated[str, Query(alias="range", max_length=4)] = _USUAL,
    over: Annotated[str, Query(max_length=20, description="A window to say the burn of, such as 45m.")] = "",
) -> Response:
    """One SLO: how it does, why, and what it is."""
    span = span if span in RANGES else _USUAL
    found = await db.ask(lambda session: about(session, clock, engine, name, objective or None, RANGES[span][1]))
    spent, slow = await _spending(request, db, engine, found)
    return slo_page(request, who, found, engine, span=span, over=over.strip(), spent=spent, slow=slow)


def _alerts(session: Session, name: str, found: Sequence[Figures]) -> tuple[AlertState, ...]:
    """Its own, and those of its source that are open; newest first."""
    own = store_counts.episodes(session, slo=name, limit=_ALERTS)
    of_source = {each.id: each for one in found for each in one.alerts if each.slo != name}
    return tuple(sorted([*own, *of_source.values()], key=lambda one: one.started_at, reverse=True))


def slo_page(
    request: Request, who: Actor, found: About, engine: Engine, *, span: str, over: str, spent: Spending, slow: bool
) -> Response:
    """The page."""
    one, definition = found.one, found.definition
    of_stretch = {"objective": one.objective.name, "since": rfc3339(found.since), "until": rfc3339(found.until)}
    burn, refused = _burn_over(engine, one, over)
    return render(
        request,
        "slo/slo.html",
        about=found,
        definition=definition,
        figures=[told(each) for each in found.all],
        chosen=told(one),
        one=one,
        over=over,
        over_burn=burn,
        over_refused=refused,
        spent=spent,
        spending_failed=slow,
        chart_indicator=f"/api/v1/slo/charts/{definition.name}/indicator?{urlencode(of_stretch)}",
        chart_budget=f"/api/v1/slo/charts/{definition.name}/budget?{urlencode({'objective': one.objective.name})}",
        series_href=f"/api/v1/slos/{definition.name}/series?{urlencode(of_stretch)}",
        ranges=_ranges(found, span),
        span=span,
        span_text=RANGES[span][0],
        rules=_rules(definition),
        yaml=in_yaml(definition),
        looked_at=engine.looked_at,
        is_old=is_old(engine.looked_at, found.until),
        say=say,
        may_change=who.may(CHANGE_SLOS) and who.acts_for(found.team),
    )


def _burn_over(engine: Engine, one: Figures, over: str) -> tuple[tuple[str, ...] | None, str]:
    """A line of the table for a window that somebody asked for, or what was expected instead."""
    if not over:
        return None, ""
    longest = one.definition.window.length
    try:
        window = parse_span(over)
    except ValueError:
        window = timedelta(0)
    if not timedelta(minutes=1) <= window <= longest:
        return None, f"a duration from 1m to {duration_text(longest)}, which is the window, such as 45m or 2h"
    tracker = engine.tracker(one.definition.name, one.objective.name)
    if tracker is None:
        return None, ""
    with engine.lock:
        counts = tracker.series.window(window, one.now.timestamp())
    return burn_row(window, burn_of(counts, one.objective.target, window)), ""


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


def _ranges(found: About, span: str) -> list[tuple[str, str, bool]]:
    several = len(found.all) > 1
    kept = {"objective": found.one.objective.name} if several else {}
    return [
        (label, f"/slos/{found.definition.name}?{urlencode({**kept, 'range': key})}", key == span)
        for key, (label, _) in RANGES.items()
    ]


def _rules(definition: Definition) -> Sequence[tuple[str, str]]:
    return [(say.rule(one, definition.window.length), one.action) for one in rules_of(definition)]
