"""Pages of incidents: found from the alert, done with a thumb, and harmless whatever people write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from tests.catalog.support import Page
from tests.incidents.support import ID, Stage, by
from tests.kernel.web.support import ALICE, PAGE, browser, small_app
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.alerts import wiring as alerts
from watchkeeper.modules.alerts.public import Alerting, GroupButtons
from watchkeeper.modules.incidents import public, wiring
from watchkeeper.modules.incidents.counting import OpenIncidents
from watchkeeper.modules.incidents.model import Incident, Role, Severity
from watchkeeper.modules.incidents.public import Incidenting

HOSTILE = "<script>alert(1)</script>\"'><img src=x>"


@pytest.fixture
def client(stage: Stage) -> Iterator[TestClient]:
    parts: dict[Any, Any] = {
        Database: stage.database,
        SystemClock: stage.clock,
        Incidenting: stage.incidenting,
        Alerting: stage.alerting,
        GroupButtons: GroupButtons((wiring.button_of,)),
    }
    app = small_app(
        *wiring.ROUTERS,
        *alerts.ROUTERS,
        parts=parts,
        templates={**wiring.TEMPLATES, **alerts.TEMPLATES},
        static={**wiring.STATIC, **alerts.STATIC},
        nav=wiring.NAV,
    )
    with ExitStack() as clients:
        yield clients.enter_context(browser(app, "alice", headers=PAGE))


@pytest.fixture
def page(client: TestClient) -> Page:
    return Page(client)


def step(page: Page, where: str, **said: str) -> httpx.Response:
    """Send one of its small forms."""
    return page.submit(f"{where}/step", said, page=where)


def address(one: Incident) -> str:
    return f"/incidents/{one.id}"


def test_one_click_on_the_page_of_an_alert_declares_its_incident(stage: Stage, page: Page) -> None:
    stage.fire()
    group = stage.group()
    assert group is not None
    where = f"/alerts/{group.id}"
    assert "Declare an incident" in page.get(where).text
    first = page.submit(f"/incidents/of-alert/{group.id}", {}, page=where)
    assert first.status_code == 303
    assert first.headers["location"] == address(stage.only())
    assert "Incident: SEV-1, investigating" in page.get(where).text


def test_what_is_open_stands_first_with_its_countdown(stage: Stage, page: Page) -> None:
    stage.open("Slow search", severity=Severity.SEV3, who="tok_ci")
    stage.open("Nobody can pay", severity=Severity.SEV1, who="tok_ci")
    stage.clock.advance(timedelta(minutes=2))
    text = page.get("/incidents").text
    assert text.index("Nobody can pay") < text.index("Slow search")
    assert "respond within 3 min" in text
    assert "update in 13 min" in text
    stage.clock.advance(timedelta(minutes=5))
    assert "nobody responded: 2 min late" in page.get("/incidents").text
    assert "No incident fits" in page.get("/incidents?q=nothing").text
    assert "No drill yet" in page.get("/incidents?view=drills").text


def test_every_step_of_an_incident_is_one_button(stage: Stage, page: Page) -> None:
    one = stage.open(severity=Severity.SEV2, services=["shop"])
    where = address(one)
    steps: list[dict[str, str]] = [
        {"what": "acknowledge"},
        {"what": "status", "value": "identified"},
        {"what": "severity", "value": "SEV-1", "reason": "worse"},
        {"what": "role", "value": "commander", "second": ID["ann"]},
        {"what": "update", "value": "We roll back", "public": "yes", "status": "monitoring"},
        {"what": "note", "value": "Pool was 5"},
        {"what": "decision", "value": "Roll back"},
        {"what": "link", "value": "https://graphs.example/1", "second": "Graph"},
        {"what": "status", "value": "resolved"},
        {"what": "reopen", "reason": "again"},
    ]
    for said in steps:
        answer = step(page, where, **said)
        assert answer.status_code == 303, (said, answer.text)
    text = page.get(where).text
    for words in ("SEV-1 critical", "Ann", "We roll back", "public", "Pool was 5", "decision", "Graph", "1 time"):
        assert words in text
    assert f'hx-get="{where}/story"' in text


def test_a_page_that_is_out_of_date_takes_no_role_away(stage: Stage, page: Page) -> None:
    one = stage.open()
    stage.do(lambda verbs: verbs.assign(one.id, Role.COMMANDER, ID["ann"], **by("ann")))
    said = {"what": "role", "value": "commander", "second": ID["ben"], "version": str(one.version)}
    answer = step(page, address(one), **said)
    assert answer.status_code == 412
    assert "Somebody else changed it" in answer.text
    assert stage.now_is(one).roles == {"commander": ID["ann"]}


def test_critical_alerts_that_are_open_are_named_where_it_is_refused(stage: Stage, page: Page) -> None:
    stage.fire()
    group = stage.group()
    assert group is not None
    one = stage.open(groups=[group.id])
    answer = step(page, address(one), what="status", value="resolved")
    assert answer.status_code == 409
    assert "disk is bad" in answer.text
    assert "Nothing was changed" in answer.text


def test_what_people_write_stays_text(stage: Stage, page: Page) -> None:
    one = stage.open(HOSTILE, services=[HOSTILE], summary=HOSTILE, impact=HOSTILE)
    stage.do(lambda verbs: verbs.note(one.id, HOSTILE, pinned=True, **by("ann")))
    stage.do(lambda verbs: verbs.post_update(one.id, HOSTILE, **by("ann")))
    for where in ("/incidents", address(one)):
        text = page.get(where).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;alert(1)" in text


def test_a_form_that_says_nothing_known_is_refused(stage: Stage, page: Page) -> None:
    one = stage.open()
    where = address(one)
    for said in (
        {"what": "explode"},
        {"what": "status", "value": "fine"},
        {"what": "severity", "value": "SEV-9"},
        {"what": "role", "value": "king", "second": ID["ann"]},
        {"what": "note", "value": "  "},
        {"what": "merge", "value": one.id},
    ):
        assert step(page, where, **said).status_code in (409, 422), said
    assert page.get("/incidents/inc_none").status_code == 404
    assert page.submit("/incidents", {"title": ""}, page="/incidents/new").status_code == 422


def test_a_file_is_added_and_saved_again(stage: Stage, page: Page, client: TestClient) -> None:
    one = stage.open()
    token = page.get(address(one)).text.partition('name="csrf-token" content="')[2].partition('"')[0]
    here = {"Sec-Fetch-Site": "same-origin"}
    files = {"file": ("trace.log", b"line 1", "text/html")}
    answer = client.post(f"{address(one)}/files", data={"csrf_token": token}, files=files, headers=here)
    assert answer.status_code == 303, answer.text
    (entry,) = stage.ask(lambda session: public.entries(session, one.id))
    got = client.get(f"{address(one)}/files/{entry.id}")
    assert (got.content, got.headers["x-content-type-options"]) == (b"line 1", "nosniff")
    assert got.headers["content-type"].startswith("text/plain")


def test_the_guide_says_until_when_and_what_is_opened_by_itself(stage: Stage, page: Page) -> None:
    text = page.get("/incidents/severities").text
    for words in (
        "the same working day",
        "48h",
        "the end of the next sprint",
        "09:00-17:00",
        "people declare",
    ):
        assert words in text


def test_the_badge_counts_what_is_open_and_no_drill(stage: Stage) -> None:
    stage.open()
    stage.open("Drill", drill=True)
    badge = OpenIncidents(stage.database)
    stage.ask(badge.look)
    assert badge.badges(ALICE)["/incidents"].count == 1
