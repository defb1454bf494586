"""The arithmetic of history, as laws that hold for whatever was published."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.modules.status.model import (
    HISTORY_DAYS,
    Hold,
    Impact,
    Maintenance,
    Review,
    Stage,
    State,
    Update,
    days,
    holds_of_incident,
    holds_of_maintenance,
    impact_of,
    indicator,
    state_at,
    stretches,
    uptime,
)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BEGIN = NOW - timedelta(days=90)
WORSE = [one for one in State if one is not State.OPERATIONAL]
instants = st.integers(0, 90 * 24 * 60).map(lambda minutes: BEGIN + timedelta(minutes=minutes))


@st.composite
def holds(draw: st.DrawFn) -> Hold:
    since = draw(instants)
    until = draw(st.one_of(st.none(), instants))
    return Hold("c", draw(st.sampled_from(WORSE)), since, until if until is None or until > since else None)


@st.composite
def updates(draw: st.DrawFn) -> Update:
    at = draw(instants)
    states = draw(st.dictionaries(st.sampled_from("abc"), st.sampled_from([*State][:4]), max_size=3))
    return Update(
        id=draw(st.uuids().map(str)),
        incident="pin",
        review=Review.PUBLISHED,
        stage=draw(st.sampled_from(Stage)),
        body="text",
        components=states,
        happened_at=at,
        drafted_at=at,
        drafted_by="per",
        published_at=at,
    )


many = st.lists(holds(), max_size=8)


@given(many)
def test_stretches_cover_the_whole_time_once_and_say_the_worst_that_holds(found: list[Hold]) -> None:
    cut = stretches(found, BEGIN, NOW)
    assert cut[0].begin == BEGIN
    assert cut[-1].end == NOW
    assert all(one.end == other.begin for one, other in pairwise(cut))
    assert all(one.state is not other.state for one, other in pairwise(cut))
    for one in cut:
        middle = one.begin + (one.end - one.begin) / 2
        assert one.state is state_at(found, middle)


@given(many, holds())
def test_uptime_is_a_share_and_nothing_more_that_happens_makes_it_better_but_maintenance(
    found: list[Hold], more: Hold
) -> None:
    before, after = uptime(found, BEGIN, NOW), uptime([*found, more], BEGIN, NOW)
    assert before is not None
    assert after is not None
    assert 0 <= after <= before <= 1


@given(many)
def test_days_add_up_to_the_whole_time(found: list[Hold]) -> None:
    shown = days(found, NOW, BEGIN)
    assert len(shown) == HISTORY_DAYS
    assert shown[-1].day == NOW.date()
    midnight = datetime.combine(shown[0].day, datetime.min.time(), UTC)
    whole = (NOW - max(midnight, BEGIN)).total_seconds()
    assert sum(sum(one.seconds.values()) for one in shown) == whole


def test_an_hour_of_a_major_outage_counts_whole_and_of_a_partial_one_three_tenths() -> None:
    begin, end = NOW - timedelta(hours=100), NOW
    hour = (NOW - timedelta(hours=50), NOW - timedelta(hours=49))
    assert uptime([Hold("c", State.MAJOR, *hour)], begin, end) == 0.99
    assert uptime([Hold("c", State.PARTIAL, *hour)], begin, end) == 0.997
    assert uptime([Hold("c", State.DEGRADED, *hour)], begin, end) == 1
    assert uptime([Hold("c", State.MAINTENANCE, *hour)], begin, end) == 1


@given(st.lists(updates(), max_size=6, unique_by=lambda one: one.happened_at), st.randoms())
def test_history_is_the_same_in_whatever_order_updates_were_published(found: list[Update], chance: object) -> None:
    shuffled = list(found)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    first = {(one.component, one.state, one.since, one.until) for one in holds_of_incident(NOW, found)}
    assert {(one.component, one.state, one.since, one.until) for one in holds_of_incident(NOW, shuffled)} == first


@given(st.lists(updates(), min_size=1, max_size=6, unique_by=lambda one: one.happened_at))
def test_once_an_incident_is_resolved_it_holds_nothing(found: list[Update]) -> None:
    last = max(one.happened_at for one in found)
    over = Update(
        **{**vars(found[0]), "id": "last", "stage": Stage.RESOLVED, "happened_at": last + timedelta(minutes=1)}
    )
    assert all(one.until is not None for one in holds_of_incident(NOW, [*found, over]))


def test_a_draft_holds_nothing() -> None:
    draft = Update(
        id="upd",
        incident="pin",
        review=Review.DRAFT,
        stage=Stage.INVESTIGATING,
        body="text",
        components={"a": State.MAJOR},
        happened_at=NOW,
        drafted_at=NOW,
        drafted_by="per",
    )
    assert holds_of_incident(NOW, [draft]) == []


def test_the_first_state_holds_from_the_first_symptom_on() -> None:
    update = Update(
        id="upd",
        incident="pin",
        review=Review.PUBLISHED,
        stage=Stage.INVESTIGATING,
        body="text",
        components={"a": State.MAJOR},
        happened_at=NOW,
        drafted_at=NOW,
        drafted_by="per",
    )
    (found,) = holds_of_incident(NOW - timedelta(minutes=20), [update])
    assert found.since == NOW - timedelta(minutes=20)
    assert impact_of([update]) is Impact.CRITICAL


def test_cancelled_maintenance_never_was() -> None:
    planned = Maintenance(
        id="smt",
        title="disks",
        body="",
        components=("a",),
        starts_at=NOW,
        ends_at=NOW + timedelta(hours=1),
        created_at=BEGIN,
        created_by="per",
    )
    assert len(holds_of_maintenance(planned)) == 1
    cancelled = Maintenance(**{**vars(planned), "ended_early_at": NOW - timedelta(hours=1)})
    assert holds_of_maintenance(cancelled) == []


def test_one_part_of_several_in_a_major_outage_is_a_partial_outage_of_the_whole() -> None:
    assert indicator([])[0] == "none"
    assert indicator([State.MAJOR])[0] == "critical"
    assert indicator([State.MAJOR, State.OPERATIONAL])[0] == "major"
    assert indicator([State.DEGRADED, State.MAINTENANCE])[0] == "minor"
