"""A server with people watching still stops when it is told to."""

import asyncio

import httpx
import uvicorn

from tests.kernel.web.shell_demo import demo_app
from watchkeeper.kernel.web.serving import Server
from watchkeeper.kernel.web.sse import Streams


def test_an_open_stream_does_not_hold_up_the_end(tmp_path):
    app = demo_app(tmp_path)

    async def go() -> bytes:
        server = Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"), app.state.parts[Streams])
        running = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        got = b""
        async with httpx.AsyncClient() as client, client.stream("GET", f"http://127.0.0.1:{port}/stream") as answer:
            async for part in answer.aiter_bytes():
                got += part
                if b"event 3" in got:
                    server.should_exit = True
        await running
        return got

    assert b"event 3" in asyncio.run(asyncio.wait_for(go(), 3))
