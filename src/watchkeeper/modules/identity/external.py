"""The verbs of accounts elsewhere. None commits: the caller owns the transaction."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Database

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Conflict, NotFound
from watchkeeper.kernel.ids import is_id, new_id, new_secret
from watchkeeper.kernel.web.access import Actor
from watchkeeper.modules.identity import events, store, store_external
from watchkeeper.modules.identity.errors import SignInPaused
from watchkeeper.modules.identity.model import (
    Limit,
    Peer,
    Person,
    Role,
    SignedIn,
    charge,
    digest,
    network_of,
)
from watchkeeper.modules.identity.oidc_errors import NoAccountHere, SignInElsewhereGone
from watchkeeper.modules.identity.oidc_model import SIGN_IN_TAKES, ExternalAccount, issuer_mark, role_of
from watchkeeper.modules.identity.service import NOBODY, Identity
from watchkeeper.modules.identity.settings import IdentitySettings

STATE_PREFIX = "wke"


class JustLinked(Conflict):
    """Another request linked the same account first. Asking once more finds it."""

    code = "identity.just_linked"

    def __init__(self) -> None:
        super().__init__("Another sign-in of yours came first. Try again.")


class ExternalAccounts:
    """Which account elsewhere is which person here, within one transaction."""

    def __init__(self, db: Database, clock: Clock, settings: IdentitySettings) -> None:
        self._db = db
        self._clock = clock
        self._now = clock.now()
        self._settings = settings

    def begin(self, peer: Peer, data: dict[str, Any]) -> str:
        """Keep what a sign-in needs until the browser is back with the answered secret. Raises SignInPaused."""
        wait = self._count_begun(peer)
        if wait > timedelta(0):
            seconds = math.ceil(wait.total_seconds())
            raise SignInPaused(
                "Too many sign-ins were begun from your network. Sign in with your password, or try again in "
                f"{math.ceil(seconds / 60)} min.",
                retry_after_seconds=seconds,
            )
        state = new_secret(STATE_PREFIX)
        store_external.remember(self._db, digest(state), data, now=self._now, until=self._now + SIGN_IN_TAKES)
        return state

    def take(self, state: str) -> dict[str, Any]:
        """What was kept, once. Raises SignInElsewhereGone."""
        data = store_external.recall(self._db, digest(state), self._now)
        if data is None:
            raise SignInElsewhereGone
        return data

    def admit(self, account: ExternalAccount, peer: Peer, replaces: str | None = None) -> SignedIn:
        """A session for the person whose account this is; at the first time the link, and maybe the person, are made.

        Raises NoAccountHere, or JustLinked when asking once more will find the account.
        """
        person = store_external.person_of(self._db, account.issuer, account.subject)
        if person is None:
            person = self._first_time(account)
        _require_enabled(person)
        store.refund_tallies(self._db, [_tally(peer)])
        return Identity(self._db, self._clock, self._settings).admit_external(person, peer, replaces)

    def note(self, refusal: NoAccountHere) -> None:
        """Remember that somebody whom the provider knows was turned away."""
        self._tell(events.SignInRefused(person=refusal.person, reason=refusal.reason), by=NOBODY)

    def unlink(self, person_id: str, *, by: Actor) -> None:
        """Forget which accounts elsewhere are this person's. Raises NotFound when there is no such person."""
        if not is_id(person_id, "per") or store.person(self._db, person_id) is None:
            raise NotFound("There is no person with this id.")
        for issuer in store_external.drop(self._db, person_id):
            fact = events.ExternalAccountUnlinked(person=person_id, issuer=issuer_mark(issuer))
            journal.append(self._db, fact, by=by.id, source="api", at=self._now)

    # --- inside ---

    def _count_begun(self, peer: Peer) -> timedelta:
        # Each sign-in that is begun takes a row until it is over.
        key = _tally(peer)
        limit = Limit(self._settings.failures_per_address, self._settings.address_limit.window, grows=False)
        answer = charge(store.lock_tally(self._db, key, self._now), limit, self._now)
        store.save_tally(self._db, key, answer.tally)
        return answer.wait

    def _first_time(self, account: ExternalAccount) -> Person:
        if account.email is None:
            raise NoAccountHere(
                "email_unproven",
                "The provider does not say that it has verified your e-mail, so that it can't be known who you are "
                "here. Have it verified there, or sign in with your password.",
            )
        person = store.person_by_email(self._db, account.email)
        if person is None:
            return self._link(self._newcomer(account), account)
        _require_enabled(person)
        store_external.lock_person(self._db, person.id)
        if account.issuer in store_external.issuers_of(self._db, person.id):
            # An e-mail can be given to somebody else after its owner has left; the subject can't.
            raise NoAccountHere(
                "other_subject",
                "Another account of the provider belongs to whoever has your e-mail here. Ask an admin to unlink it.",
                person.id,
            )
        store_external.confirm_email(self._db, person.id, self._now)
        return self._link(person, account)

    def _newcomer(self, account: ExternalAccount) -> Person:
        settings = self._settings
        role = role_of(account.groups, settings.role_of_group, settings.default_role)
        if role is None or not settings.welcomes(account.domain):
            raise NoAccountHere(
                "unknown_person",
                "Nobody here has the e-mail that the provider gave. Ask an admin for an account.",
            )
        return self._add(account, role)

    def _add(self, account: ExternalAccount, role: Role) -> Person:
        person = Person(
            id=new_id("per"),
            name=account.name,
            email=account.email,
            role=role,
            password_hash=None,
            created_at=self._now,
            email_verified_at=self._now,
        )
        try:
            store.add_person(self._db, person, seat=None)
        except IntegrityError:
            raise JustLinked from None
        self._tell(events.PersonCreated(person=person.id, role=role.value), by=person.id)
        return person

    def _link(self, person: Person, account: ExternalAccount) -> Person:
        try:
            store_external.add(
                self._db, issuer=account.issuer, subject=account.subject, person_id=person.id, now=self._now
            )
        except IntegrityError:
            raise JustLinked from None
        self._tell(events.ExternalAccountLinked(person=person.id, issuer=issuer_mark(account.issuer)), by=person.id)
        return person

    def _tell(self, event: journal.Event, *, by: str) -> None:
        journal.append(self._db, event, by=by, source="console", at=self._now)


def _require_enabled(person: Person) -> None:
    if person.disabled_at is not None:
        raise NoAccountHere("disabled", "Your account here is disabled. Ask an admin.", person.id)


def _tally(peer: Peer) -> str:
    return f"oidc:{network_of(peer.address)}"
