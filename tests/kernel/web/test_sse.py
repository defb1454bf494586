"""Live streams: they beat while it is quiet, resume, and end with the server."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from tests.kernel.web.support import small_app
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.web.sse import ServerSentEvent, Streams, event_stream, last_event_id


class Tap:
    """A source that a test fills, and that knows whether it was closed."""

    def __init__(self, *events: str, endless: bool = False) -> None:
        self.events, self.endless, self.closed = events, endless, False

    async def source(self) -> AsyncIterator[ServerSentEvent]:
        try:
            for number, text in enumerate(self.events):
                yield ServerSentEvent(text, id=str(number))
            if self.endless:
                await asyncio.Event().wait()
        finally:
            self.closed = True


def request_of(app, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": raw, "app": app})


async def watch(response, *, until=None, disconnect: asyncio.Event | None = None) -> bytes:
    sent = b""
    gone = disconnect or asyncio.Event()

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        nonlocal sent
        sent += message.get("body", b"")
        if until and until(sent):
            until.done()

    await response({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)
    return sent


class Until:
    def __init__(self, text: bytes, then) -> None:
        self.text, self.then = text, then

    def __call__(self, sent: bytes) -> bool:
        return self.text in sent

    def done(self) -> None:
        self.then()


@pytest.fixture
def app():
    return small_app(parts={Streams: Streams(limit=2)})


def test_events_carry_their_id_and_the_stream_says_when_to_retry(app):
    tap = Tap("one", "two")
    sent = asyncio.run(watch_stream(app, tap))
    assert sent == b"retry: 2000\n\nid: 0\ndata: one\n\nid: 1\ndata: two\n\n"
    assert tap.closed


async def watch_stream(app, tap: Tap, **options) -> bytes:
    heartbeat = options.pop("heartbeat", 15.0)
    return await watch(event_stream(request_of(app), tap.source(), heartbeat=heartbeat), **options)


def test_a_quiet_stream_beats_and_ends_when_the_browser_leaves(app):
    async def go():
        gone = asyncio.Event()
        tap = Tap(endless=True)
        sent = await watch_stream(app, tap, heartbeat=0.01, until=Until(b": still here", gone.set), disconnect=gone)
        return tap, sent

    tap, sent = asyncio.run(asyncio.wait_for(go(), 5))
    assert b": still here\n\n" in sent
    assert tap.closed
    assert app.state.parts[Streams].open == 0


def test_all_streams_end_when_the_server_does(app):
    async def go():
        streams = app.state.parts[Streams]
        taps = [Tap("x", endless=True), Tap("x", endless=True)]
        running = [asyncio.create_task(watch_stream(app, tap)) for tap in taps]
        await asyncio.sleep(0.05)
        assert streams.open == 2
        streams.close()
        await asyncio.wait_for(asyncio.gather(*running), 2)
        return taps

    taps = asyncio.run(go())
    assert all(tap.closed for tap in taps)
    with pytest.raises(Unavailable):
        app.state.parts[Streams].enter()


def test_one_stream_too_many_is_refused_and_room_comes_back(app):
    async def go():
        gone = asyncio.Event()
        running = [asyncio.create_task(watch_stream(app, Tap(endless=True), disconnect=gone)) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable):
            event_stream(request_of(app), Tap().source())
        gone.set()
        await asyncio.gather(*running)
        return await watch_stream(app, Tap("again"))

    assert b"again" in asyncio.run(asyncio.wait_for(go(), 5))


def test_a_source_that_breaks_frees_its_place(app):
    async def broken():
        yield ServerSentEvent("one")
        raise RuntimeError("lost")

    async def go():
        with pytest.raises(BaseException, match=r"lost|unhandled"):
            await watch(event_stream(request_of(app), broken()))

    asyncio.run(go())
    assert app.state.parts[Streams].open == 0


def test_the_browser_says_where_it_was(app):
    assert last_event_id(request_of(app, last_event_id="41")) == "41"
    assert last_event_id(request_of(app)) is None


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0")))
def test_data_of_several_lines_arrives_as_it_was_sent(text):
    frame = ServerSentEvent(text, id="1").encode().decode()
    assert frame.endswith("\n\n")
    lines = frame[:-2].split("\n")
    got = "\n".join(line.removeprefix("data: ") for line in lines if line.startswith("data: "))
    assert got == text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize("bad", ["1\nevent: evil", "1\r", "\0"])
def test_an_id_can_not_break_out_of_its_line(bad):
    with pytest.raises(ValueError, match="one line"):
        ServerSentEvent("x", id=bad).encode()
