"""The product of `bench.suspects`: services that call each other, and everything that may happen to them."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.incidents.story.support import Stage
from watchkeeper.kernel import journal
from watchkeeper.modules.alerts.events import ChangeRecorded
from watchkeeper.modules.alerts.public import OwnAlert
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.catalog.model import Description
from watchkeeper.modules.catalog.service import Catalog
from watchkeeper.modules.config.changes import Changes
from watchkeeper.modules.config.model import Operation
from watchkeeper.modules.config.service import Config
from watchkeeper_client.rules import Definition as Parameter

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CALLS = {
    "web": ("api", "auth"),
    "api": ("db", "cache"),
    "auth": ("db",),
    "billing": ("db",),
    "mailer": (),
    "search": (),
    "db": (),
    "cache": (),
}
STRANGERS = ("mailer", "search", "billing")
# Of each service four numbers and a switch, so that decoys turn other ones than the fault does.
NUMBERS = ("WORKERS", "TIMEOUT", "POOL", "BATCH")
Act = Callable[[], int | None]


class World:
    """A product whose services call each other, and everything that may happen to it."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self.stage, self.chance = stage, chance
        self.number = 0
        self.values: dict[tuple[str, str], float] = {}
        self.versions: dict[str, int] = {}

    def build(self) -> None:
        """The catalog, the parameters in two environments, and the versions that run."""
        with self.stage.database.begin() as session:
            for name, called in CALLS.items():
                about = Description(dependencies=called, owner="Team")
                Catalog(session, self.stage.clock).declare(name, about, by="per_olga", source="bench")
            config = Config(session, self.stage.clock)
            for environment in ("production", "staging"):
                config.ensure_environment(environment)
            for name in CALLS:
                for key in NUMBERS:
                    said = {"key": f"{name}_{key}".upper(), "type": "float", "default": 100, "service": name}
                    config.define(Parameter.of(said), managed_by="people", by="per_olga", source="bench")
                said = {"key": f"{name}_SWITCH".upper(), "type": "boolean", "default": False, "service": name}
                config.define(Parameter.of(said), managed_by="people", by="per_olga", source="bench")
        for name in CALLS:
            self._see(name)

    # What may happen. Each answers the seq of its (first) fact.

    def deploys(self, service: str, *, told: bool) -> Act:
        """Another version: its telemetry names it, and sometimes the CI tells of it before."""

        def act() -> int:
            first = self._told(service) if told else None
            self.versions[service] = self.versions.get(service, 1) + 1
            seen = self._see(service)
            return first or seen

        return act

    def sets(
        self, service: str, times: float, *, keys: int = 1, environment: str = "production", slot: str = "value"
    ) -> Act:
        """Numbers are multiplied, several of them in one change."""

        def act() -> int:
            chosen = self.chance.sample(NUMBERS, keys)
            wanted = [self._operation(service, key, times, environment, slot) for key in chosen]
            return self._propose(environment, wanted)

        return act

    def flips(self, service: str) -> Act:
        """A switch is turned."""

        def act() -> int:
            key = f"{service}_SWITCH".upper()
            now = self.values.get((key, "production"), 0.0)
            self.values[key, "production"] = 1.0 - now
            return self._propose("production", [Operation(key, "value", now == 0.0)])

        return act

    def edits(self, service: str) -> Act:
        """Somebody writes a better description into the catalog."""

        def act() -> None:
            about = Description(dependencies=CALLS[service], owner="Team", description=f"Edit {self._next()}")
            with self.stage.database.begin() as session:
                Catalog(session, self.stage.clock).change(service, about, by="per_olga", source="bench")

        return act

    def tries_and_puts_back(self, service: str) -> Act:
        """A large change that was undone within the minute."""

        def act() -> None:
            held = dict(self.values)
            self.sets(service, 8.0)()
            self.values = held
            self.stage.clock.advance(timedelta(seconds=20))
            with self.stage.database.begin() as session:
                verbs = Changes(session, self.stage.clock)
                facts = journal.read_facts(session, journal.FactFilter(kinds=("config.changed",)), limit=1)
                change = str(facts[0].data["change_id"])
                verbs.revert(change, reason="a typing error", by="per_olga", source="bench")

        return act

    def fails(self, service: str) -> Act:
        """An alert about a service."""

        def act() -> None:
            key = f"{service}-{self._next()}"
            own = OwnAlert(
                source="bench", key=key, title=f"{service} fails", severity="critical", service=service, family=key
            )
            with self.stage.database.begin() as session:
                self.stage.alerting.raise_own(session, own, at=self.stage.clock.now())

        return act

    def _operation(self, service: str, key: str, times: float, environment: str, slot: str) -> Operation:
        name = f"{service}_{key}".upper()
        now = self.values.get((name, environment), 100.0)
        # Values stay within what a double tells apart, whichever way a long run wanders.
        value = now * times if 1e-3 < now * times < 1e6 else 100.0 * times
        if slot == "value":
            self.values[name, environment] = value
        return Operation(name, slot, round(value, 6) + self._next() * 1e-5)

    def _propose(self, environment: str, wanted: list[Operation]) -> int:
        with self.stage.database.begin() as session:
            verbs = Changes(session, self.stage.clock)
            verbs.propose(environment, wanted, reason="work", by="per_olga", source="bench")
            return journal.head(session)

    def _told(self, service: str) -> int:
        fact = ChangeRecorded(integration="ci", service_name=service, summary=f"Release {self._next()}", origin="ci")
        with self.stage.database.begin() as session:
            return journal.append(session, fact, by="system:ci", source="bench", at=self.stage.clock.now())

    def _see(self, service: str) -> int:
        seen = catalog.Seen(service, "production", f"1.{self.versions.get(service, 1)}")
        with self.stage.database.begin() as session:
            catalog.discover(session, self.stage.clock, [seen])
            return journal.head(session)

    def _next(self) -> int:
        self.number += 1
        return self.number
