"""Keys of integrations: 32 characters that are shown once and of which only a digest is kept."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

# No l, o, 0 or 1 to misread; 32 of 32 letters are 160 random bits, which is why a fast digest is enough.
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
LENGTH = 32


@dataclass(frozen=True)
class Key:
    """What is known of a key."""

    id: str
    integration_id: str
    ends_with: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None

    def opens(self, at: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


def new_key() -> str:
    """A fresh key; as long as PagerDuty's routing keys, so that clients which check that take it."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))


def digest_of(key: str) -> str:
    """What is kept of a key, and looked up."""
    return hashlib.sha256(b"watchkeeper alert key\0" + key.encode("utf-8", "replace")).hexdigest()
