"""Duet's three services in one process, calling each other without sockets."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.duet import chat, gateway, matching
from examples.duet.intentions import Intentions
from examples.duet.people import population
from examples.duet.service import Peer, Place
from examples.duet.traffic import Load, Tally, Visit, drive
from examples.duet.watching import watched

MEMBERS = 80
PEOPLE = population(MEMBERS)


class Duet:
    """A running Duet and a client of its gateway."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def sign_in(self, number: int) -> dict[str, str]:
        body = {"user_id": PEOPLE[number].user_id, "code": PEOPLE[number].code}
        answer = await self.client.post("/v1/auth/login", json=body)
        assert answer.status_code == 200
        return {"Authorization": f"Bearer {answer.json()['token']}"}


@asynccontextmanager
async def duet(tmp_path: Path, **releases: str) -> AsyncIterator[Duet]:
    def place(service: str) -> Place:
        return Place(releases.get(service, "v1"), tmp_path, members=MEMBERS)

    def peer(name: str, app: Any) -> Peer:
        return Peer(name, f"http://{name}", httpx.ASGITransport(watched(app)))

    matching_app = matching.make_app(place("matching"))
    chat_app = chat.make_app(place("chat"), peer("matching", matching_app))
    edge = gateway.make_app(place("gateway"), peer("matching", matching_app), peer("chat", chat_app))
    async with (
        matching_app.router.lifespan_context(matching_app),
        chat_app.router.lifespan_context(chat_app),
        edge.router.lifespan_context(edge),
        httpx.AsyncClient(transport=httpx.ASGITransport(watched(edge)), base_url="http://duet") as client,
    ):
        yield Duet(client)


def in_duet(story: Callable[[Duet], Coroutine[Any, Any, None]], tmp_path: Path, **releases: str) -> None:
    async def play() -> None:
        async with duet(tmp_path, **releases) as running:
            await story(running)

    asyncio.run(play())


def test_two_who_say_yes_to_each_other_can_write(tmp_path: Path):
    async def story(running: Duet) -> None:
        one = await running.sign_in(5)
        offers = (await running.client.get("/v1/offers", headers=one)).json()["items"]
        other_id = offers[-1]["user_id"]  # the first ones said yes before Duet was started
        accept = {"action": "accept"}
        first = await running.client.post(f"/v1/offers/{offers[-1]['offer_id']}/actions", headers=one, json=accept)
        assert first.json()["match_id"] is None

        other = await running.sign_in([p.user_id for p in PEOPLE].index(other_id))
        shown = (await running.client.get("/v1/offers", headers=other)).json()["items"]
        [back] = [one for one in shown[:3] if one["user_id"] == PEOPLE[5].user_id]  # whoever said yes comes first
        second = await running.client.post(f"/v1/offers/{back['offer_id']}/actions", headers=other, json=accept)
        path = f"/v1/matches/{second.json()['match_id']}/messages"

        assert (await running.client.post(path, headers=one, json={"text": "Hello?"})).status_code == 201
        [message] = (await running.client.get(path, headers=other)).json()["items"]
        assert message["text"] == "Hello?"
        assert message["sender"] == PEOPLE[5].user_id
        assert message["delivered_at"] is None
        receipt = {"numbers": [message["number"]]}
        assert (await running.client.post("/v1/receipts", headers=one, json=receipt)).json() == {"delivered": 0}
        assert (await running.client.post("/v1/receipts", headers=other, json=receipt)).json() == {"delivered": 1}
        assert (await running.client.post("/v1/receipts", headers=other, json=receipt)).json() == {"delivered": 0}
        [message] = (await running.client.get(path, headers=other)).json()["items"]
        assert 0 <= message["delivered_at"] - message["sent_at"] < 5

    in_duet(story, tmp_path)


def test_nobody_reads_what_others_write(tmp_path: Path):
    async def story(running: Duet) -> None:
        one = await running.sign_in(5)
        mine = await _matches(running, one)
        elsewhere = next(number for number, person in enumerate(PEOPLE) if person.region != PEOPLE[5].region)
        stranger = await running.sign_in(elsewhere)
        path = f"/v1/matches/{mine.pop()}/messages"
        assert (await running.client.get(path, headers=stranger)).status_code == 403
        assert (await running.client.get(path)).status_code == 401
        assert (await running.client.get("/v1/matches/mat_0_0/messages", headers=one)).status_code == 404

    in_duet(story, tmp_path)


async def _matches(running: Duet, headers: dict[str, str]) -> set[str]:
    found = (await running.client.get("/v1/matches", headers=headers)).json()["items"]
    return {item["match_id"] for item in found}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/auth/login", {"user_id": "usr_00001", "code": "wrong"}, 401),
        ("POST", "/v1/auth/login", {"user_id": 7}, 422),
        ("GET", "/v1/profiles/nobody", None, 404),
        ("POST", "/v1/offers/none/actions", {"action": "accept"}, 404),
        ("POST", "/v1/offers/none/actions", {"action": "perhaps"}, 422),
        ("GET", "/v1/profiles/usr_00001", None, 200),
        ("POST", "/v1/receipts", {"numbers": ["one"]}, 422),
        ("POST", "/v1/reports", {"about": "usr_00001", "category": "rudeness", "text": ""}, 422),
        ("POST", "/v1/reports", {"about": "usr_00001", "category": "scam", "text": "x" * 2001}, 422),
        ("GET", "/v1/safety/reports", None, 403),
        ("POST", "/v1/safety/reports/rep_1/triage", {"action": "ban"}, 403),
        ("GET", "/healthz", None, 200),
    ],
)
def test_what_is_wrong_is_refused(tmp_path: Path, method: str, path: str, body: object, status: int):
    async def story(running: Duet) -> None:
        headers = await running.sign_in(5)
        assert (await running.client.request(method, path, json=body, headers=headers)).status_code == status

    in_duet(story, tmp_path)


def test_the_bad_chat_fails_for_some_pictures_and_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    async def story(running: Duet) -> None:
        one = await running.sign_in(5)
        path = f"/v1/matches/{(await _matches(running, one)).pop()}/messages"
        assert (await running.client.post(path, headers=one, json={"text": "Hello 🙂"})).status_code == 201
        assert (await running.client.post(path, headers=one, json={"text": "Hello 🥾"})).status_code == 502

    with caplog.at_level(logging.ERROR):
        in_duet(story, tmp_path, chat="v2")

    failed = next(record for record in caplog.records if record.message == "request failed")
    assert failed.exc_info is not None
    assert failed.exc_info[0] is KeyError


def test_a_visit_does_what_it_meant_to_do(tmp_path: Path):
    plan = Intentions(5, True, 6, (False, False), ("Hello?", "Coffee!"), (0.001,), report="scam")

    async def story(running: Duet) -> None:
        tally = Tally()
        await Visit(running.client, PEOPLE[5], plan, tally).run()
        assert tally.outcomes == {"401": 1, "200": 9, "201": 3}
        assert tally.outcomes.total() == plan.requests

    in_duet(story, tmp_path)


def test_members_tolerate_a_gateway_that_is_away():
    async def play() -> Tally:
        tally = Tally()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await drive("http://127.0.0.1:9", Load(rate=300, members=MEMBERS, start=12 * 3600), tally)
        return tally

    tally = asyncio.run(play())

    assert set(tally.outcomes) == {"ConnectError"}
    assert "ConnectError" in tally.line()


def test_the_tally_stays_small_however_long_it_counts():
    tally = Tally()
    for _ in range(10_000):
        tally.count("200", random.random())

    assert len(tally.latest) == 2000
    assert tally.outcomes.total() == 10_000
