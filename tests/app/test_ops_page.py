"""The page of operations as code: the last apply, what differs since, who did it, and the file that would keep it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from tests.catalog.support import words
from tests.kernel.web.support import PAGE, bearer, browser, small_app
from watchkeeper.app import ops as ops_package
from watchkeeper.app.ops import wiring
from watchkeeper.app.ops.kinds import KINDS
from watchkeeper.app.ops.watch import DriftWatch
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ops import apply_plan, read_files
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import Badges
from watchkeeper.modules.catalog.model import Description
from watchkeeper.modules.catalog.service import Catalog

FILES = {"services/all.yaml": "name: web\nowner: Team Web\ntier: 2\n---\nname: chat\n"}
TEMPLATES = Path(ops_package.__file__).parents[1] / "templates"


@pytest.fixture
def watch(database: Database) -> DriftWatch:
    return DriftWatch(database)


@pytest.fixture
def page(database: Database, clock: ManualClock, watch: DriftWatch) -> Iterator[TestClient]:
    parts = {Database: database, SystemClock: clock, DriftWatch: watch, Badges: Badges((watch,))}
    app = small_app(*wiring.ROUTERS, parts=parts, templates={"app": TEMPLATES}, nav=wiring.NAV)
    with ExitStack() as stack:
        yield stack.enter_context(browser(app, "bob", headers=PAGE))


def _apply(database: Database, clock: ManualClock, files: dict[str, str]) -> None:
    with database.begin() as session:
        apply_plan(session, read_files(files, KINDS), KINDS, by="per_alice", at=clock.now())


def _edit(database: Database, clock: ManualClock, by: str, name: str, about: Description) -> None:
    clock.advance(timedelta(minutes=10))
    with database.begin() as session:
        Catalog(session, clock).change(name, about, by=by, source="console")


def test_before_the_first_apply_the_page_says_how_to_begin(page: TestClient) -> None:
    shown = words(page.get("/settings/ops").text)
    assert "Nothing was applied yet" in shown
    assert "watchkeeper init ops" in shown
    assert "differ" not in shown


def test_the_last_apply_is_told_with_who_when_what_and_which_plan(
    page: TestClient, database: Database, clock: ManualClock
) -> None:
    _apply(database, clock, FILES)
    text = page.get("/settings/ops").text
    shown = words(text)
    assert "Who per_alice Did 2 created, 0 changed, 0 deleted Plan" in shown
    assert re.search(r"Plan [0-9a-f]{32} ", shown)
    assert re.search(r'href="/timeline/fct_[0-9a-z]+"', text)
    assert "Nothing differs from ops/" in shown


def test_each_field_that_differs_is_shown_with_who_changed_it_and_the_entry(
    page: TestClient, database: Database, clock: ManualClock
) -> None:
    _apply(database, clock, FILES)
    _edit(database, clock, "per_bob", "web", Description(owner="Bob", tier=2))
    _edit(database, clock, "per_eve", "web", Description(owner="Bob", tier=4, dependencies=("a", "b")))
    text = page.get("/settings/ops").text
    shown = words(text)
    assert "1 differs from ops/" in shown
    assert "web service, differs from ops/ since 2026-03-02 12:10:00 UTC" in shown
    assert "owner Team Web Bob per_bob, " in shown
    assert "tier 2 4 per_eve, " in shown
    assert "dependencies nothing a, b per_eve, " in shown
    assert len(set(re.findall(r'href="(/timeline/fct_[0-9a-z]+)"', text))) == 3
    assert 'href="/services/web/about"' in text


def test_an_object_that_differs_can_be_copied_as_its_file(
    page: TestClient, database: Database, clock: ManualClock
) -> None:
    _apply(database, clock, FILES)
    _edit(database, clock, "per_bob", "web", Description(owner="<no>", tier=2))
    text = html.unescape(page.get("/settings/ops").text)
    line = "# yaml-language-server: $schema=../.schemas/service.schema.json"
    assert f'<code>{line}\nname: web\nowner: "<no>"\ntier: 2\n</code>' in text


def test_the_side_bar_counts_what_differs_for_those_who_may_look(
    page: TestClient, database: Database, clock: ManualClock, watch: DriftWatch
) -> None:
    _apply(database, clock, FILES)
    for name in ("web", "chat"):
        _edit(database, clock, "per_bob", name, Description(tier=1))
    assert "wk-count" not in page.get("/settings/nothing").text
    with database.read() as session:
        watch.look(session)
    assert "2<span" in page.get("/settings/nothing").text
    assert "differ from ops/" in page.get("/settings/nothing").text
    assert watch.badges(Actor("tok_x", "token", "x", frozenset())) == {}
    _apply(database, clock, FILES)
    page.get("/settings/ops")
    assert "wk-count" not in page.get("/settings/nothing").text


def test_what_files_caught_up_with_or_people_set_back_differs_no_more(
    page: TestClient, database: Database, clock: ManualClock
) -> None:
    _apply(database, clock, FILES)
    _edit(database, clock, "per_bob", "web", Description(owner="Bob", tier=2))
    _edit(database, clock, "per_bob", "chat", Description(owner="Bob"))
    _edit(database, clock, "per_bob", "chat", Description())
    _apply(database, clock, {"services/all.yaml": FILES["services/all.yaml"].replace("Team Web", "Bob")})
    assert "Nothing differs from ops/" in words(page.get("/settings/ops").text)


def test_an_edit_of_which_the_journal_knows_nothing_is_shown_without_a_name(
    page: TestClient, database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _apply(database, clock, FILES)
    _edit(database, clock, "per_bob", "web", Description(owner="Bob", tier=2))

    def nothing(_session: Session, *_wanted: object, **_options: object) -> list[object]:
        return []

    monkeypatch.setattr("watchkeeper.kernel.ops.drift.read_facts", nothing)
    assert "owner Team Web Bob not known" in words(page.get("/settings/ops").text)


def test_the_export_and_the_kinds_are_there_for_programs(
    page: TestClient, database: Database, clock: ManualClock
) -> None:
    _apply(database, clock, FILES)
    for scope, status in (("read", 200), ("intake", 403)):
        assert page.get("/api/v1/ops/export", headers=bearer(scope)).status_code == status
    found = page.get("/api/v1/ops/export", headers=bearer("read")).json()
    assert (list(found["files"]), found["notices"]) == (["services/chat.yaml", "services/web.yaml"], [])
    plan = page.post("/api/v1/ops/plan", json={"files": found["files"]}, headers=bearer("read")).json()
    assert {change["action"] for change in plan["changes"]} == {"unchanged"}
    (kind,) = [one for one in page.get("/api/v1/ops/schemas").json()["items"] if one["kind"] == "service"]
    assert (kind["pattern"], kind["file"]) == ("services/**/*.yaml", "service.schema.json")
    assert page.get(kind["href"]).json()["title"] == "Watchkeeper service"
