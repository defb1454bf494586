"""What `app` needs to put paging into a server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.outbound import Outbound, OutboundSettings
from watchkeeper.kernel.work import Recurring, Transactional, Worker
from watchkeeper.modules.alerts.public import Alerting
from watchkeeper.modules.notify.public import Answering
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.paging.amending import Amending
from watchkeeper.modules.oncall.paging.auditor import HEARTBEAT, Auditor, Heartbeat
from watchkeeper.modules.oncall.paging.engine import Engine
from watchkeeper.modules.oncall.paging.links import Links
from watchkeeper.modules.oncall.paging.owner import PageOwner
from watchkeeper.modules.oncall.paging.probing import Knock, Prober
from watchkeeper.modules.oncall.paging.replies import AMEND, Replies
from watchkeeper.modules.oncall.paging.verbs import Paging
from watchkeeper.modules.oncall.paging.watching import PagingWatch
from watchkeeper.modules.oncall.settings import OncallSettings

_LEASE = timedelta(seconds=10)
_THREADS = 4


def paging_parts(
    db: Database,
    clock: Clock,
    key: InstallationKey,
    settings: OncallSettings,
    outbound: OutboundSettings,
    alerting: Alerting,
    base_url: str,
    door: tuple[str, Knock],
) -> dict[Any, Any]:
    """The parts of a server. `door`: the routing key of synthetic pages, and how this server is asked."""
    engine, links = Engine(clock, alerting, base_url), Links(key, base_url)
    return {
        Engine: engine,
        Paging: Paging(clock, alerting, engine, links),
        PageOwner: PageOwner(clock, engine, links),
        Replies: Replies(clock, alerting, links),
        Auditor: Auditor(db, clock, settings, since=clock.monotonic()),
        Prober: Prober(db, clock, settings, alerting, *door),
        Heartbeat: Heartbeat(clock, settings, Outbound.of(outbound)),
        PagingWatch: PagingWatch(db, clock, settings),
        OncallSettings: settings,
    }


def worker(db: Database, clock: Clock, engine: Engine, auditor: Auditor, prober: Prober) -> Worker:
    """A pool of its own. What a killed one held is taken over by another after the lease of ten seconds."""
    return Worker(
        db,
        clock,
        engine.handlers(),
        recurring=[auditor.recurring(), prober.recurring()],
        lane="paging",
        threads=_THREADS,
        lease=_LEASE,
    )


def beside_messages(db: Database, heartbeat: Heartbeat, replies: Replies, answering: Answering) -> Mapping[str, Any]:
    """Handlers that run in the lane of messages: the word to the outside takes their way."""
    return {HEARTBEAT: heartbeat, AMEND: Amending(db, answering, replies.links.base_url)}


def recurring(clock: Clock, settings: OncallSettings) -> list[Recurring]:
    """Work that keeps what is stored small."""

    def forget(session: Session, _task: work.Task) -> None:
        store.forget(session, before=clock.now() - timedelta(days=settings.kept_days))

    return [Recurring("oncall.forget", timedelta(days=1), Transactional(forget))]
