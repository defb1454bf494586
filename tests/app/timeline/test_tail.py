"""The tail of the journal: every stream gets each fact once and in order, whoever wrote it and wherever it resumes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.orm import Session

from tests.app.timeline.support import Zoo, feed
from watchkeeper.app.timeline.filters import fits
from watchkeeper.app.timeline.tail import Tail, Told
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.journal import FactFilter, read_facts

EVERYTHING = FactFilter()


async def _take(stream: AsyncIterator[Told], count: int) -> list[int]:
    found: list[int] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            found.append((await anext(stream)).fact.seq)
    return found


async def _nothing_more(stream: AsyncIterator[Told], seconds: float = 0.1) -> bool:
    try:
        await asyncio.wait_for(anext(stream), seconds)
    except TimeoutError:
        return True
    return False


def test_a_listener_hears_what_happens_from_then_on(zoo: Zoo) -> None:
    zoo.feed("lion", "tiger")

    async def story() -> None:
        stream = Tail(zoo.database, every=0.01).follow(EVERYTHING, 2)
        heard = asyncio.ensure_future(_take(stream, 2))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(zoo.feed, "bear", "wolf")
        assert await heard == [3, 4]
        assert await _nothing_more(stream)

    asyncio.run(story())


def test_a_listener_that_resumes_first_hears_what_it_missed(zoo: Zoo) -> None:
    zoo.feed(*(f"ant-{number}" for number in range(450)))

    async def story() -> None:
        tail = Tail(zoo.database, every=0.01, remembered=50)
        stream = tail.follow(EVERYTHING, 3)
        assert await _take(stream, 447) == list(range(4, 451))
        await asyncio.to_thread(zoo.feed, "bear")
        assert await _take(stream, 1) == [451]

    asyncio.run(story())


def test_facts_that_do_not_fit_are_passed_over_without_being_lost(zoo: Zoo) -> None:
    zoo.feed("lion")

    async def story() -> None:
        stream = Tail(zoo.database, every=0.01).follow(FactFilter(services=("dogs",)), 0)
        heard = asyncio.ensure_future(_take(stream, 2))
        await asyncio.sleep(0.03)
        await asyncio.to_thread(zoo.feed, "wolf", house="dogs")
        await asyncio.to_thread(zoo.feed, "tiger", house="cats")
        await asyncio.to_thread(zoo.feed, "fox", house="dogs")
        assert await heard == [2, 4]

    asyncio.run(story())


def test_a_client_from_before_a_restore_hears_the_numbers_that_are_given_out_again(zoo: Zoo) -> None:
    zoo.feed("lion")

    async def story() -> None:
        stream = Tail(zoo.database, every=0.01).follow(EVERYTHING, 1_000)
        heard = asyncio.ensure_future(_take(stream, 1))
        await asyncio.sleep(0.03)
        await asyncio.to_thread(zoo.feed, "tiger")
        assert await heard == [2]

    asyncio.run(story())


def test_many_listeners_cost_one_look_at_a_time(zoo: Zoo) -> None:
    zoo.feed("lion")
    looks: list[str] = []

    def besides(tail: Counted) -> int:
        """Looks at facts that were not the tail's own."""
        return len([one for one in looks if "journal.data" in one]) - tail.looks

    async def story() -> None:
        event.listen(zoo.database._reading, "before_cursor_execute", lambda *args: looks.append(args[2]))
        tail = Counted(zoo.database, every=0.05)
        streams = [asyncio.ensure_future(_take(tail.follow(EVERYTHING, 1), 1)) for _ in range(50)]
        # Each may ask once where it stands when it begins.
        before = None
        while tail._listeners < len(streams) or before != besides(tail):
            before = besides(tail)
            await asyncio.sleep(0.3)
        await asyncio.to_thread(zoo.feed, "tiger")
        assert await asyncio.gather(*streams) == [[2]] * 50
        assert besides(tail) <= before + 1  # a look of its own may be under way

    asyncio.run(story())


class Counted(Tail):
    looks = 0

    def _read_new(self, session: Session) -> list[Told]:
        found = super()._read_new(session)
        self.looks += 1
        return found


