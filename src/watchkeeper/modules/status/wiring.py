"""What `app` needs to put status pages into a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session
from starlette.types import ASGIApp

from watchkeeper.kernel import work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.mail import Mailer, MailSettings
from watchkeeper.kernel.outbound import Outbound, OutboundSettings
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.kernel.work import Backoff, Recurring, Transactional, Worker
from watchkeeper.modules.status import pages, pages_parts, pages_public, routes
from watchkeeper.modules.status.apps import status_apps
from watchkeeper.modules.status.keeping import Keeper
from watchkeeper.modules.status.letters import Links
from watchkeeper.modules.status.listeners import listeners
from watchkeeper.modules.status.maintaining import TURN, Maintaining
from watchkeeper.modules.status.model import PageSaid, Turn
from watchkeeper.modules.status.ops import OPS_KINDS
from watchkeeper.modules.status.pages_public import Desk
from watchkeeper.modules.status.rates import Rates
from watchkeeper.modules.status.sending import LANE, MOST_ATTEMPTS, Outcome, Post
from watchkeeper.modules.status.settings import StatusSettings
from watchkeeper.modules.status.showing import Where
from watchkeeper.modules.status.snapshot import page_said
from watchkeeper.modules.status.subscribers import Sealing
from watchkeeper.modules.status.waiting import WaitingDrafts

__all__ = [
    "NAV",
    "OPS_KINDS",
    "ROUTERS",
    "TEMPLATES",
    "WaitingDrafts",
    "exact",
    "listeners",
    "recurring",
    "running",
    "status_parts",
    "worker",
]

ROUTERS = (routes.router, pages.router, pages_parts.router, pages_public.router)
NAV = pages.NAV
TEMPLATES = {"status": Path(__file__).parent / "templates"}
# One more than is ever tried: a delivery that fails so often is given up by its handler, which tells whose it was.
_BACKOFF = Backoff(first=timedelta(seconds=5), longest=timedelta(hours=1), most_attempts=MOST_ATTEMPTS + 1)
_THREADS = 10


def status_parts(
    db: Database,
    clock: Clock,
    key: InstallationKey,
    settings: StatusSettings,
    outbound: OutboundSettings,
    mail: MailSettings,
    *,
    folder: Path,
    base_url: str,
) -> dict[Any, Any]:
    """The parts of a server. `folder`: where the last rendering is kept; `base_url`: where this server is reached."""
    sealing, way_out, mailer = Sealing(key), Outbound.of(outbound), Mailer(mail)

    def where(said: PageSaid) -> Where:
        url = said.url or f"{base_url}/status"
        return Where(url=url, rss_url=f"{base_url}/status/history.rss", atom_url=f"{base_url}/status/history.atom")

    def links(session: Session) -> Links:
        said = page_said(session)
        return Links(said.title, said.url or f"{base_url}/status", base_url, said.support_url)

    return {
        StatusSettings: settings,
        WaitingDrafts: WaitingDrafts(db),
        Keeper: Keeper(db, clock, folder, where),
        Desk: Desk(settings, sealing, way_out, Rates(clock), mailer.is_set_up),
        Post: Post(db, clock, sealing, mailer, way_out, links),
    }


def exact(parts: Parts) -> dict[str, ASGIApp]:
    """What the public asks for, each by its one path."""
    return dict(status_apps(parts[Keeper], private=parts[StatusSettings].needs_sign_in))


def worker(parts: Parts, db: Database, clock: Clock) -> Worker:
    """A lane of its own: mail servers and webhooks that hang hold up each other at most, and no page."""
    desk = parts[Desk]

    def took(session: Session, outcome: Outcome) -> None:
        desk.on(session, clock).took(outcome)

    def turned(session: Session, task: work.Task) -> None:
        Maintaining(session, clock).turned(str(task.payload["maintenance"]), Turn(task.payload["turn"]))

    handlers = {**parts[Post].handlers(took), TURN: Transactional(turned)}
    return Worker(db, clock, handlers, lane=LANE, threads=_THREADS, most_of_kind=2, backoff=_BACKOFF)


def recurring(parts: Parts, clock: Clock) -> list[Recurring]:
    """Stretches of weekly maintenance that have come near, and subscriptions that nobody confirmed."""
    desk = parts[Desk]

    def look_ahead(session: Session, _task: work.Task) -> None:
        Maintaining(session, clock).look_ahead()

    def forget(session: Session, _task: work.Task) -> None:
        desk.on(session, clock).forget()

    return [
        Recurring("status.look_ahead", timedelta(minutes=10), Transactional(look_ahead)),
        Recurring("status.forget", timedelta(hours=1), Transactional(forget)),
    ]


@asynccontextmanager
async def running(parts: Parts) -> AsyncIterator[None]:
    """The page is rendered anew, and drafts are counted, while the block lasts."""
    async with parts[Keeper].running(), parts[WaitingDrafts].running():
        yield
