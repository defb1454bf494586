"""The API of reports and schedules: every form of a report, who may see addresses, and what is refused."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.kernel.web.support import bearer
from tests.slo.reports.support import close, count, promised, put_at
from tests.slo.support import Stage
from watchkeeper.modules.slo.reports.period import Period

WRITE, READ = bearer("write"), bearer("read")
SINCE, UNTIL = Period(2026, 10).bounds("Europe/Oslo")
REPORTS, SCHEDULES = "/api/v1/slo/reports", "/api/v1/slo/report-schedules"


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.clock.jump(datetime(2026, 11, 2, tzinfo=UTC))
    put_at(stage, SINCE + timedelta(hours=1), promised(display_name="=cmd|'/c calc'!A1"), promised("quiet"))
    count(stage, SINCE, UNTIL, 998, 1000)
    close(stage)
    return stage


def order(**changes: Any) -> dict[str, Any]:
    return {"recipients": ["anna@example.org"], "time_zone": "Europe/Oslo", **changes}


def test_a_report_is_json_csv_pdf_and_mail(stage: Stage) -> None:
    api = stage.api()
    found = api.get(f"{REPORTS}?period=2026-10", headers=READ).json()
    assert (found["title"], found["provisional"]) == ("SLO report, October 2026", False)
    assert found["slos"][0]["objectives"][0]["counts"] == {"good": 743510.0, "total": 745000.0, "measured": 2682000.0}
    assert found["slos"][0]["agreements"][0]["tiers"][0]["amount"] == "100.00"
    pdf = api.get(f"{REPORTS}.pdf?period=2026-10", headers=READ)
    assert (pdf.headers["content-type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    assert pdf.headers["content-disposition"] == 'attachment; filename="slo-report-2026-10.pdf"'
    mail = api.get(f"{REPORTS}.html?period=2026-10", headers=READ)
    assert "743,510 good of 745,000 events" in mail.text
    assert "default-src 'none'" in mail.headers["content-security-policy"]


def test_a_name_that_looks_like_a_formula_is_text_in_the_table(stage: Stage) -> None:
    answer = stage.api().get(f"{REPORTS}.csv?period=2026-10&service=gateway", headers=READ)
    assert answer.headers["content-disposition"] == 'attachment; filename="slo-report-2026-10-gateway.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows[0]["what"] == "'=cmd|'/c calc'!A1"
    assert {row["kind"] for row in rows} == {"objective", "agreement", "credit"}
    assert [row["credit"] for row in rows if row["kind"] == "credit"] == ["100.00", "0.00"]


@pytest.mark.parametrize("ending", ["", ".csv", ".pdf", ".html"])
@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("period=2026-13", 422, "slo.report_invalid"),
        ("period=2027-01", 422, "slo.report_invalid"),
        ("", 422, "kernel.invalid"),
    ],
)
def test_a_period_that_is_none_is_refused(stage: Stage, ending: str, query: str, status: int, code: str) -> None:
    answer = stage.api().get(f"{REPORTS}{ending}?{query}", headers=READ)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_periods_are_listed(stage: Stage) -> None:
    items = stage.api().get("/api/v1/slo/report-periods", headers=READ).json()["items"]
    assert items[1] == {"period": "2026-10", "kind": "month", "title": "October 2026", "closed": True}


def test_a_schedule_is_made_read_changed_and_removed(stage: Stage) -> None:
    api = stage.api()
    made = api.post(SCHEDULES, json=order(), headers={**WRITE, "idempotency-key": "k"})
    again = api.post(SCHEDULES, json=order(), headers={**WRITE, "idempotency-key": "k"})
    assert (made.status_code, again.json()["id"]) == (201, made.json()["id"])
    path = f"{SCHEDULES}/{made.json()['id']}"
    assert (made.json()["next_at"], made.json()["next_period"]) == ("2026-11-03T07:00:00Z", "2026-10")
    found = api.get(path, headers=WRITE)
    assert api.put(path, json=order(day=5), headers={**WRITE, "if-match": '"x"'}).status_code == 412
    changed = api.put(path, json=order(day=5), headers={**WRITE, "if-match": found.headers["etag"]})
    assert (changed.json()["day"], changed.json()["next_at"]) == (5, "2026-11-05T07:00:00Z")
    assert [one["day"] for one in api.get(SCHEDULES, headers=WRITE).json()["items"]] == [5]
    assert api.delete(path, headers=WRITE).status_code == 204
    assert api.get(path, headers=WRITE).json()["code"] == "slo.schedule_not_found"
    assert stage.kinds()[-3:] == ["report_scheduled", "report_rescheduled", "report_unscheduled"]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"recipients": []}, "body.recipients"),
        ({"recipients": ["nobody"]}, "recipients[0]"),
        ({"recipients": ["anna@example.org", "anna@example.org\r\nBcc: all@example.org"]}, "recipients[1]"),
        ({"recipients": ["ånna@example.org"]}, "recipients[0]"),
        ({"day": 31}, "body.day"),
        ({"at": "8"}, "body.at"),
        ({"time_zone": "Mars/North"}, "body.time_zone"),
        ({"report": "weekly"}, "body.report"),
    ],
)
def test_a_schedule_that_is_wrong_is_refused_and_quotes_no_address(
    stage: Stage, changes: dict[str, Any], where: str
) -> None:
    api = stage.api()
    answer = api.post(SCHEDULES, json=order(**changes), headers=WRITE)
    assert answer.status_code == 422
    assert [one["where"] for one in answer.json()["errors"]] == [where]
    assert "example.org\\r" not in answer.text
    assert api.get(SCHEDULES, headers=WRITE).json()["items"] == []


def test_who_may_only_read_sees_reports_and_no_addresses(stage: Stage) -> None:
    api = stage.api()
    made = api.post(SCHEDULES, json=order(), headers=WRITE).json()
    assert api.get(f"{REPORTS}?period=2026-10", headers=READ).status_code == 200
    path = f"{SCHEDULES}/{made['id']}"
    asked = [
        api.get(SCHEDULES, headers=READ),
        api.get(path, headers=READ),
        api.post(SCHEDULES, json=order(), headers=READ),
        api.put(path, json=order(), headers=READ),
        api.delete(path, headers=READ),
    ]
    assert [one.status_code for one in asked] == [403] * 5
    assert all("anna" not in one.text for one in asked)
    assert api.get(f"{REPORTS}?period=2026-10").status_code == 401
