"""What notifications ask of paging: whether a page is wanted still, its links, what follows when nobody is reached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.notify.public import Action, Notification
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.paging.calling import ABOUT
from watchkeeper.modules.oncall.paging.engine import Engine, page_id_of
from watchkeeper.modules.oncall.paging.links import Links
from watchkeeper.modules.oncall.paging.probing import came_through


@dataclass(frozen=True)
class PageOwner:
    """An Owner of notifications about groups of alerts."""

    clock: Clock
    engine: Engine
    links: Links
    about_type: str = ABOUT

    def not_wanted(self, session: Session, notification: Notification) -> str | None:
        """Acknowledged, resolved, kept quiet, somebody else's: then nobody is woken for it."""
        group = alerts.group(session, notification.about_id)
        if group is None:
            return "there is no such alert group any more"
        page_id = page_id_of(notification.call)
        if page_id is None:
            return None
        page = store.page(session, page_id)
        if page is None:
            return "there is no such page any more"
        if page.ended_at is not None:
            return page.ended_because
        if not group.is_open:
            return "resolved"
        if group.suppressed is not None:
            return f"kept quiet by {group.suppressed.value}"
        if page.until == "acknowledged" and group.status == "acknowledged":
            return "somebody has it"
        if group.snoozed_until is not None and group.snoozed_until > self.clock.now():
            return "snoozed"
        return None

    def actions(self, session: Session, notification: Notification) -> tuple[Action, ...]:  # noqa: ARG002
        """The link that acknowledges, after a confirmation, and what does so by an answer."""
        page_id, contact_id = page_id_of(notification.call), notification.contact_id
        if page_id is None:
            return ()
        made = Action(
            "Acknowledge",
            self.links.url_of(page_id),
            secret=self.links.secret_of(page_id),
            code=self.links.code_of(page_id, contact_id) if contact_id is not None else "",
            phone_url=self.links.phone_url_of(page_id),
        )
        return (made,)

    def delivered(self, session: Session, notification: Notification, at: datetime) -> None:
        """Of a synthetic page: it came through."""
        page_id = page_id_of(notification.call)
        page = store.page(session, page_id) if page_id is not None and notification.person_id is None else None
        group = alerts.group(session, page.group_id) if page is not None else None
        if page is not None and group is not None and group.is_synthetic:
            came_through(session, self.engine.alerting, group, page, notification, at)

    def not_reached(self, session: Session, notification: Notification, at: datetime) -> None:
        """The next step begins at once."""
        page_id = page_id_of(notification.call)
        if page_id is not None:
            self.engine.lost(session, page_id, at)
