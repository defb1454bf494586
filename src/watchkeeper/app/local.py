"""How the command line reaches Watchkeeper: always through its API, wherever that runs.

A server elsewhere is reached by its URL and a token; the server that holds the data directory by the secret it keeps
there; and when none runs, one is started in this process for the length of the command. So a command does exactly what
the API does, with the same checks and the same facts in the journal, and SQLite keeps its single writer.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from watchkeeper.app.configuration import Configuration
from watchkeeper.app.console import CommandRefused, Unreachable
from watchkeeper.kernel.db.lock import read_running
from watchkeeper.modules.identity.control import ControlToken

_PATIENCE = httpx.Timeout(60.0, connect=5.0)


@dataclass(frozen=True)
class Elsewhere:
    """A running server named by its URL."""

    url: str
    token: str | None


@contextmanager
def connect(configuration: Configuration, elsewhere: Elsewhere | None = None) -> Iterator[httpx.Client]:
    """A client with the rights of `elsewhere`'s token, or of whoever may read the data directory (all of them).

    Raises Unreachable when nothing answers, and CommandRefused where nothing can be asked.
    """
    try:
        if elsewhere is not None:
            with _client(elsewhere.url, elsewhere.token) as client:
                yield client
            return
        data = configuration.server.data
        running = read_running(data)
        if running is not None:
            with _client(running.url, _control_secret(data)) as client:
                yield client
            return
        with _served_here(configuration) as client:
            yield client
    except httpx.TransportError as error:
        raise Unreachable(f"can't reach Watchkeeper: {error}") from error


@contextmanager
def connect_to_nothing(configuration: Configuration, elsewhere: Elsewhere | None = None) -> Iterator[httpx.Client]:
    """As `connect`; where there is no data directory yet, to an empty Watchkeeper that is gone afterwards."""
    server = configuration.server
    if elsewhere is not None or server.database_url is not None or server.data.exists():
        with connect(configuration, elsewhere) as client:
            yield client
        return
    from watchkeeper.app.server import with_server

    with (
        TemporaryDirectory(prefix="watchkeeper-") as empty,
        connect(with_server(configuration, data=Path(empty))) as client,
    ):
        yield client


def result_of(response: httpx.Response) -> Any:
    """The JSON of a good answer; raises CommandRefused with the server's own words for a bad one, Unreachable
    where it says that something it needs is away."""
    if response.is_success:
        return response.json() if response.content else None
    refused = Unreachable if response.status_code in (502, 503, 504) else CommandRefused
    try:
        problem = response.json()
    except ValueError:
        raise refused(f"{response.status_code} {response.reason_phrase}") from None
    lines = [problem.get("detail") or problem.get("title") or str(response.status_code)]
    lines += [f"  {error.get('where')}: {error.get('expected')}" for error in problem.get("errors", [])]
    raise refused(*lines)


def _control_secret(data: Path) -> str:
    token = ControlToken.read(data)
    if token is None:
        raise CommandRefused(f"a server holds {data} but left no control token there: is it still starting?")
    return token.secret


def _client(url: str, token: str | None) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=url, headers=headers, timeout=_PATIENCE, trust_env=False)


@contextmanager
def _served_here(configuration: Configuration) -> Iterator[httpx.Client]:
    # Imported here: most commands find a running server and need none of this.
    import uvicorn

    from watchkeeper.app.server import Watchkeeper
    from watchkeeper.kernel.telemetry.logs import configure_logging

    # Also for one command: an unhandled error must not print what is in local variables.
    configure_logging(configuration.server.model_copy(update={"log_level": "warning"}))
    data: Path = configuration.server.data
    if not data.exists() and configuration.server.database_url is None:
        raise CommandRefused(f"there is no data directory at {data}: start `watchkeeper up`, or name it with --data")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with Watchkeeper.open(configuration, url=url, background=False) as watchkeeper:
            server = uvicorn.Server(uvicorn.Config(watchkeeper.app, log_config=None, lifespan="off"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
            thread.start()
            try:
                with _client(url, _control_secret(data)) as client:
                    yield client
            finally:
                server.should_exit = True
                thread.join()
