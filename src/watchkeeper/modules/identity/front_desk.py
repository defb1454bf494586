"""Signing in and changing a password: hashing happens between two transactions, never inside one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Complaint, Unavailable
from watchkeeper.modules.identity import passwords, store_factors
from watchkeeper.modules.identity.errors import (
    PasswordRefused,
    PersonRefused,
    SignInPaused,
    SignInRefused,
    WrongPassword,
)
from watchkeeper.modules.identity.hashing import Passwords, Verdict
from watchkeeper.modules.identity.model import (
    LONGEST_EMAIL,
    LONGEST_NAME,
    Attempt,
    HalfSignedIn,
    Peer,
    SignedIn,
    SignInMethod,
    clean_name,
    is_email,
)
from watchkeeper.modules.identity.people import People
from watchkeeper.modules.identity.service import Identity
from watchkeeper.modules.identity.settings import IdentitySettings


@dataclass(frozen=True)
class FrontDesk:
    """Where people come in. Each method owns its transactions."""

    db: Database
    clock: Clock
    passwords: Passwords
    settings: IdentitySettings

    async def sign_in(
        self, email: str, password: str, peer: Peer, *, replaces: str | None = None
    ) -> SignedIn | HalfSignedIn:
        """A new session, or the first half of one where a second factor is to follow.

        Raises SignInRefused or SignInPaused; `replaces` is the secret of the browser's old one.
        """
        email = email.strip()[: LONGEST_EMAIL + 1]  # what is longer is no e-mail, and not worth a look
        attempt = await self.db.write(lambda db: Identity(db, self.clock, self.settings).attempt(email, peer))
        require_no_wait(attempt)
        person = attempt.person
        verdict = await self._check(attempt, password, person.password_hash if person else None)
        if not verdict.matches:
            await self.db.write(lambda db: Identity(db, self.clock, self.settings).refuse(attempt))
            raise SignInRefused
        return await self.db.write(
            lambda db: Identity(db, self.clock, self.settings).admit(
                attempt, peer, rehashed=verdict.rehashed, replaces=replaces
            )
        )

    async def set_up(self, secret: str, *, name: str, email: str, password: str, peer: Peer) -> SignedIn:
        """The first person, signed in. Raises LinkDead, SetupClosed, PersonRefused or PasswordRefused."""
        await self.db.ask(lambda db: Identity(db, self.clock, self.settings).require_setup_link(secret))
        name, email = clean_name(name), email.strip()
        _require_person(name, email)
        _require_password(password, about=(name, email))
        password_hash = await self.passwords.hash(password)
        return await self.db.write(
            lambda db: Identity(db, self.clock, self.settings).set_up(
                secret, name=name, email=email, password_hash=password_hash, peer=peer
            )
        )

    async def change_password(self, person_id: str, session_id: str, *, current: str, new: str) -> str:
        """Answers this session's new secret; every other session ends.

        Raises WrongPassword, SignInPaused or PasswordRefused.
        """
        attempt = await self.check_own_password(person_id, session_id, current)
        person = attempt.person
        if person is None:
            raise WrongPassword
        has_factor = await self.db.ask(lambda db: store_factors.has_factor(db, person_id))
        _require_password(new, about=(person.name, person.email or ""), has_factor=has_factor)
        password_hash = await self.passwords.hash(new)

        is_short = not passwords.stands_alone(new)
        return await self.db.write(
            lambda db: Identity(db, self.clock, self.settings).change_password(
                person, session_id, password_hash, attempt, is_short=is_short
            )
        )

    async def accept(self, secret: str, *, name: str, password: str, peer: Peer) -> SignedIn:
        """The invited person, signed in. Raises LinkDead, PersonRefused or PasswordRefused."""
        found = await self.db.ask(lambda db: People(db, self.clock, self.settings).invitation(secret))
        name = clean_name(name)
        _require_person(name, found.email)
        _require_password(password, about=(name, found.email))
        password_hash = await self.passwords.hash(password)
        return await self.db.write(
            lambda db: People(db, self.clock, self.settings).accept(
                secret, name=name, password_hash=password_hash, peer=peer
            )
        )

    async def reset_password(self, secret: str, *, password: str) -> None:
        """Set a new password by a link; every session ends. Raises LinkDead or PasswordRefused."""
        person = await self.db.ask(lambda db: People(db, self.clock, self.settings).reset_of(secret))
        has_factor = await self.db.ask(lambda db: store_factors.has_factor(db, person.id))
        _require_password(password, about=(person.name, person.email or ""), has_factor=has_factor)
        password_hash = await self.passwords.hash(password)
        await self.db.write(lambda db: People(db, self.clock, self.settings).reset_password(secret, password_hash))

    async def long_password(self, person_id: str, session_id: str, password: str) -> str | None:
        """The hash of the person's own password when that is long enough without a second factor, else None.

        Only a hash is kept, so its length has to be shown. Raises WrongPassword or SignInPaused.
        """
        attempt = await self.check_own_password(person_id, session_id, password)
        await self.db.write(lambda db: Identity(db, self.clock, self.settings).forgive(attempt))
        return attempt.person.password_hash if attempt.person and passwords.stands_alone(password) else None

    async def prove(self, person_id: str, session_id: str, *, password: str) -> str:
        """Show once more who one is; answers this session's new secret. Raises WrongPassword or SignInPaused."""
        attempt = await self.check_own_password(person_id, session_id, password)
        return await self.db.write(
            lambda db: Identity(db, self.clock, self.settings).prove_again(
                person_id, session_id, SignInMethod.PASSWORD, attempt
            )
        )

    async def check_own_password(self, person_id: str, session_id: str, password: str) -> Attempt:
        """The attempt, when the password is the person's own. Raises WrongPassword or SignInPaused."""
        attempt = await self.db.write(
            lambda db: Identity(db, self.clock, self.settings).count_own_check(person_id, session_id)
        )
        require_no_wait(attempt)
        person = attempt.person
        verdict = await self._check(attempt, password, person.password_hash if person else None)
        if person is None or not verdict.matches:
            raise WrongPassword
        return attempt

    async def _check(self, attempt: Attempt, password: str, stored: str | None) -> Verdict:
        try:
            return await self.passwords.check(password, stored)
        except Unavailable:
            # Not looked at, so not counted: a crowd must not lock anybody out.
            await self.db.write(lambda db: Identity(db, self.clock, self.settings).forgive_one(attempt))
            raise


