"""What admins do about people: invite, give a role, disable, help back in. None of the verbs commits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Database

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import is_id, new_id, new_secret
from watchkeeper.kernel.web.access import Actor
from watchkeeper.modules.identity import events_people as events
from watchkeeper.modules.identity import store, store_people, store_teams
from watchkeeper.modules.identity.errors import (
    InvitationNotFound,
    LastAdmin,
    LinkDead,
    OwnRole,
    PersonIsDisabled,
    PersonNotFound,
    PersonRefused,
)
from watchkeeper.modules.identity.model import (
    LONGEST_SECRET,
    Duty,
    LinkPurpose,
    Peer,
    Person,
    Role,
    SignedIn,
    SignInMethod,
    digest,
    is_email,
    normalise_email,
)
from watchkeeper.modules.identity.service import Identity
from watchkeeper.modules.identity.settings import IdentitySettings
from watchkeeper.modules.identity.store_people import Invitation

INVITATION_PREFIX, RESET_PREFIX = "wki", "wkr"
INVITATION_LIVES, RESET_LIVES = timedelta(hours=72), timedelta(hours=24)
SOURCES = {"person": "console", "local": "cli"}
HINT = "Ask an admin for a new one."


class People:
    """Verbs on other people's accounts, within one transaction."""

    def __init__(self, db: Database, clock: Clock, settings: IdentitySettings) -> None:
        self._db = db
        self._clock = clock
        self._now = clock.now()
        self._settings = settings

    def get(self, person_id: str, *, lock: bool = False) -> Person:
        """Raises PersonNotFound."""
        known = is_id(person_id, "per") and (not lock or store_people.lock_person(self._db, person_id))
        person = store.person(self._db, person_id) if known else None
        if person is None:
            raise PersonNotFound(f"There is no person {person_id}.")
        return person

    def by_email(self, email: str) -> Person:
        """Raises PersonNotFound."""
        person = store.person_by_email(self._db, email) if is_email(email) else None
        if person is None:
            raise PersonNotFound("Nobody has this e-mail address.")
        return person

    # --- invitations ---

    def invite(
        self, *, email: str, role: Role, duties: Iterable[Duty], teams: Iterable[str], reason: str, by: Actor
    ) -> tuple[Invitation, str]:
        """An invitation and the secret of its link `/invite/{secret}`, good once for 72 h.

        An earlier one for the same address dies. Raises PersonRefused.
        """
        email, wanted, names = email.strip(), frozenset(duties), tuple(sorted(set(teams)))
        complaints = [] if is_email(email) else [Complaint("email", "an e-mail address such as alice@example.org")]
        if not complaints and store.person_by_email(self._db, email) is not None:
            complaints.append(Complaint("email", "an address that nobody here has yet"))
        known = {team.name for team in store_teams.all_teams(self._db)}
        complaints += [Complaint("teams", f"names of teams; there is no {name}") for name in names if name not in known]
        if complaints:
            raise PersonRefused("The invitation can't be made like this.", complaints=complaints)
        self._withdraw_all(lambda one: normalise_email(one.email) == normalise_email(email), "a newer one", by)
        secret = new_secret(INVITATION_PREFIX)
        told = tuple(sorted(one.value for one in wanted))
        plain = {"email": email, "role": role.value, "duties": list(told), "teams": list(names)}
        row = self._link(LinkPurpose.INVITATION, secret, INVITATION_LIVES) | {"grants": plain, "made_by": by.id}
        store_people.add_link(self._db, row)
        made = Invitation(
            row["id"], email, role, wanted, names, by.id, created_at=self._now, expires_at=row["expires_at"]
        )
        fact = events.PersonInvited(invitation=made.id, role=role.value, duties=told, teams=names)
        self._tell(fact, by, reason)
        return made, secret

    def invitation(self, secret: str) -> Invitation:
        """The live invitation of this link. Raises LinkDead."""
        found = None
        if len(secret) <= LONGEST_SECRET:
            found = store_people.invitation_by_digest(self._db, digest(secret), self._now)
        if found is None:
            raise LinkDead(HINT)
        return found

    def withdraw(self, invitation_id: str, *, reason: str, by: Actor) -> None:
        """Raises InvitationNotFound for one that was used, withdrawn, or never was."""
        if not is_id(invitation_id, "lnk") or not store_people.drop_invitation(self._db, invitation_id):
            raise InvitationNotFound("There is no such open invitation.")
        self._tell(events.InvitationWithdrawn(invitation=invitation_id), by, reason)

    def accept(self, secret: str, *, name: str, password_hash: str, peer: Peer) -> SignedIn:
        """A new person with what was granted, signed in. Of several at once exactly one wins. Raises LinkDead."""
        found = self.invitation(secret)
        if not store.use_link(self._db, found.id, self._now):
            raise LinkDead(HINT)
        person = Person(
            id=new_id("per"),
            name=name,
            email=found.email,
            role=found.role,
            password_hash=password_hash,
            created_at=self._now,
            duties=found.duties,
        )
        try:
            store.add_person(self._db, person, seat=None)
        except IntegrityError:
            raise LinkDead("Somebody with this e-mail has an account already.") from None
        for team in found.teams:
            known = store_teams.team(self._db, team)
            if known is not None:
                store_teams.join(self._db, known.id, person.id)
        self._tell_by(
            events.InvitationAccepted(person=person.id, invitation=found.id, role=person.role.value), person.id
        )
        identity = Identity(self._db, self._clock, self._settings)
        return identity.begin_session(person, peer, SignInMethod.INVITATION, None)

    # --- a forgotten password ---

    def make_reset_link(self, person: Person, *, reason: str, by: Actor) -> str:
        """The secret of `/reset/{secret}`, good once for 24 h; earlier ones die. Raises PersonIsDisabled."""
        if person.disabled_at is not None:
            raise PersonIsDisabled("A disabled account takes no new password. Enable it first.")
        secret = new_secret(RESET_PREFIX)
        store_people.drop_reset_links(self._db, person.id)
        store_people.add_link(
            self._db, self._link(LinkPurpose.RESET, secret, RESET_LIVES) | {"person_id": person.id, "made_by": by.id}
        )
        self._tell(events.ResetLinkMade(person=person.id), by, reason)
        return secret

    def reset_of(self, secret: str) -> Person:
        """Whose password this link sets. Raises LinkDead."""
        link = None
        if len(secret) <= LONGEST_SECRET:
            link = store.link_by_digest(self._db, digest(secret), LinkPurpose.RESET)
        person = store.person(self._db, link.person_id) if link and link.person_id else None
        if link is None or person is None or not link.works_at(self._now) or person.disabled_at is not None:
            raise LinkDead(HINT)
        return person

    def reset_password(self, secret: str, password_hash: str) -> Person:
        """Set it and end every session of the person. Raises LinkDead."""
        person = self.reset_of(secret)
        link = store.link_by_digest(self._db, digest(secret), LinkPurpose.RESET)
        if link is None or not store.use_link(self._db, link.id, self._now):
            raise LinkDead(HINT)
        store_people.reset_password(self._db, person.id, password_hash)
        ended = store_people.end_all_sessions(self._db, person.id, self._now)
        self._tell_by(events.PasswordReset(person=person.id, sessions_ended=ended), person.id)
        return person

    # --- roles, duties, disabling ---

    def place(self, person: Person, *, role: Role, duties: frozenset[Duty], reason: str, by: Actor) -> Person:
        """Give a role and duties. Raises OwnRole for one's own role, LastAdmin when nobody would be left."""
        if role is person.role and duties == person.duties:
            return person
        if person.id == by.id and role is not person.role:
            raise OwnRole("Nobody changes their own role; ask another admin.")
        if person.role is Role.ADMIN and role is not Role.ADMIN:
            self._require_another_admin(person)
            self._end_what_they_made(person, "its maker is no admin any more", by)
        store_people.set_place(self._db, person, role, duties)
        before = {"role": person.role.value, "duties": sorted(one.value for one in person.duties)}
        after = {"role": role.value, "duties": sorted(one.value for one in duties)}
        told = tuple(after["duties"])
        fact = events.PersonPlaced(person=person.id, role=role.value, duties=told, before=before, after=after)
        self._tell(fact, by, reason)
        return self.get(person.id)

    def disable(self, person: Person, *, reason: str, by: Actor) -> Person:
        """End every session of the person and let them in no more. Raises OwnRole or LastAdmin."""
        if person.disabled_at is not None:
            return person
        if person.id == by.id:
            raise OwnRole("Nobody disables their own account; ask another admin.")
        self._require_another_admin(person)
        self._end_what_they_made(person, "its maker was disabled", by)
        store_people.drop_links_for(self._db, person.id)
        store_people.set_disabled(self._db, person.id, self._now)
        ended = store_people.end_all_sessions(self._db, person.id, self._now)
        self._tell(events.PersonDisabled(person=person.id, sessions_ended=ended), by, reason)
        return self.get(person.id)

    def enable(self, person: Person, *, reason: str, by: Actor) -> Person:
        """Let them in again; sessions from before stay over."""
        if person.disabled_at is not None:
            store_people.set_disabled(self._db, person.id, None)
            self._tell(events.PersonEnabled(person=person.id), by, reason)
        return self.get(person.id)

    def _withdraw_all(self, which: Callable[[Invitation], bool], reason: str, by: Actor) -> None:
        for one in store_people.invitations(self._db, self._now):
            if which(one) and store_people.drop_invitation(self._db, one.id):
                self._tell(events.InvitationWithdrawn(invitation=one.id), by, reason)

    def _end_what_they_made(self, person: Person, reason: str, by: Actor) -> None:
        # Who was an admin must not keep a way back in that they made while they were.
        self._withdraw_all(lambda one: one.made_by == person.id, reason, by)
        store_people.drop_reset_links_by(self._db, person.id)

    def _require_another_admin(self, person: Person) -> None:
        # Locked: two admins who demote each other at once must not both succeed.
        if person.role is Role.ADMIN and store_people.lock_admins_with_a_way_in(self._db) <= {person.id}:
            raise LastAdmin("This is the last admin who can sign in. Make somebody else an admin first.")

    def _link(self, purpose: LinkPurpose, secret: str, life: timedelta) -> dict[str, Any]:
        return {
            "id": new_id("lnk"),
            "digest": digest(secret),
            "purpose": purpose.value,
            "created_at": self._now,
            "expires_at": self._now + life,
        }

    def _tell(self, event: journal.Event, by: Actor, reason: str) -> None:
        source = SOURCES.get(by.kind, "api")
        journal.append(self._db, event, by=by.id, source=source, at=self._now, private={"reason": reason})

    def _tell_by(self, event: journal.Event, person_id: str) -> None:
        journal.append(self._db, event, by=person_id, source="console", at=self._now)
