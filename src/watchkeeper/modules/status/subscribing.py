"""The verbs of subscribers. What is answered is the same for an address that is known and for one that is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.kernel.journal.origin import Origin, coming_from
from watchkeeper.kernel.outbound import Outbound
from watchkeeper.modules.status import store, store_subscribers
from watchkeeper.modules.status.errors import LinkUnusable, StatusInvalid
from watchkeeper.modules.status.events import DeliveryGivenUp, Subscribed, SubscriberDeactivated, Unsubscribed
from watchkeeper.modules.status.sending import HELLO, Outcome
from watchkeeper.modules.status.settings import StatusSettings
from watchkeeper.modules.status.subscribers import LinkTo, Sealing, Subscriber, SubscriberState, Way, is_email

# An address gets no more than one unasked message in so long, however often somebody types it in.
PAUSE = timedelta(hours=1)
INACTIVE_KEPT = timedelta(days=90)
SOMEBODY = "system:subscriber"
LONGEST_URL = 500


@dataclass(frozen=True)
class Subscribing:
    """On one session."""

    session: Session
    clock: Clock
    settings: StatusSettings
    sealing: Sealing
    outbound: Outbound

    def ask(self, kind: Way, address: str, components: Sequence[str] = ()) -> None:
        """Somebody wants news to be sent there: a message asks whoever reads it to confirm.

        Raises StatusInvalid or DestinationRefused for what is no address, whoever has it.
        """
        address = self._require_sound(kind, address, components)
        now = self.clock.now()
        digest = self.sealing.digest(kind, address)
        subscriber_id = new_id("sub")
        fresh = Subscriber(
            id=subscriber_id,
            kind=kind,
            digest=digest,
            address=self.sealing.seal(subscriber_id, address),
            components=tuple(dict.fromkeys(components)),
            state=SubscriberState.PENDING,
            asked_at=now,
        )
        if store_subscribers.add(self.session, fresh):
            self._greet(fresh, now)
            return
        known = store_subscribers.by_digest(self.session, digest)
        if known is None or known.asked_at > now - PAUSE:
            return
        asked = replace(known, asked_at=now)
        if known.state is not SubscriberState.ACTIVE:
            asked = replace(asked, components=fresh.components, state=SubscriberState.PENDING, inactive_since=None)
        store_subscribers.put(self.session, asked)
        self._greet(asked, now)

    def confirm(self, token: str) -> Subscriber:
        """Whoever reads what is sent there wants it; harmless when repeated. Raises LinkUnusable."""
        found = self._of_link(LinkTo.CONFIRM, token)
        now = self.clock.now()
        if found.state is SubscriberState.ACTIVE:
            return found
        if found.state is SubscriberState.INACTIVE or self._oldest(now) > found.asked_at:
            raise LinkUnusable("This link is too old, or was used and given up since. Subscribe again.")
        confirmed = replace(found, state=SubscriberState.ACTIVE, confirmed_at=now, refusals=0, inactive_since=None)
        store_subscribers.put(self.session, confirmed)
        self._tell(Subscribed(subscriber=found.id, by_kind=found.kind.value))
        return confirmed

    def unsubscribe(self, token: str) -> None:
        """Nothing is sent there any more and the address is forgotten; harmless when repeated. Raises LinkUnusable."""
        subscriber_id = self.sealing.subscriber_in(LinkTo.UNSUBSCRIBE, token)
        if subscriber_id is None:
            raise LinkUnusable("This link was not made here. Take the newest message's.")
        found = store_subscribers.by_id(self.session, subscriber_id, lock=True)
        if found is not None and store_subscribers.remove(self.session, subscriber_id):
            self._tell(Unsubscribed(subscriber=subscriber_id, by_kind=found.kind.value))

    def took(self, outcome: Outcome) -> None:
        """What became of a delivery: too many refusals for good, one after the other, and nothing is sent any more."""
        if outcome.given_up:
            self._tell(DeliveryGivenUp(subscriber=outcome.subscriber, by_kind=outcome.kind.value))
            return
        found = store_subscribers.by_id(self.session, outcome.subscriber, lock=True)
        if found is None or found.state is SubscriberState.INACTIVE or (not outcome.refused and not found.refusals):
            return
        refusals = found.refusals + 1 if outcome.refused else 0
        counted = replace(found, refusals=refusals)
        if refusals >= self.settings.refusals_until_inactive:
            counted = replace(counted, state=SubscriberState.INACTIVE, inactive_since=self.clock.now())
            self._tell(SubscriberDeactivated(subscriber=found.id, by_kind=found.kind.value, refusals=refusals))
        store_subscribers.put(self.session, counted)

    def forget(self) -> None:
        """Delete what nobody confirmed in time and what has been inactive for 90 days."""
        now = self.clock.now()
        store_subscribers.forget(self.session, asked_before=self._oldest(now), inactive_before=now - INACTIVE_KEPT)

    def of_link(self, to: LinkTo, token: str) -> Subscriber:
        """Whose link it is, changing nothing. Raises LinkUnusable."""
        return self._of_link(to, token)

    def _of_link(self, to: LinkTo, token: str) -> Subscriber:
        subscriber_id = self.sealing.subscriber_in(to, token)
        found = store_subscribers.by_id(self.session, subscriber_id) if subscriber_id else None
        if found is None:
            raise LinkUnusable("This link was not made here, or is too old. Subscribe again.")
        return found

    def _greet(self, one: Subscriber, now: datetime) -> None:
        kind, key = HELLO[one.kind], f"{HELLO[one.kind]}:{one.id}:{int(now.timestamp())}"
        work.enqueue(self.session, kind=kind, key=key, due_at=now, payload={"subscriber": one.id})

    def _oldest(self, now: datetime) -> datetime:
        return now - timedelta(hours=self.settings.confirmation_hours)

    def _require_sound(self, kind: Way, address: str, components: Sequence[str]) -> str:
        complaints = []
        if kind is Way.EMAIL and not is_email(address):
            complaints.append(Complaint("address", "an e-mail address such as ada@example.org"))
        if kind is Way.WEBHOOK and len(address) > LONGEST_URL:
            complaints.append(Complaint("address", f"a URL of at most {LONGEST_URL} characters"))
        known = {one.id for one in store.components(self.session)} if components else set()
        if not set(components) <= known:
            complaints.append(Complaint("components", "components of the page"))
        if complaints:
            raise StatusInvalid("Nothing can be sent there.", complaints=complaints)
        return str(self.outbound.require(address)) if kind is Way.WEBHOOK else address

    def _tell(self, fact: Event) -> None:
        # Where a reader of the page sits is nobody's business, the record's neither.
        with coming_from(Origin()):
            journal.append(self.session, fact, by=SOMEBODY, source="status page", at=self.clock.now())
