"""Runtime configuration on a database: a few parameters, and verbs in few words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.kernel.web.support import bearer, browser, small_app
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.modules.config import snapshot, store, wiring
from watchkeeper.modules.config.changes import Changes
from watchkeeper.modules.config.hub import Hub
from watchkeeper.modules.config.model import ChangeSet, Operation
from watchkeeper.modules.config.service import Config
from watchkeeper.modules.config.settings import ConfigSettings
from watchkeeper_client.rules import Definition, compile_snapshot

MATCHES = {
    "key": "MATCHES_PER_DAY",
    "type": "integer",
    "default": 3,
    "minimum": 1,
    "maximum": 10,
    "service": "matching",
}
RADIUS = {"key": "RADIUS_KM", "type": "float", "default": 50.0, "minimum": 1, "maximum": 500}
GREETING = {"key": "GREETING", "type": "string", "default": "hello", "pattern": "[a-z ]+"}
VIDEO = {"key": "ENABLE_VIDEO", "type": "flag", "default": False, "salt": "fixed"}
COACH = {"key": "ENABLE_COACH", "type": "flag", "default": False}
SETTINGS = ConfigSettings.model_validate({})


@dataclass
class Stage:
    """One database with the environment production."""

    database: Database
    clock: ManualClock
    clients: ExitStack
    environ: dict[str, str] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def open(cls, database: Database, clock: ManualClock) -> Iterator[Stage]:
        with ExitStack() as clients:
            stage = cls(database, clock, clients)
            stage.config(lambda config: config.ensure_environment("production"))
            yield stage

    @cached_property
    def hub(self) -> Hub:
        made = Hub(self.database, self.clock, self.environ)
        made.look()
        return made

    @cached_property
    def app(self) -> FastAPI:
        parts = {Database: self.database, SystemClock: self.clock, Hub: self.hub, ConfigSettings: SETTINGS}
        return small_app(*wiring.ROUTERS, parts=parts)

    def api(self, scope: str = "write") -> TestClient:
        return self.clients.enter_context(browser(self.app, headers=bearer(scope)))

    def config(self, call: Any) -> Any:
        """Run `call(config)` in a transaction."""
        with self.database.begin() as session:
            return call(Config(session, self.clock))

    def changes(self, call: Any) -> Any:
        """Run `call(changes)` in a transaction."""
        with self.database.begin() as session:
            return call(Changes(session, self.clock))

    def define(self, *said: Mapping[str, Any]) -> None:
        for one in said:
            self.config(
                lambda config, one=one: config.define(Definition.of(one), managed_by="people", by="alice", source="api")
            )

    def set(
        self, key: str, value: Any, slot: str = "value", *, environment: str = "production", **options: Any
    ) -> ChangeSet:
        """One operation by Alice, because of the tests."""
        expected = options.pop("expected_version", None)
        operation = Operation(key, slot, value, expected)
        options = {"reason": "tried out", "by": "alice", "source": "api", **options}
        changed: ChangeSet = self.changes(lambda changes: changes.propose(environment, [operation], **options))
        return changed

    def document(self, environment: str = "production") -> dict[str, Any]:
        with self.database.read() as session:
            return snapshot.build(session, environment)

    def get(self, key: str, user: str | None = None, environment: str = "production", **attributes: Any) -> Any:
        """What a client is answered now."""
        program = compile_snapshot(
            self.document(environment), now=self.clock.now(), environ=self.environ, clock=self.clock.now
        )
        found = program.outcome(key, user, attributes)
        assert found is not None
        return found.value

    def version(self, environment: str = "production") -> int:
        with self.database.read() as session:
            return store.versions(session)[environment]

    def facts(self, kind: str = "config.") -> list[Fact]:
        with self.database.read() as session:
            return read_facts(session, FactFilter(kinds=(kind,)), limit=1000, newest_first=False)

    def kinds(self) -> list[str]:
        return [fact.kind.removeprefix("config.") for fact in self.facts()]
