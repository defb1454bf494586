"""Days on which clocks do what nobody expects, each by name."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from watchkeeper.modules.oncall.definition import Hours, Layer, Schedule
from watchkeeper.modules.oncall.local_time import occurrences
from watchkeeper.modules.oncall.model import Cover, Roster, on_call, spans, turn_of

HOUR = timedelta(hours=1)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def roster(zone: str, **layer: object) -> Roster:
    said = {"name": "all", "people": ("ann", "ben"), "shift": "1d", "start": date(2026, 1, 1), **layer}
    return Roster(Schedule(name="primary", time_zone=zone, layers=(Layer.model_validate(said),)))


def hand_overs(one: Roster, since: datetime, until: datetime) -> list[datetime]:
    return [span.since for span in spans(one, since, until)[1:]]


def test_in_london_the_shift_over_the_night_in_march_has_23_hours_and_that_in_october_25() -> None:
    one = roster("Europe/London", hand_over="09:00")
    assert hand_overs(one, utc(2026, 3, 28, 10), utc(2026, 3, 30, 10)) == [utc(2026, 3, 29, 8), utc(2026, 3, 30, 8)]
    spring = spans(one, utc(2026, 3, 28, 9), utc(2026, 3, 29, 8))
    assert [span.length for span in spring] == [23 * HOUR]
    autumn = spans(one, utc(2026, 10, 24, 8), utc(2026, 10, 25, 9))
    assert [span.length for span in autumn] == [25 * HOUR]


def test_in_london_a_hand_over_at_a_time_that_is_skipped_is_as_much_later_as_the_clocks_jump() -> None:
    one = roster("Europe/London", hand_over="01:30")
    assert hand_overs(one, utc(2026, 3, 28, 12), utc(2026, 3, 29, 12)) == [utc(2026, 3, 29, 1, 30)]  # 02:30 there


def test_in_london_a_hand_over_at_a_time_that_comes_twice_is_at_the_first() -> None:
    one = roster("Europe/London", hand_over="01:30")
    assert hand_overs(one, utc(2026, 10, 24, 12), utc(2026, 10, 25, 12)) == [utc(2026, 10, 25, 0, 30)]


def test_in_chicago_shifts_of_hours_elapse_and_move_against_the_clock() -> None:
    one = roster("America/Chicago", shift="12h", hand_over="08:00", start=date(2026, 3, 7))
    local = [
        at.astimezone(ZoneInfo("America/Chicago")).strftime("%d %H:%M")
        for at in hand_overs(one, utc(2026, 3, 7, 15), utc(2026, 3, 9, 15))
    ]
    assert local == ["07 20:00", "08 09:00", "08 21:00", "09 09:00"]


def test_in_chicago_weekly_shifts_stay_at_their_local_time_all_year() -> None:
    one = roster("America/Chicago", shift="1w", weekday="monday", hand_over="09:00", start=date(2026, 1, 7))
    at = [when.astimezone(ZoneInfo("America/Chicago")) for when in hand_overs(one, utc(2026, 1, 8), utc(2026, 12, 31))]
    assert {(when.weekday(), when.hour, when.minute) for when in at} == {(0, 9, 0)}
    assert len(at) == 51


def test_on_lord_howe_clocks_move_by_half_an_hour() -> None:
    one = roster("Australia/Lord_Howe", hand_over="02:15", start=date(2026, 1, 1))
    # 2026-10-04: 02:00 becomes 02:30, so 02:15 is 02:45; 2026-04-05: 02:00 becomes 01:30.
    assert hand_overs(one, utc(2026, 10, 3), utc(2026, 10, 4)) == [utc(2026, 10, 3, 15, 45)]
    half = roster("Australia/Lord_Howe", hand_over="01:45")
    assert hand_overs(half, utc(2026, 4, 4), utc(2026, 4, 5)) == [utc(2026, 4, 4, 14, 45)]


def test_in_apia_a_day_that_never_was_has_a_shift_of_no_length() -> None:
    one = roster("Pacific/Apia", hand_over="09:00", start=date(2011, 12, 28))
    found = spans(one, utc(2011, 12, 28, 19), utc(2011, 12, 31, 19))
    # The 30th was left out: ann has the 28th, ben the 29th, ann's 30th is nothing, ben has the 31st.
    assert [span.who for span in found] == ["ann", "ben", "ben"]
    assert found[1].length == timedelta(days=1)
    layer = one.schedule.layers[0]
    assert turn_of(layer, one.zone, utc(2011, 12, 30, 19)) == (3, utc(2011, 12, 30, 19))


def test_in_dublin_winter_is_what_is_moved_and_nothing_else_differs_from_london() -> None:
    said = {"hand_over": "01:30", "shift": "1w", "weekday": "sunday", "start": date(2024, 1, 7)}
    since, until = utc(2024, 1, 8), utc(2037, 12, 1)
    assert hand_overs(roster("Europe/Dublin", **said), since, until) == hand_overs(
        roster("Europe/London", **said), since, until
    )


def test_hours_over_midnight_end_on_the_next_day_whatever_the_clocks_do_between() -> None:
    night = Hours(days=("saturday",), start="22:00", end="06:00")
    london = ZoneInfo("Europe/London")
    [(begins, ends)] = occurrences(night, london, utc(2026, 3, 28), utc(2026, 3, 29, 12))
    assert (begins, ends) == (utc(2026, 3, 28, 22), utc(2026, 3, 29, 5))


def test_hours_that_lie_within_the_skipped_hour_are_no_hours_that_day() -> None:
    one = Hours(start="01:15", end="02:00")
    assert list(occurrences(one, ZoneInfo("Europe/London"), utc(2026, 3, 29), utc(2026, 3, 29, 1))) == []


def test_following_the_sun_leaves_no_hole_on_any_day_of_a_year() -> None:
    layers = tuple(
        Layer(
            name=name, people=(name,), start=date(2026, 1, 1), hand_over="00:00", hours=(Hours(start=start, end=end),)
        )
        for name, start, end in (
            ("asia", "00:00", "08:00"),
            ("europe", "08:00", "16:00"),
            ("america", "16:00", "24:00"),
        )
    )
    one = Roster(Schedule(name="sun", time_zone="Europe/London", layers=layers))
    found = spans(one, utc(2026, 1, 1), utc(2027, 1, 1))
    assert {span.duty.cover for span in found} == {Cover.ONE}
    assert not any(span.duty.also for span in found)
    assert on_call(one, utc(2026, 7, 1, 23, 30)).who == "asia"  # 00:30 in London's summer


def test_in_scoresbysund_a_hand_over_that_clocks_moved_over_midnight_is_still_that_of_its_day() -> None:
    """23:59 never comes on 29 March: it is 00:59 of the 30th, which has a hand-over of its own at 23:59."""
    one = roster("America/Scoresbysund", hand_over="23:59", start=date(2025, 3, 28))
    found = hand_overs(one, utc(2025, 3, 29, 12), utc(2025, 4, 1, 0, 30))
    assert found == [utc(2025, 3, 30, 1, 59), utc(2025, 3, 31, 0, 59)]
    layer, zone = one.schedule.layers[0], one.zone
    assert [turn_of(layer, zone, at) for at in found] == [(1, found[0]), (2, found[1])]
