"""What everybody has to know of paging, above every page and on `/metrics`; kept in memory, as every page asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.telemetry import metrics
from watchkeeper.kernel.telemetry.metrics import GaugeValues
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.kept_fresh import KeptFresh
from watchkeeper.kernel.web.pages import Banner
from watchkeeper.modules.oncall.paging import store, store_probes
from watchkeeper.modules.oncall.paging.model import Probe, Watch
from watchkeeper.modules.oncall.paging.outside import OLD, outside
from watchkeeper.modules.oncall.permissions import VIEW_ONCALL
from watchkeeper.modules.oncall.settings import OncallSettings


class PagingWatch(KeptFresh):
    """A BannerSource. Silent for whoever has no policy yet: they do not page."""

    looks_at = "paging"

    def __init__(self, db: Database, clock: Clock, settings: OncallSettings) -> None:
        super().__init__(db)
        self._clock, self._settings = clock, settings
        self._banners: tuple[Banner, ...] = ()
        self._watch: Watch | None = None
        self._probe: Probe | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """And its gauges are on `/metrics` while the block lasts."""
        told = [
            metrics.gauge_callback(name, description, lambda read=read: read(self))  # type: ignore[misc]
            for name, description, read in _GAUGES
        ]
        try:
            async with super().running():
                yield
        finally:
            for forget in told:
                forget()

    def look(self, session: Session) -> None:
        """See how paging does now."""
        watch, now = store.watch(session), self._clock.now()
        self._watch, self._probe = watch, store_probes.last_through(session)
        found = []
        if watch is not None and watch.findings:
            found.append(Banner("danger", f"Paging: {'; '.join(watch.findings[:3])}.", "/oncall/pages"))
        if watch is not None and now - watch.looked_at > OLD:
            found.append(Banner("danger", "Paging was not checked for two minutes: its worker does not run.", None))
        if (wrong := outside(session, self._settings, now).wrong) is not None:
            found.append(Banner("danger" if self._settings.heartbeat_url else "warning", wrong, "/oncall/pages"))
        self._banners = tuple(found)

    def banners(self, actor: Actor) -> list[Banner]:
        """The worst first."""
        return list(self._banners) if actor.may(VIEW_ONCALL) else []

    def findings(self) -> int:
        """How much the last audit found."""
        return len(self._watch.findings) if self._watch is not None else 0

    def ages(self) -> Iterable[tuple[Mapping[str, str], float]]:
        """Seconds since the last of each; nothing of what never was."""
        last = {
            "audit": self._watch.looked_at if self._watch is not None else None,
            "heartbeat": self._watch.heartbeat_at if self._watch is not None else None,
            "synthetic_page": self._probe.sent_at if self._probe is not None else None,
        }
        return [({"of": name}, self._since(at)) for name, at in last.items() if at is not None]

    def stages(self) -> Iterable[tuple[Mapping[str, str], float]]:
        """Seconds that the last synthetic page took in each stage."""
        found = self._probe.stages if self._probe is not None else ()
        return [({"stage": name}, took.total_seconds()) for name, took in found]

    def _since(self, at: datetime) -> float:
        return (self._clock.now() - at).total_seconds()


_GAUGES: tuple[tuple[str, str, Callable[[PagingWatch], GaugeValues]], ...] = (
    ("watchkeeper.paging.findings", "What the last audit of paging found wrong.", PagingWatch.findings),
    (
        "watchkeeper.paging.age_seconds",
        "Since the last audit, heartbeat that was taken, and synthetic page that came through.",
        PagingWatch.ages,
    ),
    ("watchkeeper.paging.synthetic_seconds", "What the last synthetic page took, by stage.", PagingWatch.stages),
)
