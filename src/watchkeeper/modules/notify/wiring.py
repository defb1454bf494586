"""What `app` needs to put notifications into a server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.mail import Mailer, MailSettings
from watchkeeper.kernel.outbound import Outbound, OutboundSettings
from watchkeeper.kernel.web.pages import NavItem
from watchkeeper.kernel.work import Handler, Recurring, Transactional, Worker
from watchkeeper.modules.notify import pages, pages_channels, routes, store, store_notifications
from watchkeeper.modules.notify.answering import Answering
from watchkeeper.modules.notify.model import ChannelKind
from watchkeeper.modules.notify.providers import Providers
from watchkeeper.modules.notify.public import Owners
from watchkeeper.modules.notify.sending import Sending
from watchkeeper.modules.notify.service import Verbs
from watchkeeper.modules.notify.settings import NotifySettings
from watchkeeper.modules.notify.watch import ChannelWatch

__all__ = ["NAV", "ROUTERS", "STATIC", "TEMPLATES", "ensure_email", "notify_parts", "recurring", "worker"]

ROUTERS = (routes.router, pages.router, pages_channels.router)
NAV: tuple[NavItem, ...] = pages_channels.NAV
TEMPLATES = {"notify": Path(__file__).parent / "templates"}
STATIC: Mapping[str, Path] = {}
# Ten kinds of channels, of which two messages at a time, and as many for what begins the next way and for the word to
# the outside: when the providers of every kind hang at once, there is a thread left for each of those.
_THREADS, _OF_A_KIND = 24, 2
_LEASE = timedelta(seconds=10)


def notify_parts(
    db: Database,
    clock: Clock,
    key: InstallationKey,
    settings: NotifySettings,
    outbound: OutboundSettings,
    mail: MailSettings,
    owners: Owners,
) -> dict[Any, Any]:
    """The parts of a server."""
    way_out = Outbound.of(outbound)
    sending = Sending(db, clock, key, settings, Providers(Mailer(mail), way_out, clock), owners)
    return {
        Verbs: Verbs(clock, key, way_out),
        Sending: sending,
        NotifySettings: settings,
        Owners: owners,
        ChannelWatch: ChannelWatch(db),
        Answering: Answering(key, way_out),
    }


def ensure_email(session: Session, verbs: Verbs, mail: MailSettings) -> None:
    """The channel `email`, as soon as there is an SMTP server to send by."""
    if mail.host is not None and store.channel_named(session, "email") is None:
        verbs.on(session).put_channel(
            "email", ChannelKind.EMAIL, settings={}, secrets={}, by="system:notify", source="start"
        )


def worker(db: Database, clock: Clock, sending: Sending, beside: Mapping[str, Handler] | None = None) -> Worker:
    """A pool of its own. A killed one's messages are sent by another after the lease of ten seconds.

    `beside`: handlers of others whose work takes the same way.
    """
    return Worker(
        db,
        clock,
        {**sending.handlers(), **(beside or {})},
        lane="notify",
        threads=_THREADS,
        most_of_kind=_OF_A_KIND,
        lease=_LEASE,
    )


def recurring(clock: Clock, settings: NotifySettings) -> list[Recurring]:
    """Work that keeps what is stored small."""

    def forget(session: Session, _task: work.Task) -> None:
        store_notifications.forget(session, before=clock.now() - timedelta(days=settings.kept_days))

    return [Recurring("notify.forget", timedelta(days=1), Transactional(forget))]
