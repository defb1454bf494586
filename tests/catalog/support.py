"""A console with nothing but the catalog in it, and its cast: Alice may everything, Bob may read."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.kernel.web.support import PAGE, bearer, browser, small_app
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.modules.catalog import store, wiring
from watchkeeper.modules.catalog.model import Seen, Service
from watchkeeper.modules.catalog.public import ReadinessCheck, ReadinessChecks
from watchkeeper.modules.catalog.service import Catalog

GATEWAY = {
    "title": "Gateway",
    "description": "The only way in.",
    "owner": "Team Edge",
    "tier": 1,
    "repository": "https://git.example/duet",
    "links": [{"title": "Dashboard", "url": "https://grafana.example/gateway"}],
    "dependencies": ["duet-matching"],
    "environments": ["staging"],
}


@dataclass
class Stage:
    """A catalog on a database, and who comes to it."""

    database: Database
    clock: ManualClock
    clients: ExitStack
    checks: ReadinessChecks

    @classmethod
    @contextmanager
    def open(cls, database: Database, clock: ManualClock, *more: ReadinessCheck) -> Iterator[Stage]:
        with ExitStack() as clients:
            yield cls(database, clock, clients, ReadinessChecks((*wiring.CHECKS, *more)))

    @cached_property
    def app(self) -> FastAPI:
        parts = {Database: self.database, SystemClock: self.clock, ReadinessChecks: self.checks}
        return small_app(*wiring.ROUTERS, parts=parts, templates=wiring.TEMPLATES, nav=wiring.NAV)

    def client(self, who: str | None = None, **options: Any) -> TestClient:
        return self.clients.enter_context(browser(self.app, who, **options))

    def api(self, scope: str = "write") -> TestClient:
        return self.client(headers=bearer(scope))

    def page(self, who: str = "alice") -> Page:
        return Page(self.client(who, headers=PAGE))

    def verb(self, call: Any) -> Any:
        """Run `call(catalog)` in a transaction."""
        with self.database.begin() as session:
            return call(Catalog(session, self.clock))

    def discover(self, *seen: tuple[str, str]) -> None:
        self.verb(lambda catalog: catalog.discover([Seen(*one) for one in seen]))

    def service(self, name: str) -> Service | None:
        with self.database.read() as session:
            return store.by_name(session, name)

    def services(self) -> list[Service]:
        with self.database.read() as session:
            return store.all_services(session)

    def facts(self, kind: str = "catalog.") -> list[Fact]:
        with self.database.read() as session:
            return read_facts(session, FactFilter(kinds=(kind,)), limit=1000, newest_first=False)

    def kinds(self) -> list[str]:
        return [fact.kind.removeprefix("catalog.") for fact in self.facts()]


@dataclass
class Page:
    """A browser that fills in forms with the hidden fields they came with."""

    client: TestClient

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def text(self, path: str) -> str:
        """What a person reads: the page without its tags."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return words(answer.text)

    def submit(self, path: str, fields: Mapping[str, str], *, page: str) -> httpx.Response:
        shown = self.get(page).text
        form = shown.partition(f'action="{path}')[2].partition("</form>")[0] or shown
        hidden = dict(_HIDDEN.findall(form))
        given = {name: html.unescape(value) for name, value in hidden.items()}
        return self.client.post(path, data={**given, **fields}, headers={"Sec-Fetch-Site": "same-origin"})


def words(page: str) -> str:
    """The text of a page on one line."""
    inside = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page.partition("<main")[2], flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", inside).split()))


_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
