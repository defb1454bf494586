"""Laws: order and repetition change nothing, grouping is the same each time, and a silence deletes nothing."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.alerts.support import PAGER, Stage, am_alert, signal
from watchkeeper.modules.alerts.cleaning import clean, clean_details, one_line
from watchkeeper.modules.alerts.matching import Matcher
from watchkeeper.modules.alerts.model import (
    Action,
    AlertState,
    Kind,
    Severity,
    Signal,
    Step,
    family_of,
    step,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def episodes(count: int) -> list[Signal]:
    """The words about so many episodes of one alert, one after another."""
    found = []
    for number in range(count):
        starts, ends = NOON + number * 10 * MINUTE, NOON + (number * 10 + 5) * MINUTE
        found.append(signal(starts_at=starts, integration=PAGER))
        found.append(signal(action="resolve", starts_at=starts, ends_at=ends, integration=PAGER))
    return found


def after(words: list[Signal]) -> tuple[bool, datetime] | None:
    """Whether the alert fires in the end, and since when its newest episode is known to have begun."""
    state: AlertState | None = None
    for word in words:
        match step(state, word):
            case Step.OPEN | Step.REPEAT:
                starts = max(word.starts_at or NOON, state.starts_at) if state else word.starts_at or NOON
                state = _alert(True, starts, None)
            case Step.RESOLVE | Step.REMEMBER:
                starts = max(word.starts_at or NOON, state.starts_at) if state else word.starts_at or NOON
                state = _alert(False, starts, word.ends_at)
    return (state.firing, state.starts_at) if state is not None else None


def _alert(firing: bool, starts: datetime, ends: datetime | None) -> AlertState:
    return AlertState(
        id="a",
        group_id="g",
        identity="i",
        integration="x",
        dedup_key="d",
        live=True,
        firing=firing,
        starts_at=starts,
        ends_at=ends,
        title="t",
        severity=Severity.ERROR,
        labels={},
        links=(),
        first_at=NOON,
        last_at=NOON,
    )


@given(st.integers(1, 4), st.booleans(), st.randoms(use_true_random=False), st.integers(0, 6))
def test_words_in_any_order_and_number_lead_to_the_same_alert(
    count: int, last_fires: bool, chance: random.Random, repeats: int
) -> None:
    words = episodes(count)[: -1 if last_fires else None]
    jumbled = words + [chance.choice(words) for _ in range(repeats)]
    chance.shuffle(jumbled)
    assert after(jumbled) == after(words)


@pytest.mark.parametrize("seed", range(4))
def test_webhooks_in_any_order_leave_the_same_alerts_firing(stage: Stage, seed: int) -> None:
    chance = random.Random(seed)
    _, key = stage.integration(Kind.ALERTMANAGER)
    sent = []
    for number in range(6):
        name = f"Rule{'ABC'[number % 3]}"
        fires = am_alert(name, fingerprint=f"f{number}", startsAt=f"2026-03-02T11:5{number}:00Z")
        sent.append(fires)
        if number % 2:
            sent.append({**fires, "status": "resolved", "endsAt": "2026-03-02T11:59:30Z"})
    jumbled = sent * 2
    chance.shuffle(jumbled)
    for one in jumbled:
        assert stage.webhook(key, one).status_code == 200
    firing = {one.dedup_key for group in stage.groups() for one in stage.alerts_of(group) if one.firing}
    assert firing == {"f0", "f2", "f4"}
    assert {group.key for group in stage.groups() if group.is_open} == {"RuleA", "RuleB", "RuleC"}


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_grouping_is_the_same_whatever_came_before(keys: list[str], chance: random.Random) -> None:
    made = {key: signal(key, title=f"Disk {ord(key)} full", labels={"k": key}).grouped_as() for key in keys}
    chance.shuffle(keys)
    assert {key: signal(key, title=f"Disk {ord(key)} full", labels={"k": key}).grouped_as() for key in keys} == made
    assert len(set(made.values())) == 1


def test_a_silence_deletes_nothing(stage: Stage) -> None:
    ends = stage.clock.now() + timedelta(hours=1)
    stage.noise(
        lambda noise: noise.silence(
            [Matcher("service", "=", "shop")], ends_at=ends, reason="planned", by="per_a", source="test"
        )
    )
    for number in range(20):
        stage.take(signal(f"k{number}", title=f"Rule {'abcd'[number % 4]}"))
    assert sum(group.alert_count for group in stage.groups()) == 20
    assert sum(len(stage.alerts_of(group)) for group in stage.groups()) == 20


@given(st.text())
def test_text_that_is_kept_can_be_kept(text: str) -> None:
    kept = clean(text, 50)
    kept.encode()
    assert len(kept) <= 50
    assert "\x00" not in kept
    assert "\n" not in one_line(text, 50)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@given(st.dictionaries(st.text(), json))
def test_details_stay_small_json(details: dict[str, object]) -> None:
    import orjson

    assert len(orjson.dumps(clean_details(details))) < 100_000


@given(st.text())
def test_a_family_of_a_family_is_itself(title: str) -> None:
    assert family_of(family_of(title)) == family_of(title)


def test_actions_are_pagerdutys() -> None:
    assert [one.value for one in Action] == ["trigger", "acknowledge", "resolve"]
