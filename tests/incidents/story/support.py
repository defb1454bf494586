"""An incident with a past: real parameters, silences, runbooks and alerts before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from starlette.testclient import TestClient

from tests.config.pages.support import Cast, Pages
from tests.incidents.support import FACTS, ID
from tests.incidents.support import Stage as Incidents
from tests.kernel.web.support import PAGE, browser, small_app
from watchkeeper.app.runbook_actions import actions_of
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor, Authenticator, Scope
from watchkeeper.modules.alerts.events import ChangeRecorded
from watchkeeper.modules.alerts.public import Alerting
from watchkeeper.modules.catalog.model import Description
from watchkeeper.modules.catalog.service import Catalog
from watchkeeper.modules.config.changes import Changes
from watchkeeper.modules.config.hub import Hub
from watchkeeper.modules.config.model import ChangeSet, Operation
from watchkeeper.modules.config.service import Config
from watchkeeper.modules.incidents.model import Incident
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.story import wiring
from watchkeeper.modules.incidents.story.model import Story
from watchkeeper.modules.incidents.story.undoing import Done, Stories
from watchkeeper.modules.runbooks.public import Actions, Running
from watchkeeper.modules.runbooks.reading import content_of
from watchkeeper.modules.runbooks.service import Runbooks
from watchkeeper.modules.slo.public import Engine
from watchkeeper_client.rules import Definition as Parameter

OPERATOR = Actor(ID["cleo"], "person", "Cleo", frozenset({Scope.WRITE}))
RESPONDER = Actor(ID["ann"], "person", "Ann", frozenset({Scope.RESPOND}))
MINUTES = timedelta(minutes=1)


@dataclass
class Stage(Incidents):
    """What happened before, in the product's own verbs."""

    engine: Engine | None = None

    @property
    def incidenting(self) -> Incidenting:
        return replace(super().incidenting, engine=self.engine)

    @property
    def actions(self) -> Actions:
        return Actions.of(actions_of(self.alerting))

    @property
    def stories(self) -> Stories:
        return Stories(self.incidenting, FACTS, self.actions, Running(self.actions), self.engine)

    def after(self, minutes: float) -> None:
        self.clock.advance(minutes * MINUTES)

    def services(self, **calls: Sequence[str]) -> None:
        with self.database.begin() as session:
            for name, called in calls.items():
                about = Description(dependencies=tuple(called))
                Catalog(session, self.clock).declare(name, about, by="per_olga", source="test")

    def parameter(self, key: str = "WORKERS", default: int = 8, service: str = "shop") -> None:
        said = {"key": key, "type": "integer", "default": default, "service": service}
        with self.database.begin() as session:
            verbs = Config(session, self.clock)
            verbs.ensure_environment("production")
            verbs.define(Parameter.of(said), managed_by="people", by="per_olga", source="test")

    def set(self, value: int, key: str = "WORKERS") -> ChangeSet:
        with self.database.begin() as session:
            wanted = [Operation(key, "value", value)]
            verbs = Changes(session, self.clock)
            return verbs.propose("production", wanted, reason="a try", by="per_olga", source="test")

    def deployed(self, service: str = "shop", summary: str = "Deployed 42") -> None:
        fact = ChangeRecorded(integration="ci", service_name=service, summary=summary, origin="ci")
        with self.database.begin() as session:
            journal.append(session, fact, by="system", source="test", at=self.clock.now())

    def keep(self, text: str, name: str = "shop") -> None:
        """Put a runbook, and sign it off."""
        content = content_of(name, text)
        approver = Actor("local", "local", "local", frozenset({Scope.ADMIN}))
        with self.database.begin() as session:
            runbooks = Runbooks(session, self.clock)
            runbooks.put(content, by="local", source="ops")
            runbooks.approve(name, content.revision, by=approver, source="test")

    def burst(self, service: str = "shop", **said: Any) -> Incident:
        """It fires, and somebody opens an incident for it."""
        self.fire(service, service=service, **said)
        group = self.group(key=service)
        assert group is not None
        return self.open(groups=[group.id])

    def story(self, one: Incident) -> Story:
        found: Story = self.ask(lambda session: self.stories.story(session, self.clock, one.id))
        return found

    def undo(self, one: Incident, mark: str, who: Actor = OPERATOR, **said: Any) -> Done:
        given = {"reason": "it broke checkout", "confirmed": True, "source": "test", **said}
        with self.database.begin() as session:
            return self.stories.undo(session, self.clock, one.id, mark, who=who, **given)

    def client(self, who: str | None = None, **options: Any) -> TestClient:
        parts: dict[Any, Any] = {
            Authenticator: Cast(),
            Database: self.database,
            SystemClock: self.clock,
            Alerting: self.alerting,
            Stories: self.stories,
            Hub: Hub(self.database, self.clock, {}),
        }
        app = small_app(*wiring.ROUTERS, parts=parts, templates=wiring.TEMPLATES, static=wiring.STATIC)
        return browser(app, who, **options)

    def console(self, who: str = "alice") -> Pages:
        return Pages(self.client(who, headers=PAGE))
