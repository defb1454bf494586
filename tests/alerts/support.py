"""A console with alerts in it, ways in, and somebody who writes down what the pager would be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from tests.catalog.support import Page
from tests.kernel.web.support import PAGE, bearer, browser, small_app
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.modules.alerts import store, wiring
from watchkeeper.modules.alerts.heartbeats import Heartbeats
from watchkeeper.modules.alerts.integrations import Integrations
from watchkeeper.modules.alerts.jobs import handlers
from watchkeeper.modules.alerts.model import Action, AlertState, GroupState, Integration, Kind, Severity, Signal
from watchkeeper.modules.alerts.noise import Noise
from watchkeeper.modules.alerts.public import Alerting, GroupWatchers
from watchkeeper.modules.alerts.service import Alerts
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.alerts.store import GroupFilter
from watchkeeper.modules.alerts.timing import TIME
from watchkeeper.modules.catalog.model import Description
from watchkeeper.modules.catalog.service import Catalog

GOLDEN = Path(__file__).parent / "golden"
BY = {"by": "per_alice", "source": "test"}


@dataclass
class Told:
    """A watcher that remembers (what, title, version)."""

    words: list[tuple[str, str]] = field(default_factory=list)

    def changed(self, session: Session, group: GroupState, what: str, at: datetime) -> None:
        self.words.append((what, group.title))

    def whats(self) -> list[str]:
        return [what for what, _ in self.words]


@dataclass
class Stage:
    """Alerts on a database, and who sends them."""

    database: Database
    clock: ManualClock
    clients: ExitStack
    told: Told = field(default_factory=Told)
    settings: AlertSettings = field(default_factory=lambda: AlertSettings.model_validate({}))

    @classmethod
    @contextmanager
    def open(cls, database: Database, clock: ManualClock) -> Iterator[Stage]:
        with ExitStack() as clients:
            yield cls(database, clock, clients)

    @cached_property
    def parts(self) -> Parts:
        watchers = GroupWatchers((self.told,))
        parts = wiring.alert_parts(self.database, self.clock, self.settings, watchers)
        return Parts({Database: self.database, SystemClock: self.clock, **parts})

    @cached_property
    def app(self) -> FastAPI:
        return small_app(
            *wiring.ROUTERS,
            parts=dict(self.parts),
            templates=wiring.TEMPLATES,
            static=wiring.STATIC,
            nav=wiring.NAV,
            mounts=wiring.apps(self.parts, self.database, self.clock),
            body_limits=dict.fromkeys(wiring.HOT),
        )

    @property
    def alerting(self) -> Alerting:
        return self.parts[Alerting]

    def client(self, who: str | None = None, **options: Any) -> TestClient:
        return self.clients.enter_context(browser(self.app, who, **options))

    def api(self, scope: str = "write") -> TestClient:
        return self.client(headers=bearer(scope))

    def page(self, who: str = "alice") -> Page:
        return Page(self.client(who, headers=PAGE))

    @cached_property
    def outside(self) -> TestClient:
        """Somebody who knows no password, only keys."""
        return self.client()

    def integration(self, kind: Kind | str = Kind.PAGERDUTY, name: str = "", **said: Any) -> tuple[Integration, str]:
        """A new way in, and its key."""
        order = Integration(id="", name=name or f"way-{Kind(kind).value}", kind=Kind(kind), **said)
        with self.database.begin() as session:
            made, key = Integrations(session, self.clock).add(order, **BY)
        return made.integration, key

    def pagerduty(self, key: str, action: str = "trigger", dedup: str | None = "d1", **payload: Any) -> httpx.Response:
        """Send an event as PagerDuty's clients do."""
        event: dict[str, Any] = {"routing_key": key, "event_action": action}
        if dedup is not None:
            event["dedup_key"] = dedup
        if action == "trigger":
            event["payload"] = {"summary": "Disk full", "source": "db-1", "severity": "error", **payload}
        return self.outside.post("/v2/enqueue", json=event)

    def webhook(self, key: str, *alerts: Mapping[str, Any], kind: str = "alertmanager", **top: Any) -> httpx.Response:
        """Send alerts as Alertmanager does."""
        body = {"version": "4", "groupKey": "{}:{}", "status": "firing", "alerts": list(alerts), **top}
        return self.outside.post(f"/integrations/{kind}/{key}", json=body)

    def alerts(self, call: Any) -> Any:
        """Run `call(alerts)` in a transaction."""
        with self.database.begin() as session:
            return call(Alerts(session, self.clock, self.settings, GroupWatchers((self.told,))))

    def noise(self, call: Any) -> Any:
        """Run `call(noise)` in a transaction."""
        with self.database.begin() as session:
            return call(Noise(session, self.clock, self.settings, GroupWatchers((self.told,))))

    def heartbeats(self, call: Any) -> Any:
        """Run `call(heartbeats)` in a transaction."""
        with self.database.begin() as session:
            return call(Heartbeats(session, self.clock, self.alerting))

    def take(self, *signals: Signal) -> None:
        """Take signals in, in one transaction, as coming now."""
        now = self.clock.now()
        self.alerts(lambda alerts: alerts.take([replace(one, at=now) for one in signals]))

    def groups(self, **wanted: Any) -> list[GroupState]:
        with self.database.read() as session:
            return store.list_groups(session, GroupFilter(**wanted), limit=1_000)

    def group(self) -> GroupState:
        """The only one."""
        (found,) = self.groups()
        return found

    def alerts_of(self, group: GroupState) -> list[AlertState]:
        with self.database.read() as session:
            return store.alerts_of(session, group.id, limit=1_000)

    def facts(self, kind: str = "alerts.") -> list[Fact]:
        with self.database.read() as session:
            return read_facts(session, FactFilter(kinds=(kind,)), limit=1000, newest_first=False)

    def kinds(self) -> list[str]:
        return [fact.kind.removeprefix("alerts.") for fact in self.facts() if "integration" not in fact.kind]

    def services(self, **dependencies: tuple[str, ...]) -> None:
        """Services of the catalog and what they call; `_` stands for a dash."""
        with self.database.begin() as session:
            for name, calls in dependencies.items():
                Catalog(session, self.clock).declare(
                    name, Description(dependencies=tuple(calls)), by="per_alice", source="test"
                )

    def pass_time(self, by: timedelta) -> None:
        """Move the clock, and do the work that has come due meanwhile, each piece at its time."""
        until = self.clock.now() + by
        for _ in range(1_000):
            due = self._next_due(until)
            if due is None:
                break
            task, at = due
            if at > self.clock.now():
                self.clock.advance(at - self.clock.now())
            with self.database.begin() as session:
                handlers(self.clock, self.alerting)[TIME].finish(session, task, None)
        self.clock.advance(until - self.clock.now())

    def _next_due(self, until: datetime) -> Any:
        from sqlalchemy import select, update

        from watchkeeper.kernel.work import Task
        from watchkeeper.kernel.work.tables import work

        with self.database.begin() as session:
            wanted = select(work).where(work.c.kind == TIME, work.c.state == "due", work.c.due_at <= until)
            row = session.execute(wanted.order_by(work.c.due_at)).first()
            if row is None:
                return None
            session.execute(update(work).where(work.c.id == row.id).values(state="done"))
            return Task(row.id, row.kind, row.key, row.payload, 1, 1), row.due_at


PAGER = Integration(id="int_pager", name="pager", kind=Kind.PAGERDUTY)


def signal(key: str = "d1", action: str = "trigger", **said: Any) -> Signal:
    """A signal without any format."""
    values: dict[str, Any] = {"title": "Disk full", "severity": Severity.ERROR, "service": "shop", **said}
    at = values.pop("at", datetime.fromisoformat("2026-03-02T12:00:00+00:00"))
    return Signal(integration=values.pop("integration", PAGER), action=Action(action), dedup_key=key, at=at, **values)


def am_alert(name: str = "HighErrors", status: str = "firing", **said: Any) -> dict[str, Any]:
    """One alert of Alertmanager's webhook."""
    labels = {"alertname": name, "service": "shop", "severity": "critical", **said.pop("labels", {})}
    return {
        "status": status,
        "labels": labels,
        "annotations": {"summary": "Too many errors"},
        "startsAt": "2026-03-02T11:59:00Z",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-03-02T12:10:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": f"f-{name}",
        **said,
    }
