"""Second factors: one-time codes of an authenticator app, recovery codes, and what they are good for."""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from sqlalchemy.orm import Session as Database

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.modules.identity import events, store, store_factors
from watchkeeper.modules.identity.challenges import Challenges
from watchkeeper.modules.identity.errors import ChallengeGone, FactorNeeded, FactorNotFound
from watchkeeper.modules.identity.model import (
    FactorState,
    Peer,
    Person,
    SignedIn,
    SignInMethod,
    charge,
    digest,
    network_of,
)
from watchkeeper.modules.identity.service import NOBODY, SECOND_FACTOR, Identity
from watchkeeper.modules.identity.settings import IdentitySettings

STEP_SECONDS = 30
DIGITS = 6
RECOVERY_CODES = 10
_PURPOSE = "identity.totp"
_DRIFT = (0, -1, 1)  # a phone's clock may be half a minute off
# 16 of 32 letters are 80 bits: too many to guess, also for whoever has the digests.
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
_LOOK_ALIKE = str.maketrans("oil", "011")
_RECOVERY_LETTERS = 16


@dataclass(frozen=True)
class NewTotp:
    """A secret that an app may be given: as text, and as the address that a QR code holds."""

    secret: str
    uri: str


@dataclass(frozen=True)
class Checked:
    """What came of a code: the method it was, or how long to wait, or neither (it was wrong)."""

    method: SignInMethod | None = None
    wait: timedelta = timedelta(0)
    signed_in: SignedIn | None = None


def factor_state(db: Database, person_id: str) -> FactorState:
    """What a person can show besides a password."""
    held = store_factors.totp_of(db, person_id)
    return FactorState(
        app=held is not None and held.confirmed_at is not None,
        passkeys=len(store_factors.passkeys_of(db, person_id)),
        recovery_codes=store_factors.recovery_codes_left(db, person_id),
    )


def require_way_in(db: Database, person_id: str, long_password: str | None) -> None:
    """Raises FactorNeeded when the last factor is gone and the password is not known to be long enough to stand alone.

    `long_password` is the hash of the password that was found to be; another one may have been set since.
    """
    person = store.person(db, person_id)
    if person is None or person.password_hash is None or person.password_hash == long_password:
        return
    if not store_factors.has_factor(db, person_id):
        raise FactorNeeded


def count_try(db: Database, clock: Clock, settings: IdentitySettings, peer: Peer, person_id: str | None) -> timedelta:
    """Count a try of a second factor before it is looked at, for the network and the account; how long to wait."""
    now, waits = clock.now(), []
    limits = [(by_address(peer), settings.address_limit)]
    if person_id is not None:
        limits.append((f"code:{person_id}", settings.code_limit))
    for key, limit in limits:
        answer = charge(store.lock_tally(db, key, now), limit, now)
        store.save_tally(db, key, answer.tally)
        waits.append(answer.wait)
        if answer.news and person_id is not None:
            fact = events.SecondFactorRefused(person=person_id, reason="paused")
            journal.append(db, fact, by=NOBODY, source="console", at=now)
    return max(waits)


