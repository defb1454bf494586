"""The verbs of channels, contacts and rules. A verb never commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.outbound import DestinationRefused, Outbound
from watchkeeper.modules.notify import codes, ordering, store
from watchkeeper.modules.notify.channels import SPECS, checked
from watchkeeper.modules.notify.errors import (
    ChannelInUse,
    ChannelInvalid,
    ChannelNotFound,
    CodeRefused,
    ContactInvalid,
    ContactNotFound,
    RulesInvalid,
    TooManyCodes,
)
from watchkeeper.modules.notify.events import (
    ChannelPut,
    ChannelRemoved,
    ContactAdded,
    ContactRemoved,
    ContactVerified,
    RulesChanged,
)
from watchkeeper.modules.notify.message import Message, one_line
from watchkeeper.modules.notify.model import Channel, ChannelKind, Contact, Preferences, Rule, hint_of
from watchkeeper.modules.notify.ordering import Order
from watchkeeper.modules.notify.sealing import seal_address, seal_secrets, secrets_of

MOST_CONTACTS = 20
MOST_RULES = 20
LONGEST_DELAY = timedelta(hours=12)


@dataclass(frozen=True)
class Notify:
    """Verbs on one session."""

    session: Session
    clock: Clock
    key: InstallationKey
    outbound: Outbound

    def put_channel(
        self,
        name: str,
        kind: ChannelKind,
        *,
        settings: Mapping[str, str],
        secrets: Mapping[str, str],
        by: str,
        source: str,
    ) -> Channel:
        """Say a channel, or say it anew; secrets that are not said stay. Raises ChannelInvalid."""
        if kind not in SPECS:
            raise _invalid("kind", f"one of {', '.join(SPECS)}: {kind} is built in")
        spec = SPECS[kind]
        before = store.channel_named(self.session, name, lock=True)
        if before is not None and before.kind is not kind:
            raise _invalid("kind", f"{before.kind}: a channel keeps its kind")
        made = before.id if before is not None else new_id("chn")
        kept = secrets_of(self.key, made, store.sealed_secrets(self.session, made)) if before is not None else {}
        found, complaints = checked(spec.settings, settings, "settings")
        hidden, more = checked(spec.secrets, secrets, "secrets", kept=kept)
        complaints += more
        urls = {name: found.get(name) for name, one in spec.settings.items() if one.is_url}
        urls |= {name: hidden.get(name) for name, one in spec.secrets.items() if one.is_url}
        for where, url in urls.items():
            complaints += self._refused(where, url)
        if complaints:
            raise ChannelInvalid("The channel is not valid.", complaints=complaints)
        changed = _changed(before, found, kept, hidden)
        if before is not None and not changed:
            return before
        now = self.clock.now()
        one = Channel(
            id=made,
            name=name,
            kind=kind,
            settings=found,
            secrets_set=tuple(sorted(hidden)),
            version=before.version + 1 if before is not None else 1,
            updated_at=now,
            updated_by=by,
        )
        store.put_channel(self.session, one, seal_secrets(self.key, made, hidden))
        self._tell(ChannelPut(channel=name, channel_kind=kind, changed=changed if before else []), by=by, source=source)
        return one

    def remove_channel(self, name: str, *, by: str, source: str) -> None:
        """Raises ChannelNotFound, or ChannelInUse while people are reached by it."""
        found = self.channel(name)
        uses = store.uses_of(self.session, found.id)
        if uses:
            raise ChannelInUse(f"{uses} contacts of people are on {name}. They choose another one first.")
        store.remove_channel(self.session, found.id)
        self._tell(ChannelRemoved(channel=name, channel_kind=found.kind), by=by, source=source)

    def channel(self, name: str) -> Channel:
        """Raises ChannelNotFound."""
        found = store.channel_named(self.session, name)
        if found is None:
            raise ChannelNotFound(f"There is no channel {name[:63]!r}.")
        return found

    def add_contact(self, person_id: str, channel: str, address: str, label: str, *, by: str, source: str) -> Contact:
        """A person's address, and a code sent to it. Raises ChannelNotFound or ContactInvalid."""
        found = self.channel(channel)
        spec = SPECS[found.kind].address
        complaints = []
        if spec is None and address:
            complaints.append(Complaint("address", f"nothing: {channel} goes to one place"))
        elif spec is not None:
            _, wrong = checked({"address": spec}, {"address": address}, "contact")
            complaints += [Complaint("address", one.expected) for one in wrong]
        mine = store.contacts_of(self.session, person_id)
        if len(mine) >= MOST_CONTACTS:
            complaints.append(Complaint("contacts", f"at most {MOST_CONTACTS}"))
        if complaints:
            raise ContactInvalid("The contact is not valid.", complaints=complaints)
        kept = Contact(
            id=new_id("cnt"),
            person_id=person_id,
            channel_id=found.id,
            label=one_line(label, 100) or SPECS[found.kind].title,
            hint=hint_of(found.kind, address.strip()),
            created_at=self.clock.now(),
        )
        store.add_contact(self.session, kept, seal_address(self.key, kept.id, address.strip()))
        self._tell(ContactAdded(person=person_id, contact=kept.id, channel=channel), by=by, source=source)
        self.send_code(person_id, kept.id)
        return kept

    def send_code(self, person_id: str, contact_id: str) -> None:
        """Another code to a contact that is not verified yet. Raises ContactNotFound or TooManyCodes."""
        contact = self.contact(person_id, contact_id)
        row = store.contact_row(self.session, contact_id, lock=True)
        if contact.verified_at is not None or row is None:
            return
        now = self.clock.now()
        lately = [one for one in row.codes_sent if one > rfc3339(now - timedelta(hours=1))]
        if len(lately) >= codes.MOST_CODES_AN_HOUR:
            raise TooManyCodes("Five codes were sent to it within an hour.", retry_after_seconds=3_600)
        store.change_contact(
            self.session,
            contact_id,
            code_until=now + codes.LIFE,
            code_tries=0,
            codes_sent=[*lately, rfc3339(now)],
        )
        order = Order(
            call=f"code:{contact_id}:{rfc3339(now)}",
            about_type="contact",
            about_id=contact_id,
            urgency="high",
            kind="code",
            message=Message("Your code for Watchkeeper", "Enter it where you added this contact. The code is"),
        )
        ordering.add_for(self.session, order, contact, due_at=now, at=now)

    def verify(self, person_id: str, contact_id: str, code: str, *, by: str, source: str) -> Contact:
        """Show that one reads what is sent there. Raises ContactNotFound or CodeRefused; five tries a code.

        A wrong try has to be kept: whoever catches CodeRefused commits.
        """
        contact = self.contact(person_id, contact_id)
        row = store.contact_row(self.session, contact_id, lock=True)
        if contact.verified_at is not None or row is None:
            return contact
        now = self.clock.now()
        if row.code_until is None or row.code_until <= now or row.code_tries >= codes.MOST_TRIES:
            raise CodeRefused("The code is over; have another one sent.")
        store.change_contact(self.session, contact_id, code_tries=row.code_tries + 1)
        if not codes.is_code(code, self.key, contact_id, row.code_until):
            raise CodeRefused("This is not the code that was sent.", complaints=[Complaint("code", "six digits")])
        store.change_contact(self.session, contact_id, verified_at=now, code_until=None)
        channel = store.channel(self.session, contact.channel_id)
        name = channel.name if channel is not None else contact.channel_id
        self._tell(ContactVerified(person=person_id, contact=contact_id, channel=name), by=by, source=source)
        return replace(contact, verified_at=now)

    def contact(self, person_id: str, contact_id: str) -> Contact:
        """One of a person's own. Raises ContactNotFound."""
        found = store.contact(self.session, contact_id)
        if found is None or found.person_id != person_id:
            raise ContactNotFound("There is no such contact of yours.")
        return found

    def remove_contact(self, person_id: str, contact_id: str, *, by: str, source: str) -> None:
        """With the rules that name it. Raises ContactNotFound."""
        contact = self.contact(person_id, contact_id)
        rules, preferences = store.rules_of(self.session, person_id)
        left = tuple(one for one in rules if one.contact_id != contact_id)
        if left != rules:
            store.put_rules(self.session, left, preferences, at=self.clock.now())
        store.remove_contact(self.session, contact_id)
        channel = store.channel(self.session, contact.channel_id)
        name = channel.name if channel is not None else contact.channel_id
        self._tell(ContactRemoved(person=person_id, contact=contact_id, channel=name), by=by, source=source)

    def put_rules(self, rules: Sequence[Rule], preferences: Preferences, *, by: str, source: str) -> None:
        """All rules and quiet hours of a person. Raises RulesInvalid."""
        person_id = preferences.person_id
        mine = {one.id for one in store.contacts_of(self.session, person_id)}
        complaints = [
            Complaint(f"rules.{number}.contact", "one of your contacts")
            for number, one in enumerate(rules)
            if one.contact_id not in mine
        ]
        complaints += [
            Complaint(f"rules.{number}.after", "a delay of at most 12 hours")
            for number, one in enumerate(rules)
            if not timedelta(0) <= one.after <= LONGEST_DELAY
        ]
        if len(rules) > MOST_RULES:
            complaints.append(Complaint("rules", f"at most {MOST_RULES}"))
        if (preferences.quiet_from is None) != (preferences.quiet_until is None):
            complaints.append(Complaint("quiet_until", "both ends of quiet hours, or neither"))
        if complaints:
            raise RulesInvalid("The rules are not valid.", complaints=complaints)
        before, _ = store.rules_of(self.session, person_id)
        store.put_rules(self.session, rules, preferences, at=self.clock.now())
        fact = RulesChanged(person=person_id, before=store.stored_rules(before), after=store.stored_rules(rules))
        self._tell(fact, by=by, source=source)

    def test(self, person_id: str) -> int:
        """A test message to every verified contact of a person, now; answers how many those are."""
        now = self.clock.now()
        contacts = [one for one in store.contacts_of(self.session, person_id) if one.verified_at is not None]
        order = Order(
            call=f"test:{new_id('tst')}",
            about_type="person",
            about_id=person_id,
            urgency="high",
            kind="test",
            message=Message("Test page", "You asked for this. If you read it, Watchkeeper reaches you here."),
        )
        for one in contacts:
            ordering.add_for(self.session, order, one, due_at=now, at=now)
        return len(contacts)

    def _refused(self, where: str, url: str | None) -> list[Complaint]:
        if url is None or not url.startswith(("http://", "https://")):
            return []
        try:
            self.outbound.require(url)
        except DestinationRefused as refusal:
            return [Complaint(where, f"an address that requests may be sent to: {refusal.detail}")]
        return []

    def _tell(self, fact: Event, *, by: str, source: str) -> None:
        journal.append(self.session, fact, by=by, source=source, at=self.clock.now())


def _changed(
    before: Channel | None, settings: Mapping[str, str], kept: Mapping[str, str], secrets: Mapping[str, str]
) -> list[str]:
    earlier: Mapping[str, Any] = before.settings if before is not None else {}
    names = [one for one in sorted({*earlier, *settings}) if earlier.get(one) != settings.get(one)]
    return names + [one for one in sorted({*kept, *secrets}) if kept.get(one) != secrets.get(one)]


def _invalid(where: str, expected: str) -> ChannelInvalid:
    return ChannelInvalid("The channel is not valid.", complaints=[Complaint(where, expected)])


@dataclass(frozen=True)
class Verbs:
    """The part that makes the verbs on a session."""

    clock: Clock
    key: InstallationKey
    outbound: Outbound

    def on(self, session: Session) -> Notify:
        """The verbs."""
        return Notify(session, self.clock, self.key, self.outbound)
