"""Objectives on a database, with a source that tells what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.kernel.web.support import bearer, browser, small_app
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.kernel.outbound import OutboundSettings
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.modules.slo import reading, store_counts, wiring
from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.model import AlertState, Counts, Figures
from watchkeeper.modules.slo.records import Records
from watchkeeper.modules.slo.series import HOUR, MINUTE
from watchkeeper.modules.slo.service import Slos
from watchkeeper.modules.slo.settings import SloSettings
from watchkeeper.modules.slo.sources import Key, Reading, source_of
from watchkeeper.modules.slo.store import Stored

SETTINGS = SloSettings.model_validate({"look_back_days": 0.25})
Told = Callable[[int], tuple[float, float] | None]


def slo(name: str = "api", **changes: Any) -> Definition:
    """Availability of the gateway at 99.9 % over 30 days."""
    said: dict[str, Any] = {
        "name": name,
        "service": "gateway",
        "indicator": {"kind": "availability", "service": "gateway"},
        "objectives": [{"target": 0.999}],
        "window": {"rolling": "30d"},
    }
    return Definition.model_validate({**said, **changes})


@dataclass
class Tape:
    """A source: `tell(minute)` answers (good, total), or None for what was not measured."""

    clock: ManualClock
    by_slo: dict[str, Told] = field(default_factory=dict)
    events: dict[str, dict[int, tuple[float, float]]] = field(default_factory=dict)
    problem: str | None = None

    def owns(self, definition: Definition) -> bool:
        return bool(source_of(definition))

    def say(self, slo: str, minute: datetime, good: float, total: float) -> None:
        """What was counted in the minute."""
        self.events.setdefault(slo, {})[int(minute.timestamp()) // MINUTE * MINUTE] = (good, total)

    def read(self, wanted: Sequence[Stored], since: int, until: int, now: float) -> Reading:
        found = Reading()
        for stored in wanted:
            source = source_of(stored.definition)
            if self.problem is not None:
                found.problems[source] = self.problem
                continue
            minutes: dict[int, Counts] = {}
            for minute in range(since // MINUTE * MINUTE, until, MINUTE):
                told = self._told(stored.name, minute)
                if told is not None and minute < now:
                    minutes[minute] = Counts(*told, min(60.0, now - minute))
            if minutes:
                found.newest[source] = min(now, max(minutes) + MINUTE)
            for objective in stored.definition.objectives:
                found.counts[stored.name, objective.name] = minutes
        return found

    def hours(self, wanted: Sequence[Stored], since: int, until: int) -> dict[Key, dict[int, Counts]]:
        found: dict[Key, dict[int, Counts]] = {}
        for stored in wanted:
            for objective in stored.definition.objectives:
                hours = found.setdefault((stored.name, objective.name), {})
                for hour in range(since, until, HOUR):
                    told = self._told(stored.name, hour)
                    if told is not None:
                        hours[hour] = Counts(told[0] * 60, told[1] * 60, float(HOUR))
        return found

    def forget(self, before: int) -> None:
        pass

    def _told(self, slo: str, minute: int) -> tuple[float, float] | None:
        if minute in self.events.get(slo, {}):
            return self.events[slo][minute]
        tell = self.by_slo.get(slo)
        return tell(minute) if tell is not None else None


@dataclass
class Stage:
    """One database, one engine, one source."""

    database: Database
    clock: ManualClock

    @cached_property
    def tape(self) -> Tape:
        return Tape(self.clock)

    @cached_property
    def engine(self) -> Engine:
        return self.another_engine()

    def another_engine(self) -> Engine:
        return Engine(self.database, self.clock, (self.tape,), SETTINGS)

    @cached_property
    def app(self) -> FastAPI:
        return small_app(
            *wiring.ROUTERS,
            parts={
                Database: self.database,
                SystemClock: self.clock,
                Engine: self.engine,
                OutboundSettings: OutboundSettings.model_validate({}),
                ServerSettings: ServerSettings.model_validate({"base_url": "https://watch.example.org"}),
            },
        )

    def api(self) -> TestClient:
        return browser(self.app)

    def put(self, *definitions: Definition, by: str = "alice") -> None:
        with self.database.begin() as session:
            for one in definitions:
                Slos(session, self.clock).put(one, by=by, source="api")

    def records(self, call: Callable[[Records], Any]) -> Any:
        with self.database.begin() as session:
            return call(Records(session, self.clock))

    def steady(self, slo: str, good: float = 100.0, total: float = 100.0) -> None:
        """The same in every minute, past and to come."""
        self.tape.by_slo[slo] = lambda _minute: (good, total)

    def run(self, for_: timedelta = timedelta(0), *, every: timedelta = timedelta(seconds=15)) -> None:
        """Look now, and again and again while time goes by."""
        self.engine.run_once()
        until = self.clock.now() + for_
        while self.clock.now() < until:
            self.clock.advance(every)
            self.engine.run_once()

    def figures(self, slo: str = "api") -> Figures:
        with self.database.read() as session:
            return reading.figures(session, self.engine, self.clock.now(), slo)[0]

    def alerts(self, *, open_only: bool = False) -> list[AlertState]:
        with self.database.read() as session:
            return store_counts.episodes(session, open_only=open_only)

    def facts(self, kind: str = "slo.") -> list[Fact]:
        with self.database.read() as session:
            return read_facts(session, FactFilter(kinds=(kind,)), limit=1000, newest_first=False)

    def kinds(self) -> list[str]:
        return [fact.kind.removeprefix("slo.") for fact in self.facts()]


def token(scope: str = "write") -> Mapping[str, str]:
    return bearer(scope)
