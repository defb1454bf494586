"""The product's users and their segments on a database, and who comes to them: Alice may edit, Bob may read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from tests.catalog.support import Page
from tests.kernel.web.support import PAGE, bearer, browser, small_app
from watchkeeper.kernel.clock import ManualClock, SystemClock, rfc3339
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.modules.subjects import public, wiring
from watchkeeper.modules.subjects.model import Definition, Rule
from watchkeeper.modules.subjects.segments import Segments, SegmentUses
from watchkeeper.modules.subjects.service import Subjects, Update

PREMIUM = 'attributes.plan == "premium"'


@dataclass
class Stage:
    """`used` is what says it uses segments: name to uses."""

    database: Database
    clock: ManualClock
    clients: ExitStack
    used: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def open(cls, database: Database, clock: ManualClock) -> Iterator[Stage]:
        with ExitStack() as clients:
            yield cls(database, clock, clients)

    @cached_property
    def uses(self) -> SegmentUses:
        return SegmentUses((lambda _session, name: self.used.get(name, []),))

    @cached_property
    def app(self) -> FastAPI:
        parts = {Database: self.database, SystemClock: self.clock, SegmentUses: self.uses}
        return small_app(
            *wiring.ROUTERS,
            parts=parts,
            templates=wiring.TEMPLATES,
            nav=wiring.NAV,
            body_limits=wiring.BODY_LIMITS,
        )

    def api(self, scope: str = "write") -> TestClient:
        return self.clients.enter_context(browser(self.app, headers=bearer(scope)))

    def page(self, who: str = "alice") -> Page:
        return Page(self.clients.enter_context(browser(self.app, who, headers=PAGE)))

    def send(self, *subjects: Mapping[str, Any], scope: str = "intake", **headers: str) -> httpx.Response:
        return self.api(scope).post("/api/v1/subjects", json={"subjects": list(subjects)}, headers=headers)

    def people(self, count: int, **more: Any) -> None:
        """Users u0, u1 and so on: every second Norwegian, every third premium, each a day less active."""
        self.subjects(
            lambda subjects: subjects.take(
                [
                    Update(
                        f"u{number}",
                        {
                            "country": "NO" if number % 2 == 0 else "SE",
                            "birth_year": 1960 + number % 50,
                            "last_active_at": self.clock.now() - timedelta(days=number),
                            "attributes": {"plan": "premium" if number % 3 == 0 else "free", **more},
                        },
                    )
                    for number in range(count)
                ],
                by="tok_intake",
                source="api",
            )
        )

    def subjects(self, call: Any) -> Any:
        """Run `call(subjects)` in a transaction."""
        with self.database.begin() as session:
            return call(Subjects(session, self.clock))

    def segments(self, call: Any) -> Any:
        """Run `call(segments)` in a transaction."""
        with self.database.begin() as session:
            return call(Segments(session, self.clock))

    def custom(self, name: str = "premium", expression: str = PREMIUM) -> None:
        definition = Definition("custom", rule=Rule(expression=expression))
        self.segments(lambda segments: segments.create(name, definition, by="per_alice", source="api"))

    def manual(self, name: str = "testers", *members: str) -> None:
        self.segments(
            lambda segments: segments.create(name, Definition("manual"), members, by="per_alice", source="api")
        )

    def ask(self, call: Any) -> Any:
        with self.database.read() as session:
            return call(session)

    def rules(self, *names: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(lambda session: public.segment_rules(session, names))
        return found

    def version(self) -> int:
        found: int = self.ask(public.segments_version)
        return found

    def count(self, name: str) -> int:
        found: int = self.ask(lambda session: public.count_members(session, name, self.clock.now()))
        return found

    def facts(self, kind: str = "subjects.") -> list[Fact]:
        def read(session: Session) -> list[Fact]:
            return read_facts(session, FactFilter(kinds=("subjects.",)), limit=1000, newest_first=False)

        found: list[Fact] = self.ask(read)
        return [fact for fact in found if fact.kind.startswith(kind)]

    def kinds(self) -> list[str]:
        return [fact.kind.removeprefix("subjects.") for fact in self.facts()]

    def at(self, **ago: float) -> str:
        """An instant so long ago."""
        return rfc3339(self.clock.now() - timedelta(**ago))
