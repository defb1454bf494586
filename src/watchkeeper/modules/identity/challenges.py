"""What was begun and waits for the same browser: kept here, known by a secret that works once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session as Database

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.ids import new_secret
from watchkeeper.modules.identity import store_challenges
from watchkeeper.modules.identity.errors import ChallengeGone
from watchkeeper.modules.identity.model import LONGEST_SECRET, digest

CHALLENGE_PREFIX = "wkq"


@dataclass(frozen=True)
class Challenge:
    """Something begun: for whom, and what has to be known when it goes on."""

    person_id: str | None
    data: Mapping[str, Any]


class Challenges:
    """Verbs on challenges, within one transaction."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._now = clock.now()

    def begin(self, purpose: str, *, person_id: str | None, data: Mapping[str, Any], life: timedelta) -> str:
        """Keep it for so long and answer the secret that finds it; only its digest is stored."""
        secret = new_secret(CHALLENGE_PREFIX)
        store_challenges.add(
            self._db, digest(secret), purpose, person_id, data, at=self._now, expires_at=self._now + life
        )
        return secret

    def look(self, secret: str, purpose: str) -> Challenge:
        """The challenge, which stays good. Raises ChallengeGone."""
        if len(secret) > LONGEST_SECRET:
            raise ChallengeGone
        row = store_challenges.find(self._db, digest(secret), purpose, self._now)
        if row is None:
            raise ChallengeGone
        return Challenge(row.person_id, row.data)

    def take(self, secret: str, purpose: str) -> Challenge:
        """The challenge, for exactly one caller. Raises ChallengeGone for one that is used, expired or unknown."""
        found = self.look(secret, purpose)
        if not store_challenges.use(self._db, digest(secret), self._now):
            raise ChallengeGone
        return found
