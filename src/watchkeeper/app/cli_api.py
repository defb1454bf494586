"""How commands ask the API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from watchkeeper.app.console import configuration_of


@contextmanager
def connected(data: Any, database_url: Any, server: Any, token: Any) -> Iterator[Any]:
    """A client of the server elsewhere, of the one that runs here, or of one for the length of the command."""
    from watchkeeper.app.local import Elsewhere, connect  # here, so that `--help` is quick

    elsewhere = Elsewhere(server, token) if server else None
    with connect(configuration_of(data=data, database_url=database_url), elsewhere) as client:
        yield client


def ask(method: str, path: str, data: Any, database_url: Any, server: Any, token: Any, **request: Any) -> Any:
    """What the API answers to one request; `path` is below `/api/v1`. Raises CommandRefused for a refusal."""
    import secrets

    from watchkeeper.app.local import result_of

    if method == "POST":
        # The key makes a retry of the client library harmless.
        request["headers"] = {"Idempotency-Key": secrets.token_hex(16)}
    with connected(data, database_url, server, token) as client:
        return result_of(client.request(method, f"/api/v1{path}", **request))
