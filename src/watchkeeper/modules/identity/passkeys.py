"""Passkeys (WebAuthn level 2): made and used with the person verified by their device; every challenge is kept here."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Database

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.identity import events, store, store_factors
from watchkeeper.modules.identity.challenges import Challenges
from watchkeeper.modules.identity.errors import FactorNotFound, PasskeyRefused
from watchkeeper.modules.identity.model import LONGEST_NAME, Person, clean_name
from watchkeeper.modules.identity.store_factors import Passkey

TAKES = timedelta(minutes=5)
MOST_PASSKEYS = 20
_REGISTER, _USE = "passkey_new", "passkey_use"
_LONGEST_CREDENTIAL = 1023  # bytes, WebAuthn § 5.8.3
_CHALLENGE_BYTES = 32


@dataclass(frozen=True)
class RelyingParty:
    """This console as browsers know it: the host that passkeys are bound to, and the origin of its pages."""

    id: str
    origin: str


class Passkeys:
    """Verbs on passkeys, within one transaction."""

    def __init__(self, db: Database, clock: Clock, party: RelyingParty) -> None:
        self._db = db
        self._now = clock.now()
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
        from webauthn.helpers.exceptions import WebAuthnException

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
        except (WebAuthnException, ValueError, TypeError, KeyError) as error:
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
        self._tell(events.FactorAdded(person=person.id, factor="passkey"), by=person.id)
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

    def use(self, secret: str, credential: Mapping[str, Any]) -> Person:
        """Whose passkey it is. Raises ChallengeGone or PasskeyRefused; the challenge is used up by a good answer."""
        from webauthn import verify_authentication_response
        from webauthn.helpers.exceptions import WebAuthnException

        challenge = self._challenges.take(secret, _USE)
        known = store_factors.passkey_by_credential(self._db, str(credential.get("id", ""))[:1400])
        if known is None or challenge.person_id not in (None, known.person_id):
            raise PasskeyRefused("This passkey is not known here.")
        try:
            found = verify_authentication_response(
                credential=dict(credential),
                expected_challenge=_bytes(challenge.data["challenge"]),
                expected_rp_id=self._party.id,
                expected_origin=self._party.origin,
                credential_public_key=_bytes(known.public_key),
                credential_current_sign_count=known.sign_count,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, TypeError, KeyError) as error:
            raise PasskeyRefused(f"The browser's answer is not valid: {type(error).__name__}.") from None
        person = store.person(self._db, known.person_id)
        if person is None:
            raise PasskeyRefused("This passkey is not known here.")
        store_factors.used_passkey(self._db, known.id, found.new_sign_count, self._now)
        return person

    def remove(self, person: Person, passkey_id: str) -> None:
        """Raises FactorNotFound for one that is not this person's."""
        if not store_factors.drop_passkey(self._db, person.id, passkey_id):
            raise FactorNotFound("There is no such passkey.")
        self._tell(events.FactorRemoved(person=person.id, factor="passkey"), by=person.id)

    def _remember(self, purpose: str, person_id: str | None, challenge: bytes) -> str:
        return self._challenges.begin(purpose, person_id=person_id, data={"challenge": _text(challenge)}, life=TAKES)

    def _tell(self, event: journal.Event, *, by: str) -> None:
        journal.append(self._db, event, by=by, source="console", at=self._now)


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
