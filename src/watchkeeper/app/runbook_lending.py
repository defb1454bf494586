"""What runbooks know by way of the modules above them: which names exist, and what metrics say now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy.orm import Session

from watchkeeper.app.configuration import Configuration
from watchkeeper.app.runbook_actions import actions_of
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Refusal
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.config import public as config
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.runbooks import wiring
from watchkeeper.modules.runbooks.public import Actions, Known, Linting, Metric, Value
from watchkeeper.modules.slo import public as slo
from watchkeeper.modules.telemetry import public as traffic

_LOOK_BACK = timedelta(minutes=5)
_OF_SLO = "slo:"


def runbook_parts(
    configuration: Configuration, db: Database, clock: Clock, before: Mapping[Any, Any]
) -> dict[Any, Any]:
    """The parts of runbooks; `before` are those of the modules above them that lend them something."""
    live = LiveValues(db, clock, before[traffic.Telemetry], before[slo.Engine])
    actions = Actions.of(actions_of(before[alerts.Alerting]))
    return wiring.runbook_parts(
        db, clock, configuration.runbooks, configuration.outbound, ServerKnowledge(), actions, live
    )


def linting() -> Linting:
    """What lints runbooks by all that this server has."""
    return Linting(ServerKnowledge())


class ServerKnowledge:
    """Names of everything that this server has."""

    def known(self, session: Session) -> Known:
        """Services, teams and people, alerts, configuration keys. Whoever owns a service owns, known or not."""
        teams = identity.team_members(session)
        people = identity.staff(session)
        services = catalog.services(session)
        objectives = frozenset(slo.all_names(session))
        owning = [one.about.owner for one in services if one.about.owner]
        return Known(
            services=frozenset(one.name for one in services),
            owners=frozenset(
                {*teams, *owning, *(one.name for one in people), *(one.email for one in people if one.email)}
            ),
            alerts=alerts.known_names(session) | objectives,
            objectives=objectives,
            parameters=frozenset(config.keys(session)),
        )


@dataclass(frozen=True)
class LiveValues:
    """Requests, errors and latency of the last five minutes, and how objectives stand."""

    db: Database
    clock: Clock
    telemetry: traffic.Telemetry
    engine: slo.Engine

    async def values(self, service: str | None, metrics: Sequence[Metric]) -> list[Value]:
        """One value for each metric, in their order."""
        figures = await self._figures(
            [one.name.removeprefix(_OF_SLO) for one in metrics if one.name.startswith(_OF_SLO)]
        )
        counted = None
        if service is not None and any(not one.name.startswith(_OF_SLO) for one in metrics):
            counted = await self._requests(service)
        return [
            _of_slo(one, figures.get(one.name.removeprefix(_OF_SLO)))
            if one.name.startswith(_OF_SLO)
            else self._of_requests(one, service, counted)
            for one in metrics
        ]

    async def _figures(self, names: Sequence[str]) -> dict[str, slo.Figures]:
        if not names:
            return {}
        now = self.clock.now()

        def read(session: Session) -> dict[str, slo.Figures]:
            services = [one.name for one in catalog.services(session)]
            every = [one for name in services for one in slo.figures_of(session, self.engine, name, now)]
            # Of several targets of an objective the one with least left, which comes last.
            found = sorted((one for one in every if one.definition.name in names), key=_left, reverse=True)
            return {one.definition.name: one for one in found}

        return await self.db.ask(read)

    async def _requests(self, service: str) -> traffic.Requests | None:
        until = self.clock.now()
        try:
            return await asyncio.to_thread(traffic.requests, self.telemetry, service, until - _LOOK_BACK, until)
        except Refusal:
            # Too much to count just now: the page is about the text, and says that the number is missing.
            return None

    def _of_requests(self, metric: Metric, service: str | None, counted: traffic.Requests | None) -> Value:
        title, href = metric.title or metric.name.capitalize(), f"/services/{quote(service or '')}"
        if counted is None or counted.total == 0:
            return Value(metric, title, "none in 5 min", "muted", href)
        now = self.clock.now()
        if metric.name == "requests":
            rate = counted.total / _LOOK_BACK.total_seconds()
            return Value(metric, title, f"{rate:.1f}/s over 5 min", "info", href, now)
        if metric.name == "errors":
            share = counted.failed / counted.total
            kind = "ok" if share < 0.001 else "warning" if share < 0.01 else "danger"
            return Value(metric, title, f"{share:.2%} over 5 min", kind, href, now)
        slow = counted.latency.percentile(0.95)
        text = f"p95 {slow / timedelta(milliseconds=1):.0f} ms over 5 min" if slow is not None else "none in 5 min"
        return Value(metric, title, text, "info", href, now)


def _left(figures: slo.Figures) -> float:
    return figures.budget.remaining - figures.budget.overspent


def _over(figures: slo.Figures) -> str:
    window = figures.definition.window
    if window.rolling is None:
        return f"this {window.calendar}"
    days = window.rolling / timedelta(days=1)
    return f"over {days:g} d" if days > 1 else f"over {days * 24:g} h"


def _of_slo(metric: Metric, figures: slo.Figures | None) -> Value:
    name = metric.name.removeprefix(_OF_SLO)
    href = f"/slos/{quote(name)}"
    if figures is None or figures.share is None:
        return Value(metric, metric.title or name, "nothing measured", "muted", href)
    left = figures.budget.remaining
    kind = "ok" if left > 0.5 else "warning" if left > 0 else "danger"
    of = f"{figures.objective.name}: " if figures.objective.name != "main" else ""
    text = f"{of}{figures.share:.3%} {_over(figures)}, {left:.0%} of the budget left"
    return Value(metric, metric.title or name, text, kind, href, figures.newest)