def require_no_wait(attempt: Attempt) -> None:
    """Raises SignInPaused when the attempt has to wait."""
    if attempt.wait > timedelta(0):
        seconds = math.ceil(attempt.wait.total_seconds())
        raise SignInPaused(f"Too many attempts. Try again {_in(seconds)}.", retry_after_seconds=seconds)


def _in(seconds: int) -> str:
    if seconds < 60:
        return f"in {seconds} second{'s' if seconds > 1 else ''}"
    minutes = math.ceil(seconds / 60)
    return f"in {minutes} minute{'s' if minutes > 1 else ''}"


def _require_person(name: str, email: str) -> None:
    complaints = []
    if not 1 <= len(name) <= LONGEST_NAME:
        complaints.append(Complaint("name", f"Enter your name, up to {LONGEST_NAME} characters."))
    if not is_email(email):
        complaints.append(Complaint("email", "Enter an e-mail address such as alice@example.org."))
    if complaints:
        raise PersonRefused("The name or the e-mail is not valid.", complaints=complaints)


def _require_password(password: str, *, about: tuple[str, ...], has_factor: bool = False) -> None:
    found = passwords.complaints(password, about=about, has_factor=has_factor)
    if found:
        raise PasswordRefused(found[0], complaints=[Complaint("password", one) for one in found])
