"""Incidents on a database, with alerts, on-call and messages that are the real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from watchkeeper.app.timeline.marks import fact_or_none, mark_of
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ids import is_id
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.kernel.journal.listeners import Dispatcher
from watchkeeper.kernel.work import Task
from watchkeeper.kernel.work.tables import work
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import Alerting, FactLinks, GroupState, GroupWatchers, OwnAlert
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.identity import store as people
from watchkeeper.modules.identity.model import Person, Role
from watchkeeper.modules.incidents import public
from watchkeeper.modules.incidents.desk import LOOK
from watchkeeper.modules.incidents.hearing import listeners
from watchkeeper.modules.incidents.model import Incident
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.service import Incidents
from watchkeeper.modules.incidents.settings import IncidentSettings
from watchkeeper.modules.incidents.ticking import Ticking
from watchkeeper.modules.oncall.paging.engine import Watcher

NAMES = {"ann": Role.RESPONDER, "ben": Role.RESPONDER, "cleo": Role.OPERATOR, "vic": Role.VIEWER}
ID = {name: f"per_{number:026d}" for number, name in enumerate(NAMES, start=1)}
BASE = "https://watch.example"
FACTS = FactLinks(mark=mark_of, fact=fact_or_none)
assert all(is_id(one, "per") for one in ID.values())


def by(name: str) -> dict[str, str]:
    """As this person, in a test."""
    return {"by": ID.get(name, name), "source": "test"}


@dataclass
class Stage:
    """Everything by a clock that stands still."""

    database: Database
    clock: ManualClock
    said: dict[str, Any] = field(default_factory=dict)

    def add_people(self) -> None:
        with self.database.begin() as session:
            for name, role in NAMES.items():
                person = Person(
                    id=ID[name],
                    name=name.title(),
                    email=f"{name}@example.com",
                    role=role,
                    password_hash=None,
                    created_at=self.clock.now(),
                )
                people.add_person(session, person, seat=None)

    @cached_property
    def alerting(self) -> Alerting:
        return Alerting(AlertSettings.model_validate({}), GroupWatchers((Watcher(),)))

    @property
    def settings(self) -> IncidentSettings:
        return IncidentSettings.model_validate(self.said)

    @property
    def incidenting(self) -> Incidenting:
        return Incidenting(self.settings, self.alerting, BASE, FACTS)

    def do(self, call: Callable[[Incidents], Any]) -> Any:
        """Run `call(incidents)` in a transaction."""
        with self.database.begin() as session:
            return call(self.incidenting.on(session, self.clock))

    def ask(self, call: Callable[[Session], Any]) -> Any:
        with self.database.read() as session:
            return call(session)

    def open(self, title: str = "Checkout is down", who: str = "ann", **said: Any) -> Incident:
        found: Incident = self.do(lambda verbs: verbs.open(title, **by(who), **said))
        return found

    def now_is(self, one: Incident) -> Incident:
        """As it is now."""
        found = self.ask(lambda session: public.incident(session, one.id))
        assert found is not None
        return found  # type: ignore[no-any-return]

    def all(self, **wanted: Any) -> list[Incident]:
        found: list[Incident] = self.ask(
            lambda session: public.incidents(session, public.IncidentFilter(**{"drills": None, **wanted}))
        )
        return found

    def only(self) -> Incident:
        (found,) = self.all()
        return found

    def fire(self, key: str = "disk", *, severity: str = "critical", service: str | None = "shop", **said: Any) -> None:
        """An alert of some source of ours, and everybody hears of it."""
        own = OwnAlert(
            source="test", key=key, title=f"{key} is bad", severity=severity, service=service, family=key, **said
        )
        with self.database.begin() as session:
            self.alerting.raise_own(session, own, at=self.clock.now())
        self.hear()

    def settle(self, key: str = "disk", *, service: str | None = "shop") -> None:
        own = OwnAlert(source="test", key=key, title=f"{key} is bad", service=service, family=key)
        with self.database.begin() as session:
            self.alerting.resolve_own(session, own, at=self.clock.now())
        self.hear()

    def group(self, source: str = "test", key: str = "disk") -> GroupState | None:
        found: GroupState | None = self.ask(lambda session: alerts.own_group(session, source, key))
        return found

    def hear(self) -> None:
        """Have facts delivered."""
        dispatcher = Dispatcher(self.database, self.clock, listeners(self.incidenting, self.clock))
        while dispatcher.run_once():
            pass

    def facts(self, *kinds: str) -> list[Fact]:
        wanted = FactFilter(kinds=tuple(f"incidents.{kind}" for kind in kinds) or ("incidents.",))
        found: list[Fact] = self.ask(lambda session: read_facts(session, wanted, limit=1_000, newest_first=False))
        return found

    def kinds(self) -> list[str]:
        return [fact.kind.removeprefix("incidents.") for fact in self.facts()]

    def pass_time(self, length: timedelta) -> None:
        """Move the clock, and do the work of clocks that comes due meanwhile, each piece at its time."""
        until = self.clock.now() + length
        while (due := self._next_due(until)) is not None:
            task, at = due
            if at > self.clock.now():
                self.clock.advance(at - self.clock.now())
            with self.database.begin() as session:
                Ticking(self.clock, self.incidenting).look(session, str(task.payload["incident"]), at)
            self.hear()
        self.clock.advance(until - self.clock.now())

    def _next_due(self, until: Any) -> Any:
        with self.database.begin() as session:
            wanted = select(work).where(work.c.kind == LOOK, work.c.state == "due", work.c.due_at <= until)
            row = session.execute(wanted.order_by(work.c.due_at)).first()
            if row is None:
                return None
            session.execute(update(work).where(work.c.id == row.id).values(state="done"))
            return Task(row.id, row.kind, row.key, row.payload, 1, 1), row.due_at
