"""Laws of the arithmetic: whatever comes in, budgets are no nonsense and stretches of time add up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.slo.support import slo
from watchkeeper.modules.slo.calendars import length_of, period_of, window_of
from watchkeeper.modules.slo.definition import Policy, Window
from watchkeeper.modules.slo.model import Counts, budget_of, burn_of, detection_time, forecast, workbook_rules
from watchkeeper.modules.slo.policy import Standing, judge, policy_for
from watchkeeper.modules.slo.series import HOUR, MINUTE, Series
from watchkeeper.modules.slo.shaping import sliced
from watchkeeper.modules.slo.sources_prometheus import grown

START = 1_772_452_800  # an hour's beginning in March 2026
events = st.floats(0, 1e12, allow_nan=False)
counts = st.builds(
    lambda total, share, measured: Counts(total * share, total, measured), events, st.floats(0, 1), events
)
targets = st.floats(0.5, 0.99999)
minutes = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=200)
zones = st.sampled_from(["UTC", "Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
instants = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
MONTH = timedelta(days=30)


@given(counts, targets, events)
def test_a_budget_is_never_negative(found: Counts, target: float, back: float) -> None:
    budget = budget_of(found, target, MONTH, given_back=back)
    assert budget.spent >= 0
    assert 0 <= budget.remaining <= 1
    assert budget.overspent >= 0
    assert budget.events_left >= 0
    assert 0 <= budget.given_back <= budget.bad
    assert budget.expected >= found.total


@given(counts, targets, st.floats(0, 1e6), st.floats(0, 1e6))
def test_giving_back_more_never_spends_more(found: Counts, target: float, some: float, more: float) -> None:
    less = budget_of(found, target, MONTH, given_back=some).spent
    assert budget_of(found, target, MONTH, given_back=some + more).spent <= less


@given(st.lists(counts, max_size=8))
def test_bad_events_are_never_negative_however_counts_are_taken_off(several: list[Counts]) -> None:
    rest = Counts(10, 10, 60)
    for one in several:
        rest = rest - one
    assert rest.good >= 0
    assert rest.total >= 0
    assert rest.bad >= 0


@given(minutes, st.integers(0, 200), st.integers(0, 200))
def test_stretches_of_time_add_up(told: list[tuple[int, int]], one: int, other: int) -> None:
    series = Series(MONTH)
    for number, (good, bad) in enumerate(told):
        series.put(START + number * MINUTE, Counts(good, good + bad, 60.0))
    first, second = sorted((one, other))
    end = START + 300 * MINUTE
    whole = series.between(START, end)
    parts = [
        series.between(START, START + first * MINUTE),
        series.between(START + first * MINUTE, START + second * MINUTE),
        series.between(START + second * MINUTE, end),
    ]
    assert sum(part.total for part in parts) == pytest.approx(whole.total)
    assert sum(part.bad for part in parts) == pytest.approx(whole.bad)
    assert whole.total == pytest.approx(sum(good + bad for good, bad in told))


@given(minutes, st.integers(0, 199), st.integers(0, 1000), st.integers(0, 1000))
def test_a_minute_that_is_told_again_replaces_what_was_known(told: list, place: int, good: int, bad: int) -> None:
    place %= len(told)
    series, afresh = Series(MONTH), Series(MONTH)
    for number, (one, other) in enumerate(told):
        series.put(START + number * MINUTE, Counts(one, one + other, 60.0))
        again = (good, bad) if number == place else (one, other)
        afresh.put(START + number * MINUTE, Counts(again[0], sum(again), 60.0))
    series.put(START + place * MINUTE, Counts(good, good + bad, 60.0))
    for level in ("minutes", "fives", "hours"):
        ours, theirs = getattr(series, level), getattr(afresh, level)
        found = ours.between(START - HOUR, START + 10 * HOUR)
        assert found.total == pytest.approx(theirs.between(START - HOUR, START + 10 * HOUR).total)


@given(st.lists(st.integers(0, 7 * 60), min_size=1, max_size=60, unique=True))
def test_gaps_are_not_measured_and_order_does_not_matter(when: list[int]) -> None:
    shuffled, ordered = Series(MONTH), Series(MONTH)
    for minute in when:
        shuffled.put(START + minute * MINUTE, Counts(1.0, 1.0, 60.0))
    for minute in sorted(when):
        ordered.put(START + minute * MINUTE, Counts(1.0, 1.0, 60.0))
    found = shuffled.hours.between(START, START + 13 * HOUR)
    assert found == ordered.hours.between(START, START + 13 * HOUR)
    assert found.measured == 60.0 * len(when)


@given(st.lists(st.tuples(st.integers(0, 1_000), st.booleans(), st.booleans()), max_size=50))
def test_a_counter_that_starts_anew_never_counts_too_much_and_nothing_twice(told: list[tuple[int, bool, bool]]) -> None:
    """Each step: by how much it grew, whether it started anew before, whether somebody looked."""
    value, points, grew, hidden = 0, {0: 0.0}, {}, set()
    for number, (more, anew, looked) in enumerate(told, start=1):
        before, value = value, more if anew else value + more
        grew[number * 15] = more
        if anew and value >= before:
            hidden.add(number * 15)  # what it lost, it has again already
        if looked:
            points[number * 15] = float(value)
    found = grown(points, 15)
    assert all(0 <= found[at] <= grew[at] for at in found)
    assert all(found[at] == grew[at] for at in found.keys() - hidden)
    assert found.keys() == {at for at in grew if at in points and at - 15 in points}


@given(counts, targets, st.floats(60, 1e6))
def test_a_burn_rate_counts_only_what_was_measured(found: Counts, target: float, seconds: float) -> None:
    window = timedelta(seconds=seconds)
    burn = burn_of(found, target, window)
    assert 0 <= burn.covered <= 1
    assert 0 <= burn.rate <= 1 / (1 - target) * (1 + 1e-9)
    half = Counts(found.good, found.total, min(found.measured, seconds) / 2)
    assert burn_of(half, target, window).rate <= burn.rate + 1e-9


@given(targets, st.floats(0.0001, 1), st.sampled_from([1, 7, 28, 30, 90]))
def test_what_is_spent_when_an_alert_fires_is_its_share_of_the_budget(target: float, error: float, days: int) -> None:
    window = timedelta(days=days)
    for rule in workbook_rules(window):
        after = detection_time(error, target, rule.burn_rate(window), rule.long)
        if after is not None:
            spent = error * (after / window) / (1 - target)
            assert spent == pytest.approx(rule.burn_rate(window) * (rule.long / window), rel=1e-3)


@given(zones, instants, st.sampled_from(["day", "week", "month", "quarter", "year"]))
def test_calendar_windows_follow_each_other_without_gaps(zone: str, at: datetime, unit: str) -> None:
    since, until = period_of(unit, zone, at)
    assert since <= at < until
    assert period_of(unit, zone, until)[0] == until
    assert period_of(unit, zone, since - timedelta(seconds=1))[1] == since
    local = since.astimezone(ZoneInfo(zone))
    assert (local.hour, local.minute) == (0, 0)


def test_days_of_daylight_saving_are_as_long_as_they_are() -> None:
    window = Window.model_validate({"calendar": "day", "time_zone": "Europe/Oslo"})
    spring, autumn = datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC)
    assert length_of(window, spring) == timedelta(hours=23)
    assert length_of(window, autumn) == timedelta(hours=25)
    month = Window.model_validate({"calendar": "month", "time_zone": "Europe/Oslo"})
    assert window_of(month, datetime(2026, 3, 31, 21, 59, tzinfo=UTC))[1] == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert length_of(month, datetime(2026, 2, 10, tzinfo=UTC)) == timedelta(days=28)


@given(counts, targets, counts, st.booleans())
def test_a_forecast_is_in_its_interval_and_not_after_the_window(
    found: Counts, target: float, lately: Counts, calendar: bool
) -> None:
    now = datetime(2026, 3, 10, tzinfo=UTC)
    ends = datetime(2026, 4, 1, tzinfo=UTC) if calendar else None
    told = forecast(budget_of(found, target, MONTH), lately, now, ends)
    if told.exhausted_at is not None:
        assert told.exhausted_at >= now
        assert told.earliest is not None
        assert told.earliest <= told.exhausted_at
        assert ends is None or told.exhausted_at < ends
    if told.latest is not None:
        assert told.exhausted_at is not None
        assert told.exhausted_at <= told.latest


@given(minutes)
@settings(max_examples=50)
def test_slices_are_good_or_bad_and_as_many_as_were_measured(told: list[tuple[int, int]]) -> None:
    definition = slo(slices={"length": "5m", "target": 0.9})
    assert definition.slices is not None
    given_ = {START + n * MINUTE: Counts(good, good + bad, 60.0) for n, (good, bad) in enumerate(told)}
    found = sliced(given_, definition.slices, START + 100 * HOUR)
    total = sum(one.total for one in found.values())
    assert total == -(-len(told) // 5)
    assert all(one.good in (0.0, 1.0) for one in found.values())


def standing(burn: float, remaining: float = 1.0) -> Standing:
    found = burn_of(Counts(1 - burn * 0.001, 1, 1e9), 0.999, timedelta(hours=6))
    return Standing("api", "main", found, remaining, has_data=True)


@pytest.mark.parametrize(
    ("burn", "remaining", "action"),
    [
        (1.9, 1.0, None),
        (2.0, 1.0, "freeze_non_critical"),
        (5.0, 1.0, "freeze_all"),
        (10.0, 1.0, "emergency"),
        (0.1, 0.0, "freeze_non_critical"),
    ],
)
def test_the_policy_freezes_by_burn_rate_and_by_what_is_left(burn: float, remaining: float, action: str | None) -> None:
    verdict = judge(policy_for("gateway", []), [standing(0.0), standing(burn, remaining)])
    assert verdict.action == action
    assert (verdict.reasons == ()) == (action is None)
    assert verdict.may_deploy == (action is None)
    assert verdict.may_deploy_critical == (action in (None, "freeze_non_critical"))


def test_a_service_has_the_policy_that_names_it() -> None:
    own = Policy.model_validate({"name": "chat", "services": ["chat"], "steps": []})
    rest = Policy.model_validate({"name": "rest", "steps": []})
    assert policy_for("chat", [rest, own]).name == "chat"
    assert policy_for("gateway", [own, rest]).name == "rest"
    assert policy_for("gateway", [own]).name == "built-in"
