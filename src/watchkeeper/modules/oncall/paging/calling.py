"""Calling: pages and their messages for the people of one step, in one transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.alerts.public import GroupState
from watchkeeper.modules.notify import public as notify
from watchkeeper.modules.notify.public import Message, Order
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.paging.events import ChannelPaged, PersonPaged
from watchkeeper.modules.oncall.paging.model import Call, Page, Run

ABOUT = "alert_group"
BY = "system:oncall"


def call_of(page_id: str) -> str:
    """The call of a page, by which its messages are known."""
    return f"page:{page_id}"


def page_of(call: str) -> str:
    """The page of a call."""
    return call.removeprefix("page:")


def tell(session: Session, fact: Event, at: datetime, *, by: str = BY, source: str = "worker") -> None:
    """Append a fact."""
    journal.append(session, fact, by=by, source=source, at=at)


def place(session: Session, run: Run, group: GroupState, call: Call, base_url: str, at: datetime) -> int:
    """Page everybody of a step; answers how many people there is a way to. Doing it again adds nothing."""
    reachable = 0
    for person in call.people:
        page = _page(run, call, at, person_id=person, why=call.reasons.get(person, "called"))
        if not store.add_page(session, page):
            reachable += 1
            continue
        sent = notify.notify(session, order_of(group, page, base_url), person, at=at)
        store.set_messages(session, page.id, sent)
        reachable += bool(sent)
        tell(
            session,
            PersonPaged(
                group=group.id, service_name=group.service, page=page.id, person=person, why=page.why, messages=sent
            ),
            at,
        )
    for channel in call.channels:
        page = _page(run, call, at, channel=channel, why="named by the policy")
        if store.add_page(session, page):
            found = notify.notify_channel(session, order_of(group, page, base_url), channel, at=at)
            store.set_messages(session, page.id, int(found))
            fact = ChannelPaged(group=group.id, service_name=group.service, page=page.id, channel=channel, found=found)
            if not group.is_synthetic:
                tell(session, fact, at)
    return reachable


def order_of(group: GroupState, page: Page, base_url: str) -> Order:
    """The message of a page."""
    alerts = f"{group.alert_count} alerts" if group.alert_count != 1 else "1 alert"
    return Order(
        call=call_of(page.id),
        about_type=ABOUT,
        about_id=group.id,
        urgency="high" if group.urgency == "high" else "low",
        kind="page",
        message=message_of(group, f"{alerts}, since {group.opened_at:%Y-%m-%d %H:%M} UTC. You: {page.why}.", base_url),
        service=group.service,
    )


def message_of(group: GroupState, text: str, base_url: str) -> Message:
    """What is said of a group, with the link to it."""
    return Message(
        title=group.title or "An alert",
        text=text,
        severity=str(group.severity),
        service=group.service or "",
        url=f"{base_url}/alerts/{group.id}",
        state="triggered" if group.status == "triggered" else "acknowledged" if group.is_open else "resolved",
    )


def _page(
    run: Run, call: Call, at: datetime, *, why: str, person_id: str | None = None, channel: str | None = None
) -> Page:
    return Page(
        id=new_id("pag"),
        group_id=run.group_id,
        generation=run.generation,
        round=call.turn.round,
        number=call.turn.number,
        until=call.until,
        person_id=person_id,
        channel=channel,
        why=why,
        called_at=at,
    )
