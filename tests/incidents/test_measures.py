"""What incidents took and cost: laws of the numbers, then how they are shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.incidents.support import ID, Stage, by
from tests.incidents.test_clock_laws import incident
from tests.kernel.web.support import PAGE, bearer, browser, small_app
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.incidents import wiring
from watchkeeper.modules.incidents.measures import measure, person_hours, spread, week_of
from watchkeeper.modules.incidents.model import Incident, Responder, Severity, Status
from watchkeeper.modules.incidents.public import Incidenting

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
SPANS = st.timedeltas(timedelta(0), timedelta(days=3))


@st.composite
def ended(draw: st.DrawFn) -> Incident:
    opened = BEGIN + draw(st.timedeltas(timedelta(0), timedelta(days=80)))
    one = incident(draw(st.sampled_from(list(Severity))), opened)
    services = draw(st.lists(st.sampled_from(["shop", "cart", "mail"]), unique=True))
    return replace(
        one,
        id=f"inc_{draw(st.integers(0, 10**9))}",
        services=tuple(services),
        started_at=opened - draw(SPANS),
        acknowledged_at=draw(st.none() | SPANS.map(lambda span: opened + span)),
        resolved_at=draw(st.none() | SPANS.map(lambda span: opened + span)),
        drill=draw(st.booleans()),
        merged_into=draw(st.none() | st.just("inc_other")),
    )


@given(st.lists(ended(), max_size=12))
def test_drills_and_merged_ones_count_nowhere_and_severities_and_months_add_up(incidents: list[Incident]) -> None:
    real = [one for one in incidents if not one.drill and one.merged_into is None]
    found = measure(incidents, {}, BEGIN, BEGIN + timedelta(days=100), UTC)
    assert found.total.incidents == len(real)
    assert sum(one.incidents for one in found.severities) == len(real)
    assert sum(one.incidents for one in found.months) == len(real)
    assert sum(one.resolve.count for one in found.severities) == found.total.resolve.count
    assert sum(one.incidents for one in found.weeks) == len(real)
    assert found == measure(real, {}, BEGIN, BEGIN + timedelta(days=100), UTC)


@given(st.lists(st.none() | SPANS))
def test_a_median_lies_between_the_least_and_the_longest_and_what_is_missing_is_no_zero(
    times: list[timedelta | None],
) -> None:
    there = [one for one in times if one is not None]
    found = spread(times)
    assert found.count == len(there)
    if there:
        assert found.median is not None
        assert min(there) <= found.median <= max(there) == found.longest
    else:
        assert (found.median, found.mean, found.longest) == (None, None, None)


@given(st.lists(SPANS, max_size=6), SPANS)
def test_the_cost_is_that_of_each_person_from_their_first_act_to_the_end(
    joined: list[timedelta], lasted: timedelta
) -> None:
    one = replace(incident(Severity.SEV1, BEGIN), status=Status.RESOLVED, resolved_at=BEGIN + lasted)
    people = [
        Responder(incident_id=one.id, person_id=f"per_{number}", joined_at=BEGIN + span, how="")
        for number, span in enumerate(joined)
    ]
    expected = sum(max(0.0, (lasted - span).total_seconds()) for span in joined) / 3_600
    assert person_hours(one, people) == pytest.approx(expected)
    assert person_hours(replace(one, resolved_at=None), people) is None


@given(st.lists(ended(), max_size=8))
def test_what_is_known_of_none_is_no_zero(incidents: list[Incident]) -> None:
    people = {
        one.id: [Responder(incident_id=one.id, person_id="per_1", joined_at=one.opened_at, how="")] for one in incidents
    }
    found = measure(incidents, people, BEGIN, BEGIN + timedelta(days=100), UTC)
    for one in (found.total, *found.severities, *found.services, *found.months, *found.weeks):
        assert (one.person_hours is None) is (one.resolve.count == 0)
        assert one.users is None, "nobody said how many"
        for times in (one.detect, one.acknowledge, one.respond, one.resolve):
            assert (times.median is None) is (times.mean is None) is (times.count == 0)


@given(st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)), st.integers(1, 60))
def test_every_week_of_the_time_is_there_once_and_in_order(since: datetime, days: int) -> None:
    until = since + timedelta(days=days)
    zone = ZoneInfo("Pacific/Apia")
    weeks = [one.name for one in measure([], {}, since, until, zone).weeks]
    assert weeks == sorted(set(weeks))
    assert (weeks[0], weeks[-1]) == (week_of(since, zone), week_of(until, zone))
    assert 0 <= len(weeks) - days // 7 <= 2


@pytest.fixture
def client(stage: Stage) -> Iterator[TestClient]:
    parts = {Database: stage.database, SystemClock: stage.clock, Incidenting: stage.incidenting}
    options = {"templates": wiring.TEMPLATES, "static": wiring.STATIC, "nav": wiring.NAV}
    app = small_app(*wiring.ROUTERS, parts=parts, **options)
    with ExitStack() as clients:
        yield clients.enter_context(browser(app, "alice", headers={**PAGE, **bearer("read")}))


def played(stage: Stage) -> None:
    """Two people, two hours and one hour."""
    now = stage.clock.now()
    said = {"severity": Severity.SEV2, "services": ["shop"], "who": "tok_ci", "page": False}
    one = stage.open("=cmd|' /C calc'!A0", started_at=now - timedelta(minutes=10), **said)
    stage.do(lambda verbs: verbs.acknowledge(one.id, **by("ann")))
    stage.clock.advance(timedelta(hours=1))
    stage.do(lambda verbs: verbs.note(one.id, "Here", **by("ben")))
    stage.clock.advance(timedelta(hours=1))
    stage.do(lambda verbs: verbs.resolve(one.id, **by("ann")))
    drill = stage.open("A drill", drill=True, severity=Severity.SEV2)
    stage.do(lambda verbs: verbs.resolve(drill.id, **by("ann")))
    stage.clock.advance(timedelta(minutes=1))


def test_what_was_played_is_what_is_measured(stage: Stage, client: TestClient) -> None:
    played(stage)
    found = client.get("/api/v1/incidents/measures").json()
    assert found["total"]["incidents"] == 1
    (shop,) = found["services"]
    assert (shop["name"], shop["person_hours"]) == ("shop", 3.0)
    medians = {name: shop[name]["median"] for name in ("detect", "acknowledge", "respond", "resolve")}
    assert medians == {"detect": 600.0, "acknowledge": 0.0, "respond": 0.0, "resolve": 7_200.0}
    assert ID["ann"] not in str(found)
    assert "hours of all" in found["formula"]


def test_a_table_for_spreadsheets_starts_no_formula(stage: Stage, client: TestClient) -> None:
    played(stage)
    lines = client.get("/api/v1/incidents/measures.csv").text.splitlines()
    assert len(lines) == 2
    assert ",'=cmd|" in lines[1]
    assert "drill" not in lines[1]


def test_the_page_says_how_it_is_counted(stage: Stage, client: TestClient) -> None:
    assert "Nothing to measure" in client.get("/incidents/measures").text
    played(stage)
    text = client.get("/incidents/measures?days=30").text
    for words in ("2 h", "person-hours", "the first symptom", "the hours of all together", "2026-W10"):
        assert words in text


@pytest.mark.parametrize(
    "asked",
    [
        "since=2026-03-02T12:00:00Z&until=2026-03-01T00:00:00Z",
        "since=2000-01-01T00:00:00Z",
        "until=1970-01-01T00:00:00Z",
    ],
)
def test_a_stretch_of_time_that_is_none_is_refused(client: TestClient, asked: str) -> None:
    assert client.get(f"/api/v1/incidents/measures?{asked}").status_code == 422
