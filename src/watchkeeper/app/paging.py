"""Alerts, on-call and notifications put together: from a symptom to a person who has it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from watchkeeper.app.configuration import Configuration
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.loopback import ask_address, ask_app
from watchkeeper.kernel.web.pages import BadgeSource, BannerSource
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.kernel.work import Recurring, Worker
from watchkeeper.modules.alerts import synthetic
from watchkeeper.modules.alerts import wiring as alerts
from watchkeeper.modules.alerts.public import Alerting, GroupWatchers
from watchkeeper.modules.incidents.wiring import IncidentOwner
from watchkeeper.modules.notify import public as notify
from watchkeeper.modules.notify import wiring as notifying
from watchkeeper.modules.notify.sending import Sending
from watchkeeper.modules.notify.service import Verbs
from watchkeeper.modules.notify.settings import NotifySettings
from watchkeeper.modules.notify.watch import ChannelWatch
from watchkeeper.modules.oncall import wiring as oncall
from watchkeeper.modules.oncall.paging import wiring as calling
from watchkeeper.modules.oncall.paging.auditor import Auditor, Heartbeat
from watchkeeper.modules.oncall.paging.engine import Engine, Watcher
from watchkeeper.modules.oncall.paging.owner import PageOwner
from watchkeeper.modules.oncall.paging.probing import Prober
from watchkeeper.modules.oncall.paging.replies import Replies
from watchkeeper.modules.oncall.paging.watching import PagingWatch
from watchkeeper.modules.oncall.settings import OncallSettings

ROUTERS = (*oncall.ROUTERS, *notifying.ROUTERS, *alerts.ROUTERS)
HOT = alerts.HOT
apps = alerts.apps
listeners = alerts.listeners


def paging_parts(
    configuration: Configuration, db: Database, clock: Clock, key: InstallationKey, own_url: str | None
) -> dict[Any, Any]:
    """The parts of a server. Each module tells the one above by what that one put in here.

    `own_url`: where this process listens, at which its synthetic pages come in as all alerts do. Without one they come
    in by the same app with no socket before it: an address made up from settings could be another server's.
    """
    server = configuration.server
    base_url = (server.base_url or own_url or f"http://{server.host}:{server.port}").rstrip("/")
    of_alerts = alerts.alert_parts(db, clock, configuration.alerts, GroupWatchers((Watcher(),)))
    app = alerts.events_app(of_alerts, db, clock)
    knock = partial(ask_address, own_url) if own_url is not None else partial(ask_app, app)
    of_oncall = calling.paging_parts(
        db,
        clock,
        key,
        configuration.oncall,
        configuration.outbound,
        of_alerts[Alerting],
        base_url,
        (synthetic.key_of(key), knock),
    )
    owners = notify.Owners((of_oncall[PageOwner], IncidentOwner()))
    of_notify = notifying.notify_parts(
        db, clock, key, configuration.notify, configuration.outbound, configuration.mail, owners
    )
    return {**of_alerts, **of_oncall, **of_notify}


def banners(parts: dict[Any, Any]) -> tuple[BannerSource, ...]:
    """What everybody has to know of them."""
    return parts[ChannelWatch], parts[PagingWatch]


def badges(parts: dict[Any, Any]) -> tuple[BadgeSource, ...]:
    """What waits on their pages."""
    return (parts[alerts.OpenGroups],)


def workers(parts: Parts, db: Database, clock: Clock) -> tuple[Worker, ...]:
    """Lanes of their own: what time changes of alerts, who is called, what is sent."""
    beside = calling.beside_messages(db, parts[Heartbeat], parts[Replies], parts[notify.Answering])
    return (
        alerts.worker(parts, db, clock),
        calling.worker(db, clock, parts[Engine], parts[Auditor], parts[Prober]),
        notifying.worker(db, clock, parts[Sending], beside),
    )


def recurring(parts: Parts, clock: Clock) -> list[Recurring]:
    """Work that keeps what is stored small."""
    return [
        *notifying.recurring(clock, parts[NotifySettings]),
        *calling.recurring(clock, parts[OncallSettings]),
    ]


@asynccontextmanager
async def running(parts: Parts, db: Database) -> AsyncIterator[None]:
    """What looks again and again while the block lasts."""
    mail = parts[Configuration].mail
    await db.write(lambda session: notifying.ensure_email(session, parts[Verbs], mail))
    routing_key = parts[Prober].routing_key
    await db.write(lambda session: synthetic.ensure(session, routing_key, at=parts[Prober].clock.now()))
    async with (
        parts[ChannelWatch].running(),
        parts[PagingWatch].running(),
        parts[alerts.OpenGroups].running(),
    ):
        yield
