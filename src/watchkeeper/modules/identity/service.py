"""The verbs of people, sessions and one-time links. None commits: the caller owns the transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Database

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import is_id, new_id, new_secret
from watchkeeper.modules.identity import events, store, store_challenges, store_external, store_factors
from watchkeeper.modules.identity.challenges import Challenges
from watchkeeper.modules.identity.errors import (
    FactorNeeded,
    LinkDead,
    PersonRefused,
    SessionNotFound,
    SetupClosed,
    SignInRefused,
    WrongPassword,
)
from watchkeeper.modules.identity.model import (
    LOGIN_PREFIX,
    SESSION_PREFIX,
    SETUP_PREFIX,
    Attempt,
    Charge,
    HalfSignedIn,
    Limit,
    Link,
    LinkPurpose,
    Peer,
    Person,
    Role,
    Seat,
    Session,
    SignedIn,
    SignInMethod,
    charge,
    digest,
    is_email,
    network_of,
    normalise_email,
)
from watchkeeper.modules.identity.settings import IdentitySettings

NOBODY = "anonymous"
SYSTEM = "system:identity"
SECOND_FACTOR = "second_factor"
SECOND_FACTOR_TAKES = timedelta(minutes=5)

_FORGET_SESSIONS = timedelta(days=31)  # one day more than the longest idle time that can be set
_FORGET_TALLIES = timedelta(days=1)  # the longest window that can be set


class Identity:
    """Verbs on people, their sessions and links, within one transaction."""

    def __init__(self, db: Database, clock: Clock, settings: IdentitySettings) -> None:
        self._db = db
        self._clock = clock
        self._now = clock.now()
        self._settings = settings

    # --- the first person ---

    def ensure_setup_link(self) -> str | None:
        """The secret of a fresh set-up link, or None once the first person exists. Earlier unused links die."""
        if store.person_in(self._db, Seat.FIRST) is not None:
            return None
        store.drop_unused_links(self._db, LinkPurpose.SETUP)
        secret, link = self._make_link(LinkPurpose.SETUP, SETUP_PREFIX, self._settings.setup_link, None)
        self._tell(events.SetupLinkMade(link=link.id, expires_at=rfc3339(link.expires_at)), by=SYSTEM)
        return secret

    def require_setup_link(self, secret: str) -> Link:
        """The live link of this secret. Raises SetupClosed once somebody is set up, LinkDead otherwise."""
        if store.person_in(self._db, Seat.FIRST) is not None:
            raise SetupClosed
        link = store.link_by_digest(self._db, digest(secret), LinkPurpose.SETUP)
        if link is None or not link.works_at(self._now):
            raise LinkDead("Start `watchkeeper up` again to get a new one.")
        return link

    def set_up(self, secret: str, *, name: str, email: str, password_hash: str, peer: Peer) -> SignedIn:
        """The first person, an admin, signed in. Of several at once exactly one wins; the rest get SetupClosed."""
        link = self.require_setup_link(secret)
        if not store.use_link(self._db, link.id, self._now):
            raise SetupClosed
        person = self._person(name=name, email=email, password_hash=password_hash)
        try:
            store.add_person(self._db, person, seat=Seat.FIRST)
        except IntegrityError:
            raise SetupClosed from None
        self._tell(events.PersonCreated(person=person.id, role=person.role.value), by=person.id)
        return self._begin(person, peer, SignInMethod.SETUP, None)

    def ensure_demo_person(self, name: str = "Demo") -> Person:
        """An admin without a password, whom only a one-time link can sign in. For the demo, and only there."""
        found = store.person_in(self._db, Seat.DEMO)
        if found is not None:
            return found
        person = self._person(name=name, email=None, password_hash=None)
        store.add_person(self._db, person, seat=Seat.DEMO)
        self._tell(events.PersonCreated(person=person.id, role=person.role.value), by=SYSTEM)
        return person

    def ensure_sample_person(self, *, name: str, email: str, role: Role) -> Person:
        """Somebody of the demo's sample team, whom nobody can sign in as; known by the address."""
        found = store.person_by_email(self._db, email)
        if found is not None:
            return found
        made = self._person(name=name, email=email, password_hash=None)
        person = replace(made, role=role, email_verified_at=self._now)
        store.add_person(self._db, person, seat=None)
        self._tell(events.PersonCreated(person=person.id, role=role.value), by=SYSTEM)
        return person

    # --- one-time sign-in links ---

    def make_login_link(self, person: Person) -> str:
        """The secret of a link that signs this person in once; it lives for minutes."""
        return self._make_link(LinkPurpose.LOGIN, LOGIN_PREFIX, self._settings.login_link, person.id)[0]

    def require_login_link(self, secret: str) -> tuple[Link, Person]:
        """The live link and whom it signs in; looking does not use it up. Raises LinkDead."""
        link = store.link_by_digest(self._db, digest(secret), LinkPurpose.LOGIN)
        person = store.person(self._db, link.person_id) if link and link.person_id else None
        if link is None or person is None or not link.works_at(self._now):
            raise LinkDead("Ask for a new one, or sign in with your password.")
        return link, person

    def use_login_link(self, secret: str, peer: Peer, replaces: str | None = None) -> SignedIn:
        link, person = self.require_login_link(secret)
        if not store.use_link(self._db, link.id, self._now):
            raise LinkDead("Ask for a new one, or sign in with your password.")
        return self._begin(person, peer, SignInMethod.LINK, replaces)

    # --- signing in with a password: count, look, then admit or refuse ---

    def attempt(self, email: str, peer: Peer) -> Attempt:
        """Count an attempt. The answer says whom it is about and how long to wait first; it never raises."""
        # What is no e-mail is nobody's, and may hold what a database refuses to be asked for.
        person = store.person_by_email(self._db, email) if is_email(email) else None
        network = network_of(peer.address)
        by_address = f"address:{network}"
        paused = self._charge(by_address, self._settings.address_limit)
        if not paused.allowed:
            return self._paused(None, paused)
        account = f"account:{digest(normalise_email(email))}"
        if person is not None and store.has_session_from(self._db, person.id, peer.address):
            # Counted apart, so that a stranger elsewhere can't keep people out of their own accounts.
            account = f"known:{person.id}:{network}"
        answer = self._charge(account, self._settings.account_limit)
        if not answer.allowed:
            return self._paused(person, answer)
        return Attempt(person, timedelta(0), own=account, shared=by_address)

    def count_link(self, peer: Peer) -> Attempt:
        """Count a look at a link of an admin's, per address; `forgive_one` takes it back when there is such a link."""
        by_address = f"link:{network_of(peer.address)}"
        answer = self._charge(by_address, self._settings.address_limit)
        return Attempt(None, timedelta(0), shared=by_address) if answer.allowed else self._paused(None, answer)

    def admit(
        self, attempt: Attempt, peer: Peer, *, rehashed: str | None, replaces: str | None
    ) -> SignedIn | HalfSignedIn:
        """The password fitted; where the person has a second factor, that is to follow.

        Raises SignInRefused when the password was changed in the meantime.
        """
        checked = attempt.person
        person = store.person(self._db, checked.id) if checked else None
        if checked is None or person is None or person.password_hash != checked.password_hash:
            raise SignInRefused
        if person.disabled_at is not None:
            # Before a second factor is asked for: that would tell that the password is right.
            raise SignInRefused
        if rehashed is not None:
            store.set_password_hash(self._db, person.id, rehashed, instead_of=person.password_hash)
        if store_factors.has_factor(self._db, person.id):
            # Only this attempt is taken back: who knows a password may still be somebody else.
            self.forgive_one(attempt)
            challenges = Challenges(self._db, self._clock)
            # A password that is changed in the meantime takes the half-done sign-in with it.
            data = {"password": digest(rehashed or person.password_hash or "")}
            secret = challenges.begin(SECOND_FACTOR, person_id=person.id, data=data, life=SECOND_FACTOR_TAKES)
            return HalfSignedIn(secret=secret, person=person)
        self.forgive(attempt)
        return self._begin(person, peer, SignInMethod.PASSWORD, replaces)

    def begin_session(self, person: Person, peer: Peer, method: SignInMethod, replaces: str | None) -> SignedIn:
        """A session for somebody who has shown who they are. Raises SignInRefused for a disabled account."""
        return self._begin(person, peer, method, replaces)

    def admit_external(self, person: Person, peer: Peer, replaces: str | None) -> SignedIn:
        """A new session for the person whom their OpenID provider has vouched for."""
        return self._begin(person, peer, SignInMethod.OIDC, replaces)

    def refuse(self, attempt: Attempt) -> None:
        person = attempt.person
        self._tell(events.SignInRefused(person=person.id if person else None, reason="wrong_password"), by=NOBODY)

    def forgive(self, attempt: Attempt) -> None:
        """Take the count back: the whole of the account's, but only this attempt's from the address's.

        Otherwise somebody with one account of their own could clear the address's count between guesses.
        """
        store.drop_tallies(self._db, [attempt.own] if attempt.own else [])
        store.refund_tallies(self._db, [attempt.shared] if attempt.shared else [])

    def forgive_one(self, attempt: Attempt) -> None:
        """Take back this one attempt, whose password was never looked at."""
        store.refund_tallies(self._db, [key for key in (attempt.shared, attempt.own) if key])

    # --- the person's own account ---

    def count_own_check(self, person_id: str, session_id: str) -> Attempt:
        """Count a check of the current password inside a session, apart from what happens at sign-in."""
        key = f"session:{session_id}"
        answer = self._charge(key, self._settings.account_limit)
        return Attempt(store.person(self._db, person_id), answer.wait, own=key)

    def change_password(
        self, person: Person, session_id: str, password_hash: str, attempt: Attempt, *, is_short: bool = False
    ) -> str:
        """Set it, end every other session, and answer a new secret for this one: a stolen copy of its cookie dies too.

        Raises WrongPassword when another change came first, FactorNeeded when a short one would stand alone.
        """
        store_factors.lock_person(self._db, person.id)
        if is_short and not store_factors.has_factor(self._db, person.id):
            raise FactorNeeded
        if not store.set_password_hash(self._db, person.id, password_hash, instead_of=person.password_hash):
            raise WrongPassword
        self.forgive(attempt)
        ended = self._end_others(person.id, session_id)
        secret = new_secret(SESSION_PREFIX)
        store.renew_session(self._db, session_id, digest(secret), proved_at=self._now)
        self._tell(events.PasswordChanged(person=person.id), by=person.id)
        self._tell_ended(person.id, ended, "password_changed")
        return secret

    def prove_again(self, person_id: str, session_id: str, method: SignInMethod, attempt: Attempt | None = None) -> str:
        """The session's person has shown once more who they are; answers the session's new secret."""
        if attempt is not None:
            self.forgive(attempt)
        secret = new_secret(SESSION_PREFIX)
        store.renew_session(self._db, session_id, digest(secret), proved_at=self._now)
        self._tell(events.ProvedAgain(person=person_id, session=session_id, method=method.value), by=person_id)
        return secret

    def change_email(self, person: Person, email: str) -> None:
        """Give the account another address, which is not verified yet. Raises PersonRefused.

        Where a provider's word links accounts by e-mail, only an admin changes it: whoever took a colleague's address
        would be waiting when that colleague first signs in.
        """
        issuer = self._settings.oidc_issuer
        if issuer and issuer not in store_external.issuers_of(self._db, person.id):
            complaint = Complaint("email", "Sign in with your provider once, or ask an admin to change it.")
            raise PersonRefused("The e-mail can't be changed yet.", complaints=[complaint])
        if not is_email(email):
            complaint = Complaint("email", "Enter an e-mail address such as alice@example.org.")
            raise PersonRefused("The e-mail is not valid.", complaints=[complaint])
        if not store.set_email(self._db, person.id, email):
            raise PersonRefused("The e-mail is taken.", complaints=[Complaint("email", "Another account has it.")])
        self._tell(events.EmailChanged(person=person.id), by=person.id)

    def own_sessions(self, person_id: str) -> list[Session]:
        policy = self._settings.sessions
        return [session for session in store.sessions_of(self._db, person_id) if policy.is_live(session, self._now)]

    def sign_out(self, person_id: str, session_id: str) -> None:
        """Signing out twice is no error: the second finds nothing to do."""
        if store.end_session(self._db, session_id, person_id, self._now):
            self._tell(events.SignedOut(person=person_id, session=session_id), by=person_id)

    def end_session(self, person_id: str, session_id: str) -> None:
        """Raises SessionNotFound for a session that is not this person's, or is over."""
        if not is_id(session_id, "ses") or not self._end(person_id, session_id, "by_person"):
            raise SessionNotFound

    def end_others(self, person_id: str, session_id: str) -> int:
        """End every session of the person but this one, and answer how many there were."""
        ended = self._end_others(person_id, session_id)
        self._tell_ended(person_id, ended, "by_person")
        return len(ended)

    def forget(self) -> int:
        """Clear away what is over: old sessions with their addresses, links and counts."""
        return store_challenges.forget(self._db, self._now) + store.forget(
            self._db, sessions_before=self._now - _FORGET_SESSIONS, tallies_before=self._now - _FORGET_TALLIES
        )

    # --- inside ---

    def _person(self, *, name: str, email: str | None, password_hash: str | None) -> Person:
        return Person(
            id=new_id("per"),
            name=name,
            email=email,
            role=Role.ADMIN,
            password_hash=password_hash,
            created_at=self._now,
        )

    def _make_link(self, purpose: LinkPurpose, prefix: str, life: timedelta, person_id: str | None) -> tuple[str, Link]:
        secret = new_secret(prefix)
        expires = self._now + life
        link = Link(id=new_id("lnk"), purpose=purpose, person_id=person_id, expires_at=expires, used_at=None)
        store.add_link(self._db, link, digest(secret), self._now)
        return secret, link

    def _begin(self, person: Person, peer: Peer, method: SignInMethod, replaces: str | None) -> SignedIn:
        """A new session with a new secret each time: a cookie planted before sign-in is worth nothing after it.

        Raises SignInRefused for a disabled account.
        """
        if person.disabled_at is not None:
            raise SignInRefused
        if replaces is not None and (before := store.session_by_digest(self._db, digest(replaces))):
            self._end(before[1].id, before[0].id, "replaced")
        secret = new_secret(SESSION_PREFIX)
        session = Session(
            id=new_id("ses"),
            person_id=person.id,
            created_at=self._now,
            seen_at=self._now,
            ended_at=None,
            device=peer.device,
            address=peer.address,
            method=method,
            proved_at=self._now,
        )
        store.add_session(self._db, session, digest(secret))
        self._tell(events.SignedIn(person=person.id, session=session.id, method=method.value), by=person.id)
        return SignedIn(secret=secret, session=session, person=person)

    def _end(self, person_id: str, session_id: str, reason: str) -> bool:
        ended = store.end_session(self._db, session_id, person_id, self._now)
        if ended:
            self._tell_ended(person_id, [session_id], reason)
        return ended

    def _end_others(self, person_id: str, session_id: str) -> list[str]:
        others = [session.id for session in store.sessions_of(self._db, person_id) if session.id != session_id]
        return [other for other in others if store.end_session(self._db, other, person_id, self._now)]

    def _tell_ended(self, person_id: str, sessions: list[str], reason: str) -> None:
        # Told after all rows are changed: whoever holds the journal's head must not wait for a row any more.
        for session in sessions:
            self._tell(events.SessionRevoked(person=person_id, session=session, reason=reason), by=person_id)

    def _charge(self, key: str, limit: Limit) -> Charge:
        answer = charge(store.lock_tally(self._db, key, self._now), limit, self._now)
        store.save_tally(self._db, key, answer.tally)
        return answer

    def _paused(self, person: Person | None, answer: Charge) -> Attempt:
        if answer.news:
            fact = events.SignInRefused(person=person.id if person else None, reason="paused")
            self._tell(fact, by=NOBODY)
        return Attempt(person, answer.wait)

    def _tell(self, event: journal.Event, *, by: str) -> None:
        journal.append(self._db, event, by=by, source="server" if by == SYSTEM else "console", at=self._now)
