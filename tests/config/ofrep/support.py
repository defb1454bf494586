"""OFREP on snapshots that stand in a test: no database, one manual clock, the cast of tests/kernel/web."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import orjson
from starlette.testclient import TestClient

from tests.kernel.web.support import bearer, browser, small_app
from watchkeeper.kernel.clock import ManualClock, SystemClock, rfc3339
from watchkeeper.modules.config.errors import EnvironmentNotFound
from watchkeeper.modules.config.hub import Held, Hub
from watchkeeper.modules.config.known_subjects import KnownSubjects
from watchkeeper.modules.config.ofrep import OfrepApp, OfrepSettings
from watchkeeper.modules.config.rates import Rates
from watchkeeper_client.rules import compile_snapshot

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FLAG = {"type": "flag", "variants": {"on": True, "off": False}, "default": "off", "off": "off", "salt": "fixed"}
NORWAY = {"when": {"attribute": "country", "op": "equals", "value": "NO"}}


def document(parameters: Mapping[str, Any], version: int = 1, **more: Any) -> dict[str, Any]:
    """A snapshot of production."""
    said = {"format": 1, "environment": "production", "version": version, "etag": f'"{version}-abc"'}
    return {**said, "made_at": rfc3339(NOW), "segments": {}, "parameters": dict(parameters), "scheduled": [], **more}


class FixedHub:
    """Serves what it was given last; whoever waits for more waits for the next `put` or `tick`."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock, self._held, self._moved = clock, {}, asyncio.Event()  # type: ignore[var-annotated]

    def put(self, said: Mapping[str, Any]) -> Held:
        program = compile_snapshot(said, now=self._clock.now(), environ={}, clock=self._clock.now)
        held = Held(said, said["etag"], orjson.dumps(said), program, None, b"{}")
        self._held[said["environment"]] = held
        self._moved.set()
        return held

    def forget(self, environment: str) -> None:
        del self._held[environment]
        self._moved.set()

    def current(self, environment: str) -> Held:
        if environment not in self._held:
            raise EnvironmentNotFound(f"There is no environment {environment!r}.")
        return self._held[environment]

    async def moved(self, environment: str, since: str, *, seconds: float) -> Held | None:
        self.waited = seconds
        await self._moved.wait()
        self._moved.clear()
        held = self.current(environment)
        return held if held.etag != since else None

    def tick(self) -> None:
        """Let a wait run out."""
        self._moved.set()


class FixedSubjects:
    """Knows what it was told, and counts how often it was asked."""

    wanted = True

    def __init__(self, records: Mapping[str, Mapping[str, Any]]) -> None:
        self._records, self.asked = records, list[str]()

    def held(self, user: str) -> Mapping[str, Any] | None:
        return None

    async def look_up(self, user: str) -> Mapping[str, Any]:
        self.asked.append(user)
        return self._records.get(user, {})


class Ofrep:
    """The app on a fixed snapshot, asked with the token that may read."""

    def __init__(
        self,
        *,
        subjects: Mapping[str, Mapping[str, Any]] | None = None,
        origins: frozenset[str] = frozenset(),
        per_second: int = 0,
    ) -> None:
        self.clock = ManualClock(NOW)
        self.hub = FixedHub(self.clock)
        self.subjects = FixedSubjects(subjects or {})
        self.revoked: set[str] = set()
        self.app = OfrepApp(
            cast("Hub", self.hub),
            self.clock,
            cast("KnownSubjects", self.subjects),
            Rates(self.clock, per_second),
            self._works,
            OfrepSettings("production", origins, b"k" * 32),
        )
        mounted = small_app(parts={SystemClock: self.clock}, mounts={"/ofrep": self.app}, body_limits={"/ofrep": None})
        self.anybody: TestClient = browser(mounted)
        self.client: TestClient = browser(mounted, headers=bearer("read"))
        self.mounted = mounted

    async def _works(self, token: str) -> bool:
        return token not in self.revoked

    def one(self, key: str, user: str | None = None, *, headers: Any = None, **attributes: Any) -> Any:
        """The answer to a single evaluation."""
        context = {**attributes, **({"targetingKey": user} if user is not None else {})}
        return self.client.post(f"/ofrep/v1/evaluate/flags/{key}", json={"context": context}, headers=headers)

    def every(self, user: str | None = None, *, headers: Any = None, **attributes: Any) -> Any:
        """The answer to a bulk evaluation."""
        context = {**attributes, **({"targetingKey": user} if user is not None else {})}
        return self.client.post("/ofrep/v1/evaluate/flags", json={"context": context}, headers=headers)
