"""For the tests of a service: a client without a server, and values that hold for a block.

client = client_with({"MATCHES_PER_DAY": 5, "ENABLE_VIDEO": True})

with override(ENABLE_VIDEO=False):
    ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import time, timedelta
from typing import Any

from watchkeeper_client.config.reading import Reader, overriding
from watchkeeper_client.config.status import Status
from watchkeeper_client.rules import duration_text

__all__ = ["StaticClient", "client_with", "override"]


class StaticClient(Reader):
    """Reads like a Client, from what it was given; `close` and `wait_until_ready` are there and do nothing."""

    def status(self) -> Status:
        """Never connected, never stale."""
        document = self._document
        return Status(False, "none", document["environment"], document["version"], document["etag"], None, None)

    def wait_until_ready(self, timeout: float = 10.0) -> bool:  # noqa: ARG002 (as the real one has it)
        """It is."""
        return True

    def close(self) -> None:
        """Nothing to let go of."""

    def __enter__(self) -> StaticClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def client_with(
    values: Mapping[str, Any],
    *,
    segments: Mapping[str, Any] | None = None,
    users: Mapping[str, Mapping[str, Any]] | None = None,
    environ: Mapping[str, str] | None = None,
) -> StaticClient:
    """A client without a server or a thread.

    A value is a plain Python value, or a parameter as snapshots carry it (a mapping with `type`). `users` maps a
    user's id to the keys and values that hold for them; `segments` maps names to `{"members": […]}` or `{"when": …}`.
    """
    parameters = {key: _parameter(value) for key, value in values.items()}
    for user, own in (users or {}).items():
        for key, value in own.items():
            said = parameters[key]
            parameters[key] = {**said, "users": {**said.get("users", {}), user: _wire(said, value)}}
    document = {
        "format": 1,
        "environment": "test",
        "version": 1,
        "etag": '"test"',
        "made_at": "2026-01-01T00:00:00Z",
        "segments": dict(segments or {}),
        "parameters": parameters,
        "scheduled": [],
    }
    return StaticClient(document, environ=environ)


@contextmanager
def override(values: Mapping[str, Any] | None = None, /, **more: Any) -> Iterator[None]:
    """Every client of this process answers these keys with these values in the block, for every user.

    Works as a decorator too, nests (the inner one wins), and sets back what was before. It holds for all threads and
    tasks, since they share the clients: tests that run at the same time in one process should not override one key.
    Names that are no Python names go in as a mapping: `override({"a.b": 1})`.
    """
    with overriding({**(values or {}), **more}):
        yield


def _parameter(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping) and isinstance(value.get("type"), str):
        return dict(value)
    if isinstance(value, bool):
        name = "on" if value else "off"
        variants = {"on": True, "off": False}
        return {"type": "flag", "variants": variants, "default": name, "off": "off", "salt": "test"}
    for kind, named in ((int, "integer"), (float, "float"), (str, "string")):
        if isinstance(value, kind):
            return {"type": named, "default": value}
    if isinstance(value, timedelta):
        return {"type": "duration", "default": duration_text(value)}
    if isinstance(value, time):
        return {"type": "time_of_day", "default": value.isoformat()}
    return {"type": "json", "default": value}


def _wire(said: Mapping[str, Any], value: Any) -> Any:
    if said["type"] == "flag" and isinstance(value, bool):
        return next((name for name, one in said["variants"].items() if one is value), value)
    if isinstance(value, timedelta):
        return duration_text(value)
    return value.isoformat() if isinstance(value, time) else value
