"""`watchkeeper up`: listen, announce, say where to go, and end in good order."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import structlog
import uvicorn

from watchkeeper.app.configuration import Configuration
from watchkeeper.app.console import CommandRefused, out
from watchkeeper.app.server import Watchkeeper
from watchkeeper.kernel.db.lock import ServerLock
from watchkeeper.kernel.telemetry.logs import configure_logging
from watchkeeper.kernel.web.hot_paths import HotPaths
from watchkeeper.kernel.web.serving import Server
from watchkeeper.kernel.web.sse import Streams
from watchkeeper.modules.identity.public import ensure_setup_link

_log = structlog.get_logger("watchkeeper")
_GRACE_SECONDS = 5


def serve(configuration: Configuration, greet: Callable[[Watchkeeper, str], None] | None = None) -> None:
    """Run until SIGINT or SIGTERM; `greet` may say in its own words where to go.

    Raises CommandRefused, AlreadyRunning or another refusal when it can't start.
    """
    configure_logging(configuration.server)
    server = configuration.server
    with ServerLock(server.data) as lock, _listen(server.host, server.port) as listener:
        url = f"http://{_in_url(server.host)}:{listener.getsockname()[1]}"
        with Watchkeeper.open(configuration, url=url, lock=lock) as watchkeeper:
            (greet or _greet)(watchkeeper, server.base_url or url)
            Server(_uvicorn(watchkeeper), watchkeeper.app.state.parts[Streams]).run(sockets=[listener])


def _uvicorn(watchkeeper: Watchkeeper) -> uvicorn.Config:
    options: dict[str, Any] = {
        "loop": "uvloop",
        "http": "httptools",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,  # kernel.web believes them only from trusted proxies
        "timeout_graceful_shutdown": _GRACE_SECONDS,
    }
    return uvicorn.Config(HotPaths(watchkeeper.app), **options)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise CommandRefused(f"can't listen on {host}:{port}: {error.strerror}. Choose another with --port.") from None


def _greet(watchkeeper: Watchkeeper, url: str) -> None:
    settings = watchkeeper.configuration
    with watchkeeper.db.begin() as session:
        secret = ensure_setup_link(session, watchkeeper.clock, settings.identity)
    out.print(f"Watchkeeper is at {url}", markup=False)
    if secret is not None:
        hours = settings.identity.setup_link_hours
        out.print(f"Set it up (once, within {hours} h): {url}/setup/{secret}", markup=False)
    _log.info("started", url=url, database=watchkeeper.db.dialect, data=str(settings.server.data))


def _in_url(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 (compared, not bound)
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
