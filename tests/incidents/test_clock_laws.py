"""Business hours and clocks: laws first, through every change of clocks, then what operations.yaml promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.modules.incidents import business
from watchkeeper.modules.incidents.business import BusinessHours
from watchkeeper.modules.incidents.clocks import (
    ClockState,
    Sprints,
    clocks_of,
    coming_marks,
    due_at,
    due_marks,
    parse_target,
    respond_clock,
)
from watchkeeper.modules.incidents.model import Incident, Severity, Status
from watchkeeper.modules.incidents.settings import IncidentSettings

ZERO = timedelta(0)
# Clocks change on either side of each of these, also in the middle of the day and by half an hour.
ZONES = ("UTC", "Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia")
INSTANTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
SPANS = st.timedeltas(timedelta(seconds=1), timedelta(hours=60))


@st.composite
def hours(draw: st.DrawFn) -> BusinessHours:
    opens = draw(st.integers(0, 22 * 60))
    closes = draw(st.integers(opens + 60, 23 * 60 + 59))
    days = draw(st.frozensets(st.integers(0, 6), min_size=1))
    holidays = draw(st.frozensets(st.dates(date(2025, 1, 1), date(2027, 12, 31)), max_size=20))
    return BusinessHours(
        ZoneInfo(draw(st.sampled_from(ZONES))), time(*divmod(opens, 60)), time(*divmod(closes, 60)), days, holidays
    )


@given(hours(), INSTANTS, SPANS)
def test_as_much_has_gone_by_as_was_waited_for(calendar: BusinessHours, begin: datetime, length: timedelta) -> None:
    assert business.between(calendar, begin, business.after(calendar, begin, length)) == length


@given(hours(), INSTANTS, SPANS, SPANS)
def test_waiting_twice_is_waiting_for_both(
    calendar: BusinessHours, begin: datetime, one: timedelta, other: timedelta
) -> None:
    first = business.after(calendar, begin, one)
    assert business.after(calendar, first, other) == business.after(calendar, begin, one + other)


@given(hours(), INSTANTS, st.timedeltas(ZERO, timedelta(days=9)), st.timedeltas(ZERO, timedelta(days=9)))
def test_hours_of_two_stretches_are_those_of_both(
    calendar: BusinessHours, begin: datetime, one: timedelta, other: timedelta
) -> None:
    middle, end = begin + one, begin + one + other
    both = business.between(calendar, begin, middle) + business.between(calendar, middle, end)
    assert both == business.between(calendar, begin, end)
    assert ZERO <= both <= end - begin


@given(hours(), INSTANTS, SPANS)
def test_what_is_waited_for_ends_within_the_hours_of_a_working_day(
    calendar: BusinessHours, begin: datetime, length: timedelta
) -> None:
    local = business.after(calendar, begin, length).astimezone(calendar.zone)
    assert calendar.is_working_day(local.date())
    found = calendar.hours_of(local.date())
    assert found is not None
    assert found[0] < local.astimezone(UTC) <= found[1]


TARGETS = st.sampled_from(["5m", "48h", "same-day", "next-sprint"]).map(parse_target)


@given(hours(), TARGETS, INSTANTS, st.timedeltas(ZERO, timedelta(days=20)), st.integers(0, 480))
def test_what_begins_later_is_never_due_earlier(
    calendar: BusinessHours, target: object, begin: datetime, later: timedelta, least: int
) -> None:
    targets = replace(IncidentSettings().targets, hours=calendar, least=timedelta(minutes=least))
    first, second = due_at(target, begin, targets), due_at(target, begin + later, targets)  # type: ignore[arg-type]
    assert begin < first <= second


@given(hours(), INSTANTS, st.integers(0, 480), st.sampled_from(ZONES))
def test_the_same_day_leaves_the_least_of_business_hours_and_ends_on_a_working_day(
    calendar: BusinessHours, begin: datetime, least: int, elsewhere: str
) -> None:
    """Whatever the hour at which it is opened, holidays, changes of clocks, and the zone of whoever opens it."""
    targets = replace(IncidentSettings().targets, hours=calendar, least=timedelta(minutes=least))
    due = due_at(parse_target("same-day"), begin, targets)
    assert business.between(calendar, begin, due) >= targets.least
    local = due.astimezone(calendar.zone)
    found = calendar.hours_of(local.date())
    assert found is not None
    assert calendar.is_working_day(local.date())
    assert found[0] <= due <= found[1]
    assert due_at(parse_target("same-day"), begin.astimezone(ZoneInfo(elsewhere)), targets) == due


@given(st.sampled_from(list(Severity)), hours(), INSTANTS)
def test_it_warns_at_half_and_four_fifths_and_before_it_breaches(
    severity: Severity, calendar: BusinessHours, begin: datetime
) -> None:
    targets = replace(IncidentSettings().targets, hours=calendar)
    clock = respond_clock(incident(severity, begin), targets)
    assert clock is not None
    assert [mark.share for mark in clock.marks] == [50, 80, 100]
    at = [mark.at for mark in clock.marks]
    assert begin <= at[0] <= at[1] <= at[2] == clock.due_at
    assert clock.state(begin - timedelta(seconds=1)) is ClockState.RUNNING
    assert clock.state(clock.due_at) is ClockState.BREACHED


@given(st.sampled_from(list(Severity)), INSTANTS, st.lists(st.timedeltas(ZERO, timedelta(hours=30)), max_size=12))
def test_each_mark_is_told_once_however_often_and_late_somebody_looks(
    severity: Severity, begin: datetime, pauses: list[timedelta]
) -> None:
    targets, one, now = IncidentSettings().targets, incident(severity, begin), begin
    told: list[str] = []
    for pause in pauses:
        now += pause
        for _ in range(2):
            due = due_marks(one, targets, now)
            told += [mark.key for mark in due]
            one = replace(one, told=(*one.told, *(mark.key for mark in due)))
    assert len(told) == len(set(told))
    clock = respond_clock(one, targets)
    assert clock is not None
    passed = {mark.key for mark in clock.marks if mark.at <= now} if pauses else set()
    assert passed <= set(told)
    assert not {mark.key for mark in coming_marks(one, targets, now)} & set(told)


@given(st.sampled_from(list(Severity)), INSTANTS, st.timedeltas(ZERO, timedelta(days=40)))
def test_a_response_stops_the_clock_for_good(severity: Severity, begin: datetime, took: timedelta) -> None:
    targets = IncidentSettings().targets
    one = replace(incident(severity, begin), responded_at=begin + took)
    clock = respond_clock(one, targets)
    assert clock is not None
    expected = ClockState.MET if begin + took <= clock.due_at else ClockState.MISSED
    assert {clock.state(begin + took), clock.state(begin + timedelta(days=400))} == {expected}
    assert not [mark for mark in due_marks(one, targets, begin + timedelta(days=400)) if mark.clock == "respond"]


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)], ids=["an hour less", "an hour more"])
def test_a_day_on_which_clocks_change_has_the_hours_that_its_walls_show(day: date) -> None:
    night = BusinessHours(ZoneInfo("Europe/Oslo"), time(1), time(5), frozenset(range(7)))
    found = night.hours_of(day)
    assert found is not None
    assert found[1] - found[0] == timedelta(hours=3 if day.month == 3 else 5)


@pytest.mark.parametrize(
    ("opened", "due"),
    [
        ("2026-03-02T10:00", "2026-03-02T17:00"),  # a Monday
        ("2026-03-02T16:30", "2026-03-03T10:30"),  # half an hour is no day's rest: two hours of business are
        ("2026-03-06T18:00", "2026-03-09T17:00"),  # Friday evening: Monday
        ("2026-12-23T18:00", "2026-12-28T17:00"),  # holidays and a weekend
    ],
)
def test_the_same_day_is_the_working_day_that_is_left(opened: str, due: str) -> None:
    settings = IncidentSettings.model_validate({"holidays": "2026-12-24, 2026-12-25"})
    clock = respond_clock(incident(Severity.SEV2, at(opened)), settings.targets)
    assert clock is not None
    assert clock.due_at == at(due)


@pytest.mark.parametrize(
    ("opened", "due"),
    [
        ("2026-03-27T15:30", "2026-03-30T08:30"),  # Friday 16:30 in Oslo, UTC+1; Monday is UTC+2
        ("2026-10-23T15:00", "2026-10-26T16:00"),  # Friday, shut: Monday until 17:00, which is UTC+1 again
        ("2026-05-16T22:30", "2026-05-18T15:00"),  # 17 May has begun in Oslo: a holiday, and a Sunday
    ],
)
def test_the_same_day_is_that_of_the_team_through_a_change_of_clocks(opened: str, due: str) -> None:
    said = {"time_zone": "Europe/Oslo", "holidays": "2026-05-17"}
    clock = respond_clock(incident(Severity.SEV2, at(opened)), IncidentSettings.model_validate(said).targets)
    assert clock is not None
    assert clock.due_at == at(due)


def test_the_next_sprint_ends_where_the_one_after_it_begins() -> None:
    sprints = Sprints(date(2026, 1, 5), 14)
    assert sprints.end_of_next(date(2026, 1, 5)) == sprints.end_of_next(date(2026, 1, 18)) == date(2026, 2, 2)
    assert sprints.end_of_next(date(2026, 1, 19)) == date(2026, 2, 16)
    assert sprints.end_of_next(date(2026, 1, 4)) == date(2026, 1, 19)


def test_updates_are_due_every_quarter_of_an_hour_of_the_two_worst_and_of_no_other() -> None:
    targets, begin = IncidentSettings().targets, at("2026-03-02T10:00")
    kinds = {
        severity: [clock.kind.value for clock in clocks_of(incident(severity, begin), targets, begin)]
        for severity in Severity
    }
    assert [("update" in found) for found in kinds.values()] == [True, True, False, False]
    over = replace(incident(Severity.SEV1, begin), status=Status.RESOLVED, resolved_at=begin)
    assert not due_marks(over, targets, begin + timedelta(days=1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"respond_sev1": "soon"},
        {"respond_sev2": "0m"},
        {"respond_sev3": "9999d"},
        {"time_zone": "Mars/Base"},
        {"hours": "17:00-09:00"},
        {"hours": "nine to five"},
        {"days": "mon-xyz"},
        {"days": ""},
        {"holidays": "christmas"},
        {"sprint_start": ""},
        {"open_for": "critical=SEV-9"},
        {"open_for": "terrible=SEV-1"},
        {"slack_announce": "{title.__class__}"},
        {"slack_update": "{secret}"},
        {"slack_resolve": "{"},
    ],
)
def test_a_setting_that_means_nothing_is_refused_at_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        IncidentSettings.model_validate(wrong)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def incident(severity: Severity, begin: datetime) -> Incident:
    return Incident(
        id="inc_1",
        name="incident-1",
        title="One",
        severity=severity,
        started_at=begin,
        detected_at=begin,
        opened_at=begin,
        opened_by="per_1",
        clocks_from=begin,
        updated_at=begin,
    )
