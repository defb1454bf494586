"""The pages of reports: periods, a report with its files, and schedules in a form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.kernel.web.support import PAGE, browser, small_app
from tests.slo.reports.support import close, count, promised, put_at
from tests.slo.support import Stage
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.csrf import Csrf
from watchkeeper.modules.slo import wiring
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.reports import store
from watchkeeper.modules.slo.reports.period import Period

SINCE, UNTIL = Period(2026, 10).bounds("Europe/Oslo")
FORM = {"report": "monthly", "recipients": "anna@example.org, ben@example.org", "day": "3", "at": "08:00"}
FORM |= {"time_zone": "Europe/Oslo"}
SCHEDULES = "/slos/reports/schedules"
CSRF = Csrf(b"k" * 32, secure=False)


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.clock.jump(datetime(2026, 11, 2, tzinfo=UTC))
    put_at(stage, SINCE + timedelta(hours=1), promised(display_name="Orders <b>now</b>"))
    count(stage, SINCE, UNTIL, 998, 1000)
    close(stage)
    return stage


def person(stage: Stage, who: str = "alice") -> TestClient:
    parts = {
        Database: stage.database,
        SystemClock: stage.clock,
        Engine: stage.engine,
        Csrf: CSRF,
        ServerSettings: ServerSettings.model_validate({}),
    }
    app = small_app(*wiring.ROUTERS, parts=parts, templates=wiring.TEMPLATES, static=wiring.STATIC)
    client = browser(app, who)
    client.headers.update(PAGE)
    return client


def sent(client: TestClient, path: str, form: Mapping[str, Any]) -> Any:
    headers = {"origin": "http://testserver"}
    return client.post(path, data={**form, "csrf_token": CSRF.token("ses_alice")}, headers=headers)


def test_periods_lead_to_their_reports(stage: Stage) -> None:
    page = person(stage).get("/slos/reports")
    assert page.status_code == 200
    assert 'href="/slos/reports/2026-10"' in page.text
    assert 'href="/slos/reports/2026-Q3.pdf"' in page.text
    chosen = person(stage).get("/slos/reports?service=a%26b")
    assert 'href="/slos/reports/2026-10?service=a%26b"' in chosen.text
    led = person(stage).get("/slos/reports?period=2026-10&service=gateway")
    assert led.headers["location"] == "/slos/reports/2026-10?service=gateway"


def test_a_report_shows_counts_and_arithmetic_and_leads_to_its_files(stage: Stage) -> None:
    client = person(stage, "bob")
    page = client.get("/slos/reports/2026-10")
    assert page.status_code == 200
    assert "743,510 good of 745,000 events" in page.text
    assert "<li>1,000.00 EUR x 10 % = 100.00 EUR</li>" in page.text
    assert "Orders &lt;b&gt;now&lt;/b&gt;" in page.text
    for ending, kind in ((".pdf", "application/pdf"), (".csv", "text/csv; charset=utf-8")):
        assert f'href="/slos/reports/2026-10{ending}"' in page.text
        found = client.get(f"/slos/reports/2026-10{ending}")
        assert found.headers["content-type"] == kind
        assert "slo-report-2026-10" in found.headers["content-disposition"]


@pytest.mark.parametrize("label", ["2026-13", "2027-03", "nothing", "2026-13.pdf"])
def test_a_report_that_is_none_is_a_page_that_says_so(stage: Stage, label: str) -> None:
    page = person(stage).get(f"/slos/reports/{label}")
    assert page.status_code == 422
    assert "There is no such report" in page.text


def test_a_schedule_is_made_changed_and_stopped_in_forms(stage: Stage) -> None:
    client = person(stage)
    assert sent(client, SCHEDULES, FORM).status_code == 303
    (made,) = _schedules(stage)
    assert made.recipients == ("anna@example.org", "ben@example.org")
    form = client.get(f"{SCHEDULES}/{made.id}")
    assert "anna@example.org\nben@example.org</textarea>" in form.text
    assert sent(client, f"{SCHEDULES}/{made.id}", {**FORM, "day": "7"}).status_code == 303
    assert [one.day for one in _schedules(stage)] == [7]
    assert "Day 7 of the month at 08:00 (Europe/Oslo)" in client.get(SCHEDULES).text
    assert sent(client, f"{SCHEDULES}/{made.id}/remove", {}).status_code == 303
    assert _schedules(stage) == []
    assert client.get(f"{SCHEDULES}/{made.id}").status_code == 404


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"recipients": "nobody"}, "an e-mail address such as alice@example.org"),
        ({"recipients": ""}, "1 to 50 addresses"),
        ({"day": "31"}, "a day from 1 to 28"),
        ({"at": "noon"}, "a time of day such as 08:00"),
        ({"time_zone": "Mars/North"}, "a time zone such as Europe/Oslo"),
        ({"report": "weekly"}, "one of those that are listed"),
    ],
)
def test_a_form_that_is_wrong_says_where_and_keeps_what_was_typed(
    stage: Stage, changes: dict[str, str], expected: str
) -> None:
    page = sent(person(stage), SCHEDULES, {**FORM, "service": "gateway", **changes})
    assert page.status_code == 422
    assert expected in page.text
    assert 'value="gateway"' in page.text
    assert _schedules(stage) == []


def test_who_may_only_look_sees_no_addresses(stage: Stage) -> None:
    sent(person(stage), SCHEDULES, FORM)
    bob = person(stage, "bob")
    assert bob.get(SCHEDULES).status_code == 403
    assert "by e-mail" not in bob.get("/slos/reports").text


def _schedules(stage: Stage) -> list[Any]:
    with stage.database.read() as session:
        return store.all_schedules(session)
