"""`python -m tests.slo.real.service FD ENDPOINT LOGS`: a service as a process, watched and scraped as Duet's are.

`/good` is answered with 200, `/bad` with 503.
"""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from examples.duet.scraping import scraped
from examples.duet.watching import watch_this_process, watched


async def good(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("good")


async def bad(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("bad", 503)


def main(fd: str, endpoint: str, logs: str) -> None:
    watch_this_process("shop", release="v1", environment="demo", endpoint=endpoint, logs=Path(logs))
    app = Starlette(routes=[Route("/good", good), Route("/bad", bad), Route("/healthz", good)])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(scraped(watched(app)), log_config=None, access_log=False, timeout_keep_alive=30)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(fd))])


if __name__ == "__main__":
    main(*sys.argv[1:])