def test_nobody_looks_while_nobody_listens(zoo: Zoo) -> None:
    async def story() -> None:
        tail = Tail(zoo.database, every=0.01)
        listener = asyncio.ensure_future(_take(tail.follow(EVERYTHING, 0), 1))
        for _ in range(500):
            await asyncio.sleep(0.01)
            if tail._task is not None:
                break
        listener.cancel()
        assert tail._task is not None
        await asyncio.wait({tail._task}, timeout=5)
        assert tail._task.done()
        await asyncio.to_thread(zoo.feed, "lion", "tiger", "bear")
        assert await _take(tail.follow(EVERYTHING, 1), 2) == [2, 3]

    asyncio.run(story())


def test_a_stream_ends_after_its_time_so_that_its_reader_is_asked_who_it_is(zoo: Zoo) -> None:
    zoo.feed("lion")

    async def story() -> None:
        seen = [told.fact.seq async for told in Tail(zoo.database, every=0.01).follow(EVERYTHING, 0, seconds=0.0)]
        assert seen == []

    asyncio.run(story())


def test_a_database_that_is_away_for_a_moment_ends_no_stream(zoo: Zoo) -> None:
    class Shaky(Tail):
        failures = 3

        async def _look(self) -> None:
            if self.failures:
                self.failures -= 1
                raise Unavailable("away")
            await super()._look()

        async def _next(self, wanted: FactFilter, after: int) -> tuple[list[Told], int]:
            if self.failures:
                raise Unavailable("away")
            return await super()._next(wanted, after)

    async def story() -> None:
        stream = Shaky(zoo.database, every=0.01).follow(EVERYTHING, 0)
        heard = asyncio.ensure_future(_take(stream, 1))
        await asyncio.sleep(0.02)
        await asyncio.to_thread(zoo.feed, "lion")
        assert await heard == [1]

    asyncio.run(story())


batches = st.lists(st.lists(st.sampled_from(["cats", "dogs", None]), min_size=1, max_size=30), max_size=5)
listeners = st.lists(st.tuples(st.integers(0, 40), st.sampled_from([(), ("cats",), ("dogs",)])), min_size=1, max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(batches, listeners, st.integers(1, 40))
def test_every_stream_delivers_each_fact_once_in_order(
    zoo: Zoo, batches: list[list[str | None]], listeners: list[tuple[int, tuple[str, ...]]], remembered: int
) -> None:
    with zoo.database.begin() as session:
        start = feed(session, "first")

    def write() -> None:
        for batch in batches:
            with zoo.database.begin() as session:
                for house in batch:
                    feed(session, "ant", house=house)
        with zoo.database.begin() as session:
            feed(session, "last", house="cats")
            feed(session, "last", house="dogs")

    async def listen(tail: Tail, after: int, services: tuple[str, ...]) -> list[int]:
        found = []
        stream = tail.follow(FactFilter(services=services), after)
        async with asyncio.timeout(20):
            async for told in stream:
                found.append(told.fact.seq)
                last = services[0] if services else "dogs"
                if told.fact.data["animal"] == "last" and told.fact.service == last and told.fact.seq > start:
                    break
        await stream.aclose()  # type: ignore[attr-defined]
        return found

    async def story() -> list[list[int]]:
        tail = Tail(zoo.database, every=0.003, remembered=remembered)
        tasks = [listen(tail, max(0, start - back), services) for back, services in listeners]
        writer = threading.Thread(target=write)
        writer.start()
        # A listener from before an earlier example's end stops at that one's last fact; it begins after it here.
        found = await asyncio.gather(*tasks)
        writer.join()
        return found

    heard = asyncio.run(story())
    with zoo.database.read() as session:
        facts = read_facts(session, FactFilter(after_seq=max(0, start - 41)), limit=1000, newest_first=False)
    for (back, services), seqs in zip(listeners, heard, strict=True):
        wanted = FactFilter(services=services, after_seq=max(0, start - back))
        assert seqs == [fact.seq for fact in facts if fits(fact, wanted) and fact.seq <= seqs[-1]]
