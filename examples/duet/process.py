"""One service of Duet as a process."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from examples.duet import chat, gateway, matching
from examples.duet.scraping import scraped
from examples.duet.service import Peer, Place
from examples.duet.values import values_of
from examples.duet.watching import watch_this_process, watched


def serve(
    service: str, place: Place, *, listener: socket.socket, endpoint: str | None, scrape: bool, logs: Path
) -> None:
    """Answer on `listener` until SIGTERM; with `scrape` also Prometheus, where telemetry is on."""
    place = replace(place, values=values_of(service, place.data))
    watch_this_process(f"duet-{service}", release=place.release, environment="demo", endpoint=endpoint, logs=logs)
    logging.getLogger("duet").info("started", extra={"release": place.release})
    made = make_app(service, place)
    made.state.release = place.release
    app = watched(made)
    config = uvicorn.Config(
        scraped(app) if scrape else app,
        log_config=None,
        access_log=False,
        loop="asyncio",
        ws="none",
        # Longer than callers keep a connection that rests, or one ends just when the next request is under way on it.
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
    )
    # Once it has stopped, uvicorn sends itself the signal again, to die of it as if it had never caught it: what the
    # telemetry still holds would be lost.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.Server(config).run(sockets=[listener])


def make_app(service: str, place: Place) -> Starlette:
    """The application of `service`, calling its peers by their URLs."""
    if service == "matching":
        return matching.make_app(place)
    to_matching = Peer("matching", place.peers["matching"])
    if service == "chat":
        return chat.make_app(place, to_matching)
    return gateway.make_app(place, to_matching, Peer("chat", place.peers["chat"]))
