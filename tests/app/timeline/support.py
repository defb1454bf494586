"""A journal with facts of a small zoo, and a console that shows them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

import watchkeeper.app
from tests.conftest import NOON
from tests.kernel.web.support import PAGE, bearer, browser, small_app
from watchkeeper.app.timeline import routes
from watchkeeper.app.timeline.tail import Tail
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import Event, Subject

TEMPLATES = Path(watchkeeper.app.__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True)
class Fed(Event):
    kind: ClassVar[str] = "zoo.fed"

    animal: str
    house: str | None = None

    def subject(self) -> Subject:
        return Subject("service", self.animal)

    def service(self) -> str | None:
        return self.house

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['animal']} was fed."


@dataclass(frozen=True, kw_only=True)
class Moved(Event):
    kind: ClassVar[str] = "zoo.moved"

    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


def feed(
    session: Session, animal: str, *, house: str | None = None, by: str = "per_keeper", at: datetime = NOON
) -> int:
    """Write one fact."""
    return journal.append(session, Fed(animal=animal, house=house), by=by, source="test", at=at)


@dataclass
class Zoo:
    """A database, a clock and browsers."""

    database: Database
    clock: ManualClock
    clients: ExitStack

    @cached_property
    def app(self) -> FastAPI:
        parts = {Database: self.database, SystemClock: self.clock, Tail: Tail(self.database)}
        return small_app(routes.router, routes.pages, parts=parts, templates={"app": TEMPLATES}, nav=routes.NAV)

    def api(self, scope: str = "read") -> TestClient:
        return self.clients.enter_context(browser(self.app, None, headers=bearer(scope)))

    def page(self, who: str | None = "bob") -> TestClient:
        return self.clients.enter_context(browser(self.app, who, headers=PAGE))

    def feed(self, *animals: str, minutes: int = 1, **fact: Any) -> None:
        """One fact each, one after another."""
        for animal in animals:
            with self.database.begin() as session:
                feed(session, animal, at=self.clock.now(), **fact)
            self.clock.advance(timedelta(minutes=minutes))
