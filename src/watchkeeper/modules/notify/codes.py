"""Codes that show that an address is somebody's. None is stored: each follows from the key, the contact and its end."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.keys import InstallationKey

LIFE = timedelta(minutes=15)
MOST_TRIES = 5
MOST_CODES_AN_HOUR = 5


def code_of(key: InstallationKey, contact_id: str, until: datetime) -> str:
    """Six digits, good until this instant."""
    said = f"{contact_id}:{rfc3339(until)}".encode()
    number = int.from_bytes(hmac.new(key.derive("notify.codes"), said, hashlib.sha256).digest()[:8], "big")
    return f"{number % 1_000_000:06d}"


def is_code(said: str, key: InstallationKey, contact_id: str, until: datetime) -> bool:
    """Compared in the same time whatever is wrong."""
    return hmac.compare_digest(said.strip().replace(" ", "").encode(), code_of(key, contact_id, until).encode())
