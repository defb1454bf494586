"""What Duet tells of itself, so that its promises can be counted: reports, daily offers, mutual accepts."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from examples.duet import daily, matching
from examples.duet.daily import Chosen, DailyOffers
from examples.duet.days import HOURS_FROM_UTC, Mornings
from examples.duet.people import TRUST_AND_SAFETY, Person, population
from examples.duet.storage import Store
from examples.duet.wishes import Wish
from tests.duet.test_product import PEOPLE, Duet, in_duet

DAY = 240.0
Counts = tuple[dict[str, int], dict[str, int]]


async def sign_in_staff(running: Duet) -> dict[str, str]:
    body = {"user_id": TRUST_AND_SAFETY.user_id, "code": TRUST_AND_SAFETY.code}
    token = (await running.client.post("/v1/auth/login", json=body)).json()["token"]
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Events, as they are told."""
    found: list[tuple[str, dict[str, Any]]] = []
    for module in ("chat", "reports"):
        monkeypatch.setattr(f"examples.duet.{module}.tell", lambda name, **said: found.append((name, said)))
    return found


def test_the_most_urgent_report_is_looked_at_first_and_once(tmp_path: Path, told: list) -> None:
    async def story(running: Duet) -> None:
        member, staff = await running.sign_in(5), await sign_in_staff(running)
        for category in ("other", "harassment", "violence"):
            said = {"about": PEOPLE[6].user_id, "category": category, "text": "Please look."}
            assert (await running.client.post("/v1/reports", headers=member, json=said)).status_code == 201
        waiting = (await running.client.get("/v1/safety/reports", headers=staff)).json()["items"]
        assert [one["severity"] for one in waiting] == ["critical", "high", "standard"]
        path = f"/v1/safety/reports/{waiting[0]['report_id']}/triage"
        assert (await running.client.post(path, headers=staff, json={"action": "shout"})).status_code == 422
        assert (await running.client.post(path, headers=staff, json={"action": "ban"})).status_code == 200
        assert (await running.client.post(path, headers=staff, json={"action": "ban"})).status_code == 404
        waiting = (await running.client.get("/v1/safety/reports", headers=staff)).json()["items"]
        assert [one["category"] for one in waiting] == ["harassment", "other"]

    in_duet(story, tmp_path)

    filed = [said for name, said in told if name == "duet.report.filed"]
    [triaged] = [said for name, said in told if name == "duet.report.triaged"]
    assert [one["severity"] for one in filed] == ["standard", "high", "critical"]
    assert triaged == {"report_id": filed[2]["report_id"], "severity": "critical", "action": "ban"}


def test_a_message_is_told_of_when_it_is_accepted_and_when_it_is_acknowledged(tmp_path: Path, told: list) -> None:
    async def story(running: Duet) -> None:
        neighbours = [person for person in PEOPLE if person.region == PEOPLE[5].region]
        one, two = [await running.sign_in(PEOPLE.index(person)) for person in neighbours[:2]]
        ids = "_".join(person.user_id.removeprefix("usr_") for person in neighbours[:2])
        sent = await running.client.post(f"/v1/matches/mat_{ids}/messages", headers=one, json={"text": "Hello?"})
        receipt = {"numbers": [sent.json()["number"]]}
        for _ in range(2):
            await running.client.post("/v1/receipts", headers=two, json=receipt)

    in_duet(story, tmp_path)

    assert [name for name, _ in told] == ["duet.message.accepted", "duet.message.delivered"]
    assert told[0][1] == told[1][1]


