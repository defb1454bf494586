"""Schedules in calendars, and calendars as schedules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from icalendar import Calendar

from tests.oncall.support import ID, URL, WEEK, Stage

EVENT = """\
BEGIN:VEVENT
UID:{uid}
DTSTART;TZID=Europe/Oslo:{start}
DTEND;TZID=Europe/Oslo:{end}
SUMMARY:{summary}
{more}END:VEVENT
"""


def calendar(*events: str) -> str:
    return "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\n" + "".join(events) + "END:VCALENDAR\n"


def event(uid: str, start: str, end: str, summary: str, more: str = "") -> str:
    return EVENT.format(uid=uid, start=start, end=end, summary=summary, more=more)


def secret_of(stage: Stage, who: str = "ben") -> str:
    answer = stage.as_person(who).post(f"{URL}/calendar-links", json={"name": "phone"})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["secret"])


def events_of(stage: Stage, path: str, secret: str) -> list[Any]:
    answer = stage.client().get(f"{path}?token={secret}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    body = answer.content
    assert body.endswith(b"END:VCALENDAR\r\n")
    assert all(len(line) <= 75 for line in body.split(b"\r\n"))
    assert b"\n" not in body.replace(b"\r\n", b"")
    return list(Calendar.from_ical(body).walk("VEVENT"))


def test_a_feed_holds_every_shift_from_its_beginning_to_its_end(stage: Stage) -> None:
    stage.make()
    found = events_of(stage, "/oncall/schedules/primary.ics", secret_of(stage))
    assert [str(one["SUMMARY"]) for one in found[:2]] == ["Ben on call: On call", "Ann on call: On call"]
    first = found[0]
    assert first.decoded("DTEND") - first.decoded("DTSTART") == timedelta(days=7)
    assert len(found) == 31  # five weeks back and half a year ahead, the first whole


def test_uids_stay_while_time_goes_on_and_an_override_leaves_the_others_alone(stage: Stage) -> None:
    stage.make()
    secret = secret_of(stage)
    before = {str(one["UID"]): one for one in events_of(stage, "/oncall/schedules/primary.ics", secret)}
    stage.clock.advance(timedelta(days=9, hours=5))
    order = {"since": "2026-03-20T12:00:00Z", "until": "2026-03-21T12:00:00Z"}
    assert stage.as_person("cleo").post(f"{URL}/schedules/primary/overrides", json=order).status_code == 201
    after = {str(one["UID"]): one for one in events_of(stage, "/oncall/schedules/primary.ics", secret)}
    assert len(after) == len(set(after))
    assert len(set(before) - set(after)) <= 2  # those that are long past
    new = [str(after[one]["SUMMARY"]) for one in set(after) - set(before)]
    assert sorted(new)[-1] == "Cleo on call: On call"


def test_ones_own_feed_has_only_ones_own_shifts(stage: Stage) -> None:
    stage.make()
    found = events_of(stage, "/oncall/me.ics", secret_of(stage, "ben"))
    assert {str(one["SUMMARY"]) for one in found} == {"Ben on call: On call"}


def test_names_with_commas_long_titles_and_line_ends_are_written_as_the_standard_says(stage: Stage) -> None:
    stage.make({**WEEK, "title": "Nights, weekends; and " + "æøå" * 40})
    [first, *_] = events_of(stage, "/oncall/schedules/primary.ics", secret_of(stage))
    assert str(first["SUMMARY"]) == "Ben on call: Nights, weekends; and " + "æøå" * 40


def test_a_wrong_secret_and_a_schedule_that_is_not_there_are_answered_alike(stage: Stage) -> None:
    stage.make()
    secret = secret_of(stage)
    client = stage.client()
    answers = [
        client.get("/oncall/schedules/primary.ics"),
        client.get("/oncall/schedules/primary.ics?token=wkcal_nothing"),
        client.get(f"/oncall/schedules/other.ics?token={secret}"),
    ]
    assert {one.status_code for one in answers} == {404}


def test_a_revoked_link_reads_nothing(stage: Stage) -> None:
    stage.make()
    secret = secret_of(stage)
    ben = stage.as_person("ben")
    [link] = ben.get(f"{URL}/calendar-links").json()["items"]
    assert stage.as_person("cleo").delete(f"{URL}/calendar-links/{link['id']}").status_code == 404
    assert ben.delete(f"{URL}/calendar-links/{link['id']}").status_code == 204
    assert stage.client().get(f"/oncall/me.ics?token={secret}").status_code == 404
    assert secret not in str(stage.facts())
    assert stage.kinds()[-2:] == ["calendar_link_made", "calendar_link_revoked"]


def test_a_calendar_becomes_overrides_once_however_often_it_is_read(stage: Stage) -> None:
    stage.make()
    text = calendar(
        event("a", "20260304T180000", "20260305T080000", "Cleo has the night"),
        event("b", "20260306T180000", "20260307T080000", "x", "ATTENDEE:mailto:BEN@example.com\n"),
        event("c", "20260308T180000", "20260309T080000", "Somebody else"),
        event("d", "20260320T220000", "20260321T060000", "ann@example.com", "RRULE:FREQ=WEEKLY;COUNT=3\n"),
        event("e", "20260401T220000", "20260402T060000", "Ann", "RRULE:FREQ=SECONDLY\n"),
    )
    client = stage.api()
    dry = client.post(f"{URL}/schedules/primary/import-calendar", json={"calendar": text, "dry_run": True}).json()
    assert [(one["who"]["name"], one["since"]) for one in dry["shifts"]] == [
        ("Cleo", "2026-03-04T17:00:00Z"),
        ("Ben", "2026-03-06T17:00:00Z"),
        ("Ann", "2026-03-20T21:00:00Z"),
        ("Ann", "2026-03-27T21:00:00Z"),
        ("Ann", "2026-04-03T20:00:00Z"),  # 22:00 in summer
    ]
    assert dry["not_read"] == [
        "Ann: its rule is not read: FREQ=SECONDLY",
        "Somebody else, 2026-03-08 17:00 UTC: names nobody who is known",
    ]
    assert stage.kinds() == ["schedule_defined"]
    assert client.post(f"{URL}/schedules/primary/import-calendar", json={"calendar": text}).json()["made"] == 5
    assert client.post(f"{URL}/schedules/primary/import-calendar", json={"calendar": text}).json()["made"] == 0
    [now] = client.get(f"{URL}/now?at=2026-03-05T02:00:00Z").json()["items"]
    assert now["who"]["name"] == "Cleo"


def test_a_calendar_becomes_one_temporary_schedule(stage: Stage) -> None:
    stage.make()
    text = calendar(event("a", "20261224T180000", "20261225T080000", "Ben"))
    order = {
        "calendar": text,
        "as_temporary": "christmas",
        "until": "2026-12-31T00:00:00Z",
        "since": "2026-12-01T00:00:00Z",
    }
    assert stage.api().post(f"{URL}/schedules/primary/import-calendar", json=order).json()["made"] == 1
    [said] = stage.api().get(f"{URL}/schedules/primary").json()["definition"]["temporary"]
    assert (said["name"], said["shifts"][0]["who"]) == ("christmas", ID["ben"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing", "BEGIN:VCALENDAR"),
        ("BEGIN:VCALENDAR\n" + "BEGIN:VEVENT\n" * 6000, "components"),
        (calendar(event("a", "20260304T000000", "20260304T000100", "Ann", "RRULE:FREQ=DAILY\n") * 6), "occurrences"),
        (calendar(event("a", "20260304T000000", "20260304T010000", "Ann" * 400_000)), "1000000"),
    ],
)
def test_a_calendar_bomb_is_refused_quickly(stage: Stage, text: str, expected: str) -> None:
    stage.make()
    answer = stage.api().post(f"{URL}/schedules/primary/import-calendar", json={"calendar": text})
    assert answer.status_code in (413, 422), answer.text
    assert answer.status_code == 413 or expected in answer.text
    assert stage.kinds() == ["schedule_defined"]
