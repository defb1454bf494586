"""Answers to pages over the way they came: a text message, a key of the phone, a button in Slack."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session

from watchkeeper.kernel import work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.journal import FactFilter, read_facts
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import Alerting, GroupState
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.notify.public import Answering, Channel, Contact
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.paging.calling import BY, tell
from watchkeeper.modules.oncall.paging.errors import SignatureRefused
from watchkeeper.modules.oncall.paging.events import ReplyRefused, ReplyTaken
from watchkeeper.modules.oncall.paging.links import Links
from watchkeeper.modules.oncall.paging.model import Page

AMEND = "oncall.amend"
MOST_WRONG, WITHIN = 5, timedelta(minutes=15)
# The same for a wrong number, a wrong code, and too many of them: it tells nobody which.
NEUTRAL = "Watchkeeper knows no open page by this. Sign in to look."
_TAKE = frozenset({"1", "ack", "acknowledge"})
_END = frozenset({"2", "resolve", "resolved"})
Wanted = Literal["acknowledge", "resolve"]


def parse(text: str) -> tuple[Wanted, str] | None:
    """What a text message asks for, and its code; a code alone acknowledges. None for anything else."""
    words = text.casefold().split()
    if len(words) == 1:
        words = ["1", *words]
    if len(words) != 2 or not (words[1].isascii() and words[1].isdecimal() and len(words[1]) == 6):
        return None
    return ("acknowledge", words[1]) if words[0] in _TAKE else ("resolve", words[1]) if words[0] in _END else None


class Seen:
    """Signatures of the last minutes: each is good once. What another replica saw is not known here, and harmless: an
    answer to a page counts only while the page is open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, datetime] = {}

    def require_new(self, signature: str, now: datetime) -> None:
        """Raises SignatureRefused."""
        with self._lock:
            self._known = {one: at for one, at in self._known.items() if now - at < WITHIN}
            if signature in self._known:
                raise SignatureRefused("This request came already.")
            self._known[signature] = now


@dataclass(frozen=True)
class Replies:
    """Verbs; each takes the session of whoever owns the transaction."""

    clock: Clock
    alerting: Alerting
    links: Links
    seen: Seen = field(default_factory=Seen)

    def by_text(self, session: Session, answering: Answering, channel: Channel, sender: str, text: str) -> str:
        """What a text message from a number asks for, done if its code is that of an open page of its owner's."""
        contact, asked = answering.contact_at(session, channel.id, sender), parse(text)
        if contact is None or self._is_limited(session, contact):
            return self._refuse(session, channel, contact)
        page = self._page_of_code(session, contact, asked[1]) if asked is not None else None
        if asked is None or page is None:
            return self._refuse(session, channel, contact)
        return self._take(session, page, contact.person_id, channel, "sms", asked[0])

    def by_key(self, session: Session, channel: Channel, secret: str, digits: str) -> str:
        """4 acknowledges the page that a call was about."""
        page = self._page_of_secret(session, secret)
        if page is None or page.person_id is None:
            return self._refuse(session, channel, None)
        if digits != "4":
            return "It stays open."
        return self._take(session, page, page.person_id, channel, "voice", "acknowledge")

    def by_button(
        self, session: Session, answering: Answering, channel: Channel, user: str, secret: str, place: str, ts: str
    ) -> None:
        """Whoever pressed it has it; the message then says so. Others are told, by themselves, what to do instead."""
        contact, page = answering.contact_at(session, channel.id, user), self._page_of_secret(session, secret)
        if contact is None or page is None:
            said = self._refuse(session, channel, contact)
            self._amend(session, channel, place, ts, user=user, text=said)
            return
        self._take(session, page, contact.person_id, channel, "slack", "acknowledge")
        self._amend(session, channel, place, ts, group=page.group_id)

    def _take(self, session: Session, page: Page, person: str, channel: Channel, source: str, wanted: Wanted) -> str:
        group, now = alerts.group(session, page.group_id), self.clock.now()
        staff = next((one for one in identity.staff(session) if one.id == person), None)
        if group is None or staff is None or not staff.active or not staff.responds:
            return self._refuse(session, channel, None)
        if wanted == "resolve" and group.is_open:
            group = self.alerting.resolve(
                session, group.id, by=person, at=now, source=source, reason="by a text message"
            )
        elif group.status == "triggered":
            group = self.alerting.acknowledge(session, group.id, by=person, at=now, source=source)
        fact = ReplyTaken(group=group.id, service_name=group.service, page=page.id, channel=channel.name, wanted=wanted)
        tell(session, fact, now, by=person, source=source)
        return _told(session, group, person)

    def _page_of_code(self, session: Session, contact: Contact, code: str) -> Page | None:
        for page in store.latest(session, person_id=contact.person_id, open_only=True):
            if self.links.is_code(code, page.id, contact.id):
                return page
        return None

    def _page_of_secret(self, session: Session, secret: str) -> Page | None:
        page_id = self.links.page_of(secret[:200])
        page = store.page(session, page_id) if page_id is not None else None
        return page if page is not None and page.is_open else None

    def _is_limited(self, session: Session, contact: Contact) -> bool:
        wanted = FactFilter(kinds=(ReplyRefused.kind,), subjects=(contact.id,), since=self.clock.now() - WITHIN)
        return len(read_facts(session, wanted, limit=MOST_WRONG)) >= MOST_WRONG

    def _refuse(self, session: Session, channel: Channel, contact: Contact | None) -> str:
        fact = ReplyRefused(channel=channel.name, contact=contact.id if contact is not None else None)
        tell(session, fact, self.clock.now(), by=BY, source="integration")
        return NEUTRAL

    def _amend(self, session: Session, channel: Channel, place: str, ts: str, **said: str) -> None:
        work.enqueue(
            session,
            kind=AMEND,
            key=f"{AMEND}:{channel.id}:{place}:{ts}:{said.get('user', '')}",
            due_at=self.clock.now(),
            payload={"channel": channel.id, "place": place, "ts": ts, **said},
        )


def _told(session: Session, group: GroupState, person: str) -> str:
    if not group.is_open:
        return "It is resolved."
    if group.acknowledged_by == person:
        return "You have it now. Nobody else is called."
    names = identity.names(session, [group.acknowledged_by]) if group.acknowledged_by else {}
    return f"{names.get(group.acknowledged_by or '', 'Somebody')} has it."