class Factors:
    """Verbs on one's own second factors, and the checks of codes, within one transaction."""

    def __init__(self, db: Database, clock: Clock, settings: IdentitySettings, key: InstallationKey) -> None:
        self._db = db
        self._clock = clock
        self._now = clock.now()
        self._settings = settings
        self._key = key

    # --- an authenticator app ---

    def begin_totp(self, person: Person) -> NewTotp:
        """A fresh secret to be confirmed. Raises FactorNotFound when an app is confirmed already."""
        held = store_factors.totp_of(self._db, person.id)
        if held is not None and held.confirmed_at is not None:
            raise FactorNotFound("An authenticator app is set up already; remove it first.")
        secret = base64.b32encode(secrets.token_bytes(20)).decode()
        sealed = self._key.seal(secret, purpose=_PURPOSE, bound_to=person.id)
        store_factors.put_totp(self._db, person.id, sealed, self._now)
        return _new_totp(person, secret)

    def waiting_totp(self, person: Person) -> NewTotp | None:
        """The secret that was begun and not confirmed yet, to show it again."""
        held = store_factors.totp_of(self._db, person.id)
        if held is None or held.confirmed_at is not None:
            return None
        secret = self._key.open(held.secret, purpose=_PURPOSE, bound_to=person.id)
        return _new_totp(person, secret)

    def confirm_totp(self, person: Person, code: str) -> list[str] | None:
        """Count the app from now on, and answer recovery codes where none are left. None: the code is wrong."""
        if not self._takes(person.id, code) or not store_factors.confirm_totp(self._db, person.id, self._now):
            return None
        self._tell(events.TotpAdded(person=person.id), by=person.id)
        if store_factors.recovery_codes_left(self._db, person.id):
            return []
        return self.make_recovery_codes(person)

    def remove_totp(self, person: Person, *, long_password: str | None = None) -> None:
        """Raises FactorNotFound, or FactorNeeded (see `require_way_in`)."""
        store_factors.lock_person(self._db, person.id)
        if not store_factors.drop_totp(self._db, person.id):
            raise FactorNotFound("No authenticator app is set up.")
        require_way_in(self._db, person.id, long_password)
        self._tell(events.TotpRemoved(person=person.id), by=person.id)

    def make_recovery_codes(self, person: Person) -> list[str]:
        """Ten codes in place of all earlier ones; they are shown once and kept as digests."""
        codes = ["".join(secrets.choice(_LETTERS) for _ in range(_RECOVERY_LETTERS)) for _ in range(RECOVERY_CODES)]
        store_factors.put_recovery_codes(
            self._db, person.id, [_recovery_digest(person.id, c) for c in codes], self._now
        )
        self._tell(events.RecoveryCodesMade(person=person.id), by=person.id)
        return ["-".join(code[n : n + 4] for n in range(0, _RECOVERY_LETTERS, 4)) for code in codes]

    # --- codes ---

    def second_step(self, secret: str, code: str, peer: Peer, replaces: str | None) -> Checked:
        """Finish a sign-in whose password was right. Counts before it looks, and never raises for a wrong code.

        Raises ChallengeGone.
        """
        challenges = Challenges(self._db, self._clock)
        begun = challenges.look(secret, SECOND_FACTOR)
        person = store.person(self._db, begun.person_id) if begun.person_id else None
        if person is None or digest(person.password_hash or "") != begun.data["password"]:
            raise ChallengeGone
        checked = self.check(person.id, code, peer)
        if checked.method is None:
            return checked
        challenges.take(secret, SECOND_FACTOR)
        identity = Identity(self._db, self._clock, self._settings)
        return Checked(checked.method, signed_in=identity.begin_session(person, peer, checked.method, replaces))

    def check(self, person_id: str, code: str, peer: Peer) -> Checked:
        """Look at a code of an app or a recovery code, which it uses up; the attempt is counted first."""
        wait = count_try(self._db, self._clock, self._settings, peer, person_id)
        if wait > timedelta(0):
            return Checked(wait=wait)
        method = self._method_of(person_id, "".join(code.split()))
        if method is None:
            self._tell(events.SecondFactorRefused(person=person_id, reason="wrong_code"), by=NOBODY)
            return Checked()
        store.drop_tallies(self._db, [f"code:{person_id}"])
        store.refund_tallies(self._db, [by_address(peer)])
        return Checked(method)

    def _method_of(self, person_id: str, code: str) -> SignInMethod | None:
        if len(code) == DIGITS and code.isascii() and code.isdigit():
            held = store_factors.totp_of(self._db, person_id)
            confirmed = held is not None and held.confirmed_at is not None
            return SignInMethod.SECOND_FACTOR if confirmed and self._takes(person_id, code) else None
        used = _recovery_digest(person_id, code.replace("-", "").lower().translate(_LOOK_ALIKE))
        if not store_factors.use_recovery_code(self._db, person_id, used, self._now):
            return None
        left = store_factors.recovery_codes_left(self._db, person_id)
        self._tell(events.RecoveryCodeUsed(person=person_id, left=left), by=person_id)
        return SignInMethod.RECOVERY

    def _takes(self, person_id: str, code: str) -> bool:
        """Whether the code is the one of now or half a minute off, and was not taken before (RFC 6238)."""
        import pyotp  # here: a server where nobody uses codes starts without it

        held = store_factors.totp_of(self._db, person_id)
        if held is None:
            return False
        codes = pyotp.HOTP(self._key.open(held.secret, purpose=_PURPOSE, bound_to=person_id))
        step = int(self._now.timestamp()) // STEP_SECONDS
        fitting = [step + n for n in _DRIFT if hmac.compare_digest(codes.at(step + n).encode(), code.encode())]
        return any([store_factors.take_step(self._db, person_id, one) for one in fitting])  # noqa: C419 (each is taken)

    def _tell(self, event: journal.Event, *, by: str) -> None:
        journal.append(self._db, event, by=by, source="console", at=self._now)


def _new_totp(person: Person, secret: str) -> NewTotp:
    label = quote(f"Watchkeeper:{person.email or person.name}")
    return NewTotp(secret, f"otpauth://totp/{label}?secret={secret}&issuer=Watchkeeper")


def by_address(peer: Peer) -> str:
    return f"address:{network_of(peer.address)}"


def _recovery_digest(person_id: str, code: str) -> str:
    return digest(f"{person_id}:{code}")
