"""How much of their sessions members were connected."""

from __future__ import annotations

import asyncio
import json

from hypothesis import given
from hypothesis import strategies as st

from examples.duet.connections import Connections
from examples.duet.live import Lines
from examples.duet.people import PUSH_NETWORK

steps = st.lists(
    st.tuples(st.sampled_from(["opened", "closed", "ended", "counted"]), st.sampled_from("abc"), st.floats(0.01, 40)),
    max_size=60,
)


def test_a_gap_counts_once_the_member_is_back() -> None:
    connections = Connections(patience=30)
    connections.opened("a", 100)
    connections.closed("a", 110)
    assert connections.counted(112) == (10, 10)
    connections.opened("a", 115)
    assert connections.counted(120) == (5, 10)


def test_who_signs_out_or_does_not_come_back_had_no_gap() -> None:
    connections = Connections(patience=30)
    for session in ("signs out", "stays away", "comes too late"):
        connections.opened(session, 0)
        connections.closed(session, 10)
    connections.ended("signs out", 11)
    connections.opened("comes too late", 50)
    assert connections.counted(50) == (30, 30)


def test_a_second_connection_of_the_same_session_counts_no_second_time() -> None:
    connections = Connections(patience=30)
    connections.opened("a", 0)
    connections.opened("a", 1)
    connections.closed("a", 5)
    assert connections.counted(10) == (10, 10)


@given(steps)
def test_nobody_is_connected_longer_than_the_session_lasts(done: list[tuple[str, str, float]]) -> None:
    connections, now, connected, lasted = Connections(patience=30), 0.0, 0.0, 0.0
    for what, session, after in done:
        now += after
        if what == "counted":
            more = connections.counted(now)
            connected, lasted = connected + more[0], lasted + more[1]
        else:
            getattr(connections, what)(session, now)
    more = connections.counted(now)
    connected, lasted = connected + more[0], lasted + more[1]
    assert 0 <= connected <= lasted + 1e-6
    assert lasted <= 3 * now + 1e-6


def test_a_member_is_told_on_their_own_line_and_the_push_network_where_there_is_none() -> None:
    async def play() -> list[list[object]]:
        lines, heard = Lines(), dict[str, list[object]]()

        async def listen(user: str) -> None:
            async for line in lines.listen(user, 60):
                heard.setdefault(user, []).append(json.loads(line).get("number"))

        listening = [asyncio.create_task(listen(user)) for user in ("ada", PUSH_NETWORK.user_id)]
        await asyncio.sleep(0)
        lines.tell("ada", {"number": 1})
        lines.tell("ben", {"number": 2})
        lines.tell("ada", {"number": 3}, push=True)
        await asyncio.sleep(0.01)
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        lines.tell("ada", {"number": 4})  # nobody is there; nothing breaks
        return [heard["ada"], heard[PUSH_NETWORK.user_id]]

    assert asyncio.run(play()) == [[None, 1], [None, 2, 3]]


def test_a_silent_line_shows_that_it_lives() -> None:
    async def play() -> list[bytes]:
        listening = Lines().listen("ada", 0.01)
        return [await anext(listening) for _ in range(3)]

    assert asyncio.run(play()) == [b"{}\n"] * 3
