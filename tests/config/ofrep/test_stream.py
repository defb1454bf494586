"""The stream says when to ask again, to whom it may and for as long as it may."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.config.ofrep.support import NOW, FixedHub, Ofrep, document
from watchkeeper.kernel.clock import ManualClock, rfc3339
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.web.sse import Encoded
from watchkeeper.modules.config.hub import Hub
from watchkeeper.modules.config.ofrep_stream import LiveTokens, Refetches, Ticket, Tickets

COUNT = {"COUNT": {"type": "integer", "default": 3}}
TICKET = Ticket("production", "tok_1")


def story(tell: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that takes turns with what it tests."""

    @functools.wraps(tell)
    def told() -> None:
        asyncio.run(tell())

    return told


class Following:
    """One stream and what moves it."""

    def __init__(self, has: str | None = None, said: dict[str, Any] | None = None) -> None:
        self.clock = ManualClock(NOW)
        self.hub = FixedHub(self.clock)
        self.hub.put(said or document(COUNT))
        self.revoked: set[str] = set()
        self.unavailable = False
        self.tokens = LiveTokens(self._works, self.clock)
        refetches = Refetches(cast("Hub", self.hub), self.clock, self.tokens)
        self.events: AsyncIterator[Encoded] = refetches.follow(TICKET, has)

    async def _works(self, token: str) -> bool:
        if self.unavailable:
            raise Unavailable("away")
        return token not in self.revoked

    async def next(self) -> str:
        return (await asyncio.wait_for(anext(self.events), 2)).decode()

    async def next_after(self, act: Any) -> str:
        waiting = asyncio.ensure_future(self.next())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        act()
        return await waiting


def data_of(event: str) -> dict[str, Any]:
    line = next(line for line in event.splitlines() if line.startswith("data: "))
    found: dict[str, Any] = json.loads(line.removeprefix("data: "))
    return found


@story
async def test_a_browser_learns_where_it_is_without_a_message() -> None:
    assert await Following().next() == 'id: "1-abc"\n\n'
    assert await Following('"1-abc"').next() == 'id: "1-abc"\n\n'


@story
async def test_whoever_comes_back_after_a_change_is_told_at_once() -> None:
    event = await Following('"0-abc"').next()
    assert 'id: "1-abc"' in event
    assert "event: message" in event
    assert data_of(event) == {"type": "refetchEvaluation", "etag": '"1-abc"', "lastModified": int(NOW.timestamp())}


@story
async def test_a_change_is_told_with_its_version() -> None:
    following = Following()
    await following.next()
    event = await following.next_after(lambda: following.hub.put(document(COUNT, 2)))
    assert data_of(event)["etag"] == '"2-abc"'


@story
async def test_a_schedule_that_falls_due_is_told_although_the_version_is_the_same() -> None:
    due = NOW + timedelta(seconds=4)
    operations = [{"key": "COUNT", "slot": "value", "value": 9}]
    said = document(COUNT, scheduled=[{"id": "chg_1", "at": rfc3339(due), "operations": operations}])
    following = Following(said=said)
    await following.next()

    def fall_due() -> None:
        assert 4 <= following.hub.waited < 5, "it looks again when the schedule is due"
        following.clock.advance(timedelta(seconds=4))
        following.hub.put(said)

    assert data_of(await following.next_after(fall_due))["etag"] == '"1-abc"'


@story
async def test_a_stream_ends_soon_after_its_token() -> None:
    following = Following()
    await following.next()
    following.revoked.add("tok_1")
    following.clock.advance(timedelta(seconds=11))
    with pytest.raises(StopAsyncIteration):
        await following.next_after(following.hub.tick)


@story
async def test_a_stream_goes_on_without_a_database_and_whatever_others_do() -> None:
    following = Following()
    await following.next()
    following.unavailable = True
    following.revoked.add("tok_2")
    following.clock.advance(timedelta(seconds=11))
    event = await following.next_after(lambda: following.hub.put(document(COUNT, 2)))
    assert data_of(event)["etag"] == '"2-abc"'


@story
async def test_a_stream_ends_with_its_environment() -> None:
    following = Following()
    await following.next()
    with pytest.raises(StopAsyncIteration):
        await following.next_after(lambda: following.hub.forget("production"))


@story
async def test_a_token_is_asked_about_once_in_ten_seconds_however_many_streams_it_has() -> None:
    asked = []
    clock = ManualClock(NOW)

    async def works(token: str) -> bool:
        asked.append(token)
        return True

    tokens = LiveTokens(works, clock)
    for _ in range(100):
        assert await tokens.works("tok_1")
    clock.advance(timedelta(seconds=11))
    assert await tokens.works("tok_1")
    assert asked == ["tok_1", "tok_1"]


@given(seconds=st.integers(0, 30 * 3600), changed=st.integers(0, 200), by=st.characters(codec="utf-8"))
def test_a_ticket_holds_for_a_day_unless_a_single_character_differs(seconds: int, changed: int, by: str) -> None:
    clock = ManualClock(NOW)
    tickets = Tickets(b"k" * 32, clock)
    text = tickets.issue(TICKET)
    assert tickets.read(text) == TICKET
    place = changed % len(text)
    forged = text[:place] + by + text[place + 1 :]
    assert forged == text or tickets.read(forged) is None
    clock.advance(timedelta(seconds=seconds))
    held = tickets.read(text)
    assert held == TICKET if seconds < 24 * 3600 else held in (TICKET, None)
    clock.advance(timedelta(hours=30))
    assert tickets.read(text) is None


@pytest.mark.parametrize("text", ["", ".", "...", "production.1.tok_1.", "é.1.x.y", "\udcff.1.2.3"])
def test_what_is_no_ticket_opens_nothing(text: str) -> None:
    assert Tickets(b"k" * 32, ManualClock(NOW)).read(text) is None


def test_a_ticket_of_another_installation_opens_nothing() -> None:
    clock = ManualClock(NOW)
    assert Tickets(b"a" * 32, clock).read(Tickets(b"b" * 32, clock).issue(TICKET)) is None


def test_the_stream_of_a_revoked_token_is_refused_though_its_ticket_is_good() -> None:
    ofrep = Ofrep()
    ofrep.hub.put(document(COUNT))
    address = ofrep.every().json()["eventStreams"][0]["endpoint"]["requestUri"]
    said = parse_qs(urlsplit(address).query)
    assert said["last_event_id"] == ['"1-abc"'], "a change between this answer and the stream is not lost"
    ofrep.revoked.add("tok_read")
    ofrep.clock.advance(timedelta(seconds=1))
    answer = ofrep.anybody.get(address)
    assert (answer.status_code, answer.json()["errorCode"]) == (401, "GENERAL")


def test_a_stream_of_an_environment_that_is_gone_is_not_found() -> None:
    ofrep = Ofrep()
    ofrep.hub.put(document(COUNT))
    address = ofrep.every().json()["eventStreams"][0]["endpoint"]["requestUri"]
    ofrep.hub.forget("production")
    assert ofrep.anybody.get(address).status_code == 404
