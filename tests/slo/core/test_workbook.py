"""The engine does what chapter 5 of the SRE Workbook says, to the evaluation step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from watchkeeper.modules.slo.definition import Alerting
from watchkeeper.modules.slo.model import (
    BURN_WINDOWS,
    AlertState,
    Counts,
    budget_of,
    detection_time,
    workbook_rules,
)
from watchkeeper.modules.slo.rules import Now, Step, look, rule_text, step
from watchkeeper.modules.slo.series import Series

MONTH = timedelta(days=30)
STEP = timedelta(seconds=15)
START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TARGET = 0.999
RATE = 1_000.0  # events a minute
RULES = workbook_rules(MONTH)


class Stream:
    """A constant stream of events that is measured every 15 seconds."""

    def __init__(self, *, history: bool = True) -> None:
        self.series = Series(MONTH)
        self.now = START
        self.bad = self.total = 0.0
        if history:
            for minute in range(int((START - timedelta(days=4)).timestamp()), int(START.timestamp()), 60):
                self.series.put(minute, Counts(RATE, RATE, 60.0))

    def run(self, error: float) -> None:
        """One step of 15 s in which this share of events is bad."""
        minute = int(self.now.timestamp()) // 60 * 60
        before = self.series.minutes.bin(minute)
        events = RATE / 4
        self.series.put(minute, before + Counts(events * (1 - error), events, 15.0))
        self.bad += events * error
        self.now += STEP

    def holding(self) -> list[str]:
        seen = look(RULES, self.series, TARGET, MONTH, Alerting(), self.now)
        return [rule_text(one.rule, MONTH) for one in seen if one.holds]


TABLE = [
    (1.0, 14.4, 0.02, 0.86),
    (0.5, 14.4, 0.02, 1.73),
    (0.15, 14.4, 0.02, 5.76),
    (0.1, 14.4, 0.02, 8.64),
    (0.05, 14.4, 0.02, 17.28),
    (0.02, 14.4, 0.02, 43.2),
    (0.01, 6.0, 0.05, 216.0),
    (0.005, 3.0, 0.1, 864.0),
    (0.002, 1.0, 0.1, 2160.0),
    (0.001, 1.0, 0.1, 4320.0),
]


@pytest.mark.parametrize("history", [True, False], ids=["after days of good events", "from a cold start"])
@pytest.mark.parametrize(("error", "burn", "spent", "minutes"), TABLE)
def test_the_first_alert_comes_when_the_closed_form_says(
    error: float, burn: float, spent: float, minutes: float, history: bool
) -> None:
    stream = Stream(history=history)
    fires_at = None
    while fires_at is None and stream.now < START + timedelta(minutes=minutes + 5):
        stream.run(error)
        # Every look costs the same whether it is needed or not: only those near the end are.
        if stream.now > START + timedelta(minutes=minutes * 0.9) and stream.holding():
            fires_at = stream.now
    assert fires_at is not None
    rule = next(one for one in RULES if one.burn == pytest.approx(burn))
    exact = detection_time(error, TARGET, burn, rule.long)
    assert exact is not None
    assert exact / timedelta(minutes=1) == pytest.approx(minutes, rel=0.01)
    assert timedelta(0) <= fires_at - START - exact + timedelta(milliseconds=1) <= STEP
    assert rule_text(rule, MONTH) in stream.holding()
    allowed = (1 - TARGET) * RATE * MONTH / timedelta(minutes=1)
    assert stream.bad / allowed == pytest.approx(spent, abs=error * 15 / 60 * RATE / allowed + 1e-6)


def test_errors_within_the_objective_never_fire() -> None:
    stream = Stream()
    for _ in range(4 * 24 * 60 * 4):
        stream.run(0.001 * 0.99)
    assert stream.holding() == []


@pytest.mark.parametrize(
    ("error", "burn", "minutes_of_errors", "resets_in"),
    [
        (1.0, 14.4, 5, 4.93),
        (0.5, 14.4, 5, 4.86),
        (0.15, 14.4, 10, 4.52),
        (0.1, 14.4, 15, 4.28),
        (0.05, 14.4, 25, 3.56),
        (0.02, 14.4, 50, 1.4),
        (0.01, 6.0, 250, 12.0),
        (0.005, 3.0, 1_000, 48.0),
        (0.002, 1.0, 2_300, 180.0),
        (0.001, 1.0, 4_325, 0.0),
    ],
)
def test_the_first_alert_ends_when_its_short_window_forgets(
    error: float, burn: float, minutes_of_errors: int, resets_in: float
) -> None:
    """Reset: short window x (1 - burn rate x (1 - SLO) / error) after the errors stop."""
    stream = Stream()
    rule = next(one for one in RULES if one.burn == pytest.approx(burn))
    text = rule_text(rule, MONTH)
    for _ in range(minutes_of_errors * 4):
        stream.run(error)
    assert text in stream.holding()
    stopped = stream.now
    while text in stream.holding():
        stream.run(0.0)
    closed_form = rule.short_window() * (1 - burn * (1 - TARGET) / error)
    assert closed_form / timedelta(minutes=1) == pytest.approx(resets_in, abs=0.05)
    assert -timedelta(milliseconds=1) <= stream.now - stopped - closed_form <= STEP


def test_fifteen_percent_for_ten_minutes_pages_after_six_and_is_over_five_later() -> None:
    """Figure 5-6 of the Workbook."""
    stream = Stream()
    held = []
    for second in range(0, 40 * 60, 15):
        stream.run(0.15 if second < 600 else 0.0)
        held.append(RULES[0].burn is not None and rule_text(RULES[0], MONTH) in stream.holding())
    first, last = held.index(True), len(held) - 1 - held[::-1].index(True)
    assert 5.5 <= (first + 1) / 4 <= 6
    assert 14 <= (last + 1) / 4 <= 15


def test_a_window_without_history_holds_what_it_can_know() -> None:
    """One percent of errors from the first second on: a plain Prometheus fires 6x, 3x and 1x within two minutes."""
    stream = Stream(history=False)
    for _ in range(4 * 30):
        stream.run(0.01)
    assert stream.holding() == []


@pytest.mark.parametrize("per_hour", [2, 10, 60])
def test_one_error_of_few_events_is_no_page_and_an_outage_is(per_hour: int) -> None:
    series = Series(MONTH)
    gap = 60 // per_hour
    now = START - timedelta(days=1)
    failed = 0

    def minutes(count: int, *, outage: bool = False, one_error: bool = False) -> bool:
        nonlocal now, failed
        paged = False
        for number in range(count):
            minute = int(now.timestamp())
            comes = number % gap == 0
            bad = comes and (outage or (one_error and number == 0))
            series.put(minute, Counts(float(comes and not bad), float(comes), 60.0))
            failed += bad
            now += timedelta(minutes=1)
            paged = paged or any(one.holds for one in look(RULES, series, TARGET, MONTH, Alerting(), now))
        return paged

    assert not minutes(24 * 60)
    assert not minutes(6 * 60, one_error=True)
    failed = 0
    assert minutes(3 * gap + 1, outage=True)
    assert failed <= 4
    # And it holds through the gaps between events, then ends with the first good ones.
    assert minutes(2 * gap, outage=True)
    assert any(one.holds for one in look(RULES, series, TARGET, MONTH, Alerting(), now))
    minutes(4 * gap + 6)
    assert not any(one.holds for one in look(RULES[:1], series, TARGET, MONTH, Alerting(), now))


def test_the_pairs_of_other_windows_spend_the_same_shares() -> None:
    for days in (1, 7, 28, 30, 90):
        window = timedelta(days=days)
        spent = [one.burn_rate(window) * (one.long / window) for one in workbook_rules(window)]
        assert spent == pytest.approx([0.02, 0.05, 0.1, 0.1], rel=1e-4)
    assert [one.burn for one in RULES] == [14.4, 6.0, 3.0, 1.0]
    assert tuple(one.long for one in RULES) == BURN_WINDOWS


def open_alert(**changes: object) -> AlertState:
    values: dict[str, object] = {
        "id": "alr_1", "slo": "api", "objective": "main", "service": "gateway", "kind": "burn", "action": "page",
        "dedup_key": "slo/api/main/page", "started_at": START, "resolved_at": None, "last_fired_at": START,
        "fired": 1, "rules": (), "burn": 20.0, "budget_spent": 0.02,
    }  # fmt: skip
    return AlertState(**{**values, **changes})  # type: ignore[arg-type]


def test_what_comes_back_soon_is_the_same_episode() -> None:
    resolved = open_alert(resolved_at=START)
    assert step(None, Now(True), START) is Step.FIRE
    assert step(resolved, Now(True), START + timedelta(minutes=5)) is Step.REOPEN
    assert step(resolved, Now(True), START + timedelta(hours=1)) is Step.FIRE
    assert step(open_alert(), Now(True), START) is None
    assert step(open_alert(), Now(False), START) is Step.RESOLVE
    # One that flaps has to stay clear for a while.
    flapping = open_alert(fired=2)
    assert step(flapping, Now(False, clear_since=START), START + timedelta(minutes=1)) is None
    assert step(flapping, Now(False, clear_since=START), START + timedelta(minutes=5)) is Step.RESOLVE


def test_maintenance_fires_nothing_and_ignorance_resolves_nothing() -> None:
    assert step(None, Now(True, suppressed=True), START) is None
    assert step(open_alert(), Now(False, known=False), START) is None
    assert step(open_alert(), Now(False, suppressed=True), START) is Step.RESOLVE


def test_a_budget_says_percent_minutes_and_events() -> None:
    found = budget_of(Counts(999_500, 1_000_000, 0), TARGET, MONTH)
    assert (found.allowed, found.spent, found.remaining) == (
        pytest.approx(1_000), pytest.approx(0.5), pytest.approx(0.5),
    )  # fmt: skip
    assert (found.minutes, found.minutes_left, found.events_left) == (
        pytest.approx(43.2), pytest.approx(21.6), pytest.approx(500),
    )  # fmt: skip
    over = budget_of(Counts(998_000, 1_000_000, 0), TARGET, MONTH)
    assert (over.remaining, over.overspent) == (0.0, pytest.approx(1.0))
    assert budget_of(Counts(998_000, 1_000_000, 0), TARGET, MONTH, given_back=1_500).spent == pytest.approx(0.5)
    assert budget_of(Counts(), TARGET, MONTH).remaining == 1.0
