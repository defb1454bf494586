"""A Watchkeeper and who listens to it from outside, by a clock that stands still until it is moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any

from tests.notify.support import KEY, LOOPBACK
from tests.oncall.paging.support import LEASE, Tower
from watchkeeper.kernel.loopback import ask_app
from watchkeeper.kernel.outbound import Outbound
from watchkeeper.kernel.work import Task
from watchkeeper.kernel.work import store as work_store
from watchkeeper.modules.alerts import jobs, synthetic
from watchkeeper.modules.alerts.public import GroupWatchers
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.alerts.wiring import events_app
from watchkeeper.modules.oncall.paging import store_probes
from watchkeeper.modules.oncall.paging.auditor import HEARTBEAT, Auditor, Heartbeat
from watchkeeper.modules.oncall.paging.engine import Watcher
from watchkeeper.modules.oncall.paging.model import Probe
from watchkeeper.modules.oncall.paging.probing import Prober
from watchkeeper.modules.oncall.settings import OncallSettings

PERIOD_AND_GRACE = timedelta(minutes=2)
TICK = timedelta(seconds=10)


@dataclass
class Check:
    """As Healthchecks has it, with a period and a grace time of one minute each: down when it is told so, or silent."""

    last_ok: datetime | None = None
    told: str | None = None

    def is_down(self, at: datetime) -> bool:
        return self.told is not None or self.last_ok is None or at - self.last_ok > PERIOD_AND_GRACE

    def hear(self, path: str, body: bytes, at: datetime) -> None:
        if path.endswith("/fail"):
            self.told = body.decode()
        else:
            self.last_ok, self.told = at, None


@dataclass
class Watched:
    """All lanes of a tower with its recurring work. `stopped` names kinds of work that nobody does any more."""

    tower: Tower
    host: str = ""
    outbound: Outbound = LOOPBACK
    check: Check = field(default_factory=Check)
    stopped: tuple[str, ...] = ()
    frozen: bool = False
    _ticks: int = 0
    _audits: int = 0

    def __post_init__(self) -> None:
        with self.tower.stage.database.begin() as session:
            synthetic.ensure(session, synthetic.key_of(KEY), at=self.tower.clock.now())

    @cached_property
    def settings(self) -> OncallSettings:
        port = self.tower.provider.url.rpartition(":")[2]
        url = f"http://{self.host}:{port}" if self.host else self.tower.provider.url
        return OncallSettings.model_validate({"heartbeat_url": f"{url}/ping/7e57"})

    @cached_property
    def auditor(self) -> Auditor:
        return Auditor(self.tower.stage.database, self.tower.clock, self.settings)

    @cached_property
    def prober(self) -> Prober:
        database, clock = self.tower.stage.database, self.tower.clock
        parts: dict[Any, Any] = {
            AlertSettings: AlertSettings.model_validate({}),
            GroupWatchers: GroupWatchers((Watcher(),)),
        }
        knock = partial(ask_app, events_app(parts, database, clock))
        return Prober(database, clock, self.settings, self.tower.alerting, synthetic.key_of(KEY), knock)

    @cached_property
    def heartbeat(self) -> Heartbeat:
        return Heartbeat(self.tower.clock, self.settings, self.outbound)

    def probe(self) -> None:
        """What is due once a minute."""
        self._recurring(self.prober)

    def audit(self) -> None:
        """What is due every 30 seconds. The database's clock is the tower's."""
        with self.tower.stage.database.read() as session:
            found = self.auditor.look(session, self.tower.clock.now())
        with self.tower.stage.database.begin() as session:
            self._audits += 1
            self.auditor.finish(session, Task("wrk_a", "recurring.oncall.audit", "a", {}, 1, self._audits), found)

    def send_words(self) -> None:
        """Only what waits for the outside."""
        self._do({HEARTBEAT: self.heartbeat})

    def work(self) -> None:
        """Everything that is due of every kind that is done still."""
        of_time = jobs.handlers(self.tower.clock, self.tower.alerting)
        handlers = {**of_time, **self.tower.handlers(), HEARTBEAT: self.heartbeat}
        self._do({kind: one for kind, one in handlers.items() if not kind.startswith(self.stopped or ("-",))})

    def _do(self, handlers: Mapping[str, Any]) -> None:
        database = self.tower.stage.database
        while True:
            with database.begin() as session:
                tasks = work_store.lease(session, tuple(handlers), now=self.tower.clock.now(), length=LEASE, most=10)
            if not tasks:
                return
            for task in tasks:
                result = handlers[task.kind].act(task)
                with database.begin() as session:
                    assert work_store.mark_done(session, task, now=self.tower.clock.now())
                    handlers[task.kind].finish(session, task, result)

    def live(self, length: timedelta) -> None:
        """Time goes by, and every ten seconds what is due is done; pings reach the check."""
        for _ in range(int(length / TICK)):
            now = self.tower.clock.now()
            self.tower.clock.advance(TICK)
            self._ticks += 1
            if self.frozen:
                self.tower.clock.jump(now)
            if self._ticks % 6 == 1:
                self.probe()
            self.work()
            if self._ticks % 3 == 0:
                self.audit()
            self.work()
            self._hear(self.tower.clock.now())

    def until_down(self, longest: timedelta = timedelta(minutes=5)) -> str | None:
        """Live until the check is down, which must not take longer; answers what it was told, None for silence."""
        for _ in range(int(longest / TICK)):
            self.live(TICK)
            if self.check.is_down(self.tower.clock.now()):
                return self.check.told
        raise AssertionError(f"nobody outside noticed within {longest}")

    def is_heard(self) -> bool:
        """Whether the outside hears that all is well, after some time of it."""
        self.live(timedelta(minutes=3))
        return not self.check.is_down(self.tower.clock.now())

    def probes(self) -> list[Probe]:
        with self.tower.stage.database.read() as session:
            return store_probes.latest(session)

    def pings(self) -> list[tuple[str, bytes]]:
        """What the outside was sent since the last time."""
        found = [one for one in self.tower.provider.asked if one.path.startswith("/ping/")]
        for one in found:
            self.tower.provider.asked.remove(one)
        return [(one.path, one.body) for one in found]

    def _hear(self, at: datetime) -> None:
        for path, body in self.pings():
            self.check.hear(path, body, at)

    def _recurring(self, handler: Any) -> None:
        task = Task("wrk_p", "recurring.oncall.probe", "p", {}, 1, 1)
        result = handler.act(task)
        with self.tower.stage.database.begin() as session:
            handler.finish(session, task, result)
