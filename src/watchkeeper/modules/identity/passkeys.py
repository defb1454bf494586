"""Passkeys (WebAuthn level 2): made and used with the person verified by their device; every challenge is kept here."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Database

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.identity import events, store, store_factors
from watchkeeper.modules.identity.challenges import Challenge, Challenges
from watchkeeper.modules.identity.errors import FactorNotFound, PasskeyRefused
from watchkeeper.modules.identity.factors import by_address, count_try, require_way_in
from watchkeeper.modules.identity.model import LONGEST_NAME, Peer, Person, clean_name
from watchkeeper.modules.identity.service import NOBODY
from watchkeeper.modules.identity.settings import IdentitySettings
from watchkeeper.modules.identity.store_factors import Passkey

TAKES = timedelta(minutes=5)
MOST_PASSKEYS = 20
_REGISTER, _USE = "passkey_new", "passkey_use"
_LONGEST_CREDENTIAL = 1023  # bytes, WebAuthn § 5.8.3
_LONGEST_ID = 1400  # its base64url
_CHALLENGE_BYTES = 32


@dataclass(frozen=True)
class RelyingParty:
    """This console as browsers know it: the host that passkeys are bound to, and the origin of its pages."""

    id: str
    origin: str

    @classmethod
    def at(cls, address: str) -> RelyingParty:
        """As a browser writes the origin of this address: in lower case, without the port that goes without saying."""
        url = urlsplit(address.lower())
        host, usual = url.hostname or "", {"http": 80, "https": 443}.get(url.scheme)
        shown = f"[{host}]" if ":" in host else host
        port = f":{url.port}" if url.port not in (None, usual) else ""
        return cls(host, f"{url.scheme}://{shown}{port}")


@dataclass(frozen=True)
class Use:
    """What came of an answer: whose passkey it is, or how long to wait, or what is wrong with it."""

    person: Person | None = None
    wait: timedelta = timedelta(0)
    problem: str | None = None


class Passkeys:
    """Verbs on passkeys, within one transaction."""

    def __init__(self, db: Database, clock: Clock, settings: IdentitySettings, party: RelyingParty) -> None:
        self._db = db
        self._clock = clock
        self._now = clock.now()
        self._settings = settings
        self._challenges = Challenges(db, clock)
        self._party = party

    def begin_registration(self, person: Person) -> tuple[str, dict[str, Any]]:
        """The secret of a challenge, and what the browser is asked. Raises FactorNotFound beyond 20 passkeys."""
        from webauthn import generate_registration_options, options_to_json
        from webauthn.helpers.structs import (
            AuthenticatorSelectionCriteria,
            PublicKeyCredentialDescriptor,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        held = store_factors.passkeys_of(self._db, person.id)
        if len(held) >= MOST_PASSKEYS:
            raise FactorNotFound(f"{MOST_PASSKEYS} passkeys are the most; remove one first.")
        challenge = secrets.token_bytes(_CHALLENGE_BYTES)
        options = generate_registration_options(
            rp_id=self._party.id,
            rp_name="Watchkeeper",
            user_id=person.id.encode(),
            user_name=person.email or person.name,
            user_display_name=person.name,
            challenge=challenge,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=_bytes(one.credential_id)) for one in held],
        )
        return self._remember(_REGISTER, person.id, challenge), json.loads(options_to_json(options))

    def register(self, person: Person, secret: str, credential: Mapping[str, Any], name: str) -> Passkey:
        """Keep a new passkey. Raises ChallengeGone or PasskeyRefused."""
        from webauthn import verify_registration_response

        challenge = self._challenges.take(secret, _REGISTER)
        if challenge.person_id != person.id:
            raise PasskeyRefused("Another person began this.")
        try:
            found = verify_registration_response(
                credential=dict(credential),
                expected_challenge=_bytes(challenge.data["challenge"]),
                expected_rp_id=self._party.id,
                expected_origin=self._party.origin,
                require_user_verification=True,
            )
        except Exception as error:  # noqa: BLE001 (its parsers of foreign bytes raise whatever they stumble over)
            raise PasskeyRefused(f"The browser's answer is not valid: {type(error).__name__}.") from None
        if len(found.credential_id) > _LONGEST_CREDENTIAL:
            raise PasskeyRefused("The passkey's id is too long.")
        passkey = Passkey(
            id=new_id("pky"),
            person_id=person.id,
            credential_id=_text(found.credential_id),
            public_key=_text(found.credential_public_key),
            sign_count=found.sign_count,
            name=clean_name(name)[:LONGEST_NAME] or "Passkey",
            created_at=self._now,
            last_used_at=None,
        )
        try:
            store_factors.add_passkey(self._db, passkey)
        except IntegrityError:
            raise PasskeyRefused("This passkey is known already.") from None
        self._tell(events.PasskeyAdded(person=person.id), by=person.id)
        return passkey

    def begin_use(self, person_id: str | None = None) -> tuple[str, dict[str, Any]]:
        """The secret of a challenge, and what the browser is asked; `person_id`: only this person's passkeys."""
        from webauthn import generate_authentication_options, options_to_json
        from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

        held = store_factors.passkeys_of(self._db, person_id) if person_id else []
        challenge = secrets.token_bytes(_CHALLENGE_BYTES)
        options = generate_authentication_options(
            rp_id=self._party.id,
            challenge=challenge,
            user_verification=UserVerificationRequirement.REQUIRED,
            allow_credentials=[PublicKeyCredentialDescriptor(id=_bytes(one.credential_id)) for one in held] or None,
        )
        return self._remember(_USE, person_id, challenge), json.loads(options_to_json(options))

    def use(self, secret: str, credential: Mapping[str, Any], peer: Peer, *, only: str | None = None) -> Use:
        """Whose passkey it is; `only` this person's counts. The try is counted before it is looked at.

        It never raises for an answer that does not fit, so that the count and the fact of it stay.
        Raises ChallengeGone.
        """
        challenge = self._challenges.take(secret, _USE)
        wait = count_try(self._db, self._clock, self._settings, peer, None)
        if wait > timedelta(0):
            return Use(wait=wait)
        known = store_factors.passkey_by_credential(self._db, str(credential.get("id", ""))[:_LONGEST_ID])
        person = store.person(self._db, known.person_id) if known else None
        if known is None or person is None or challenge.person_id != only or only not in (None, person.id):
            return Use(problem="This passkey is not known here.")
        count, problem = self._verify(known, credential, challenge)
        if problem:
            reason = "copied_passkey" if count is not None else "wrong_passkey"
            self._tell(events.SecondFactorRefused(person=person.id, reason=reason), by=NOBODY)
            return Use(problem=problem)
        store_factors.used_passkey(self._db, known.id, count or 0, self._now)
        store.refund_tallies(self._db, [by_address(peer)])
        return Use(person=person)

    def _verify(
        self, known: Passkey, credential: Mapping[str, Any], challenge: Challenge
    ) -> tuple[int | None, str | None]:
        """The authenticator's counter where its signature fits, and what is wrong with the answer."""
        from webauthn import verify_authentication_response

        try:
            found = verify_authentication_response(
                credential=dict(credential),
                expected_challenge=_bytes(challenge.data["challenge"]),
                expected_rp_id=self._party.id,
                expected_origin=self._party.origin,
                credential_public_key=_bytes(known.public_key),
                credential_current_sign_count=0,  # compared below, once the signature is known to be the passkey's
                require_user_verification=True,
            )
        except Exception as error:  # noqa: BLE001 (its parsers of foreign bytes raise whatever they stumble over)
            return None, f"The browser's answer is not valid: {type(error).__name__}."
        count = found.new_sign_count
        if (count or known.sign_count) and count <= known.sign_count:
            return count, "This passkey's counter went back: there may be a copy of it. Remove it and add a new one."
        return count, None

    def remove(self, person: Person, passkey_id: str, *, long_password: str | None = None) -> None:
        """Raises FactorNotFound for one that is not this person's, or FactorNeeded (see `require_way_in`)."""
        store_factors.lock_person(self._db, person.id)
        if not store_factors.drop_passkey(self._db, person.id, passkey_id):
            raise FactorNotFound("There is no such passkey.")
        require_way_in(self._db, person.id, long_password)
        self._tell(events.PasskeyRemoved(person=person.id), by=person.id)

    def _remember(self, purpose: str, person_id: str | None, challenge: bytes) -> str:
        return self._challenges.begin(purpose, person_id=person_id, data={"challenge": _text(challenge)}, life=TAKES)

    def _tell(self, event: journal.Event, *, by: str) -> None:
        journal.append(self._db, event, by=by, source="console", at=self._now)


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