def test_two_of_three_offers_may_become_mutual_from_the_first_visit_on(tmp_path: Path) -> None:
    async def story(running: Duet) -> None:
        member = await running.sign_in(6)
        offers = (await running.client.get("/v1/offers", headers=member)).json()["items"]
        made = []
        for offer in offers:
            path = f"/v1/offers/{offer['offer_id']}/actions"
            answer = await running.client.post(path, headers=member, json={"action": "accept"})
            made.append(answer.json()["match_id"] is not None)
        assert sum(made) in (1, 2)

    in_duet(story, tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(tmp_path / "matching.sqlite", matching._SCHEMA + daily.SCHEMA)
    yield found
    found.close()


@dataclass
class Counter:
    """What a counter was told, by region."""

    by_region: dict[str, int] = field(default_factory=dict)

    def add(self, by: int, where: dict[str, str]) -> None:
        region = where["duet.region"]
        self.by_region[region] = self.by_region.get(region, 0) + by


@dataclass
class Clock:
    """The instant of the look."""

    at: float = 0.0


def a_day(store: Store, people: list[Person], *, from_hour: float = 9.0, slow: float = 0.0, **chosen: Any) -> Counts:
    """How many were due and how many were in time, by region, of a day that is looked at every three minutes of it.

    `slow`: what choosing for one member takes, in seconds of the clock.
    """
    clock = Clock(DAY)

    def choose(_cursor: sqlite3.Cursor, user_id: str, _wish: Wish) -> Chosen:
        clock.at += slow
        found: Chosen = chosen.get(user_id, [("usr_90000", 9)])
        return found

    offers = DailyOffers(store, people, choose, lambda *_: Wish(3), lambda: from_hour, DAY, lambda: clock.at)
    offers._due, offers._in_time = due, in_time = Counter(), Counter()

    async def play() -> None:
        mornings = Mornings(clock.at, DAY)
        while clock.at < 2 * DAY:
            clock.at += DAY / 480
            await offers._look(mornings, clock.at)

    asyncio.run(play())
    return due.by_region, in_time.by_region


MEMBERS = population(120)
BY_REGION = {region: sum(person.region == region for person in MEMBERS) for region in HOURS_FROM_UTC}
NONE = dict.fromkeys(BY_REGION, 0)


def test_every_member_has_offers_in_the_morning_of_their_region(store: Store) -> None:
    assert a_day(store, MEMBERS) == (BY_REGION, BY_REGION)


def test_who_finds_nobody_had_none(store: Store) -> None:
    lonely = MEMBERS[5]
    _, in_time = a_day(store, MEMBERS, **{lonely.user_id: []})
    assert in_time == {**BY_REGION, lonely.region: BY_REGION[lonely.region] - 1}


def test_choosing_that_takes_long_leaves_most_without(store: Store) -> None:
    due, in_time = a_day(store, MEMBERS, slow=DAY / 96)  # a quarter of an hour: eight of them in the two hours
    assert due == BY_REGION
    assert all(0 < in_time[region] <= 8 for region in ("DE", "GB", "US"))
    assert in_time["FR"] == 0  # they wait behind those of the same hour


def test_a_batch_that_begins_too_late_misses_the_morning(store: Store) -> None:
    assert a_day(store, MEMBERS, from_hour=14.0) == (BY_REGION, NONE)


def test_what_was_chosen_in_the_morning_is_shown_once_and_for_the_same_wish(store: Store) -> None:
    async def play() -> list[list[tuple[str, int]]]:
        row = ("usr_00001", "DE", 1, 1000.0, daily._said(Wish(3, again=5.0)), '[["usr_00002", 7]]')
        await store.write(lambda cursor: cursor.execute(daily._MADE, row))

        async def ready(wish: Wish, since: float = 0.0) -> list[tuple[str, int]]:
            return await store.read(lambda cursor: daily.ready(cursor, "usr_00001", wish, since))

        found = [await ready(Wish(3, again=9.0)), await ready(Wish(1)), await ready(Wish(3), since=1000.0)]
        await store.write(lambda cursor: daily.shown(cursor, "usr_00001"))
        return [*found, await ready(Wish(3))]

    assert asyncio.run(play()) == [[("usr_00002", 7)], [], [], []]
