"""The installation's key: what is sealed in the database or in a backup can't be read without it.

On SQLite it is a file in the data directory. Replicas on one PostgreSQL share it through `key_file`, or, where none is
set, through a row of the database: `doctor` warns then, because a copy of the database holds the key too.
"""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import select
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.shared_tables import shared_keys
from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.kernel.errors import Refusal

KEY_BYTES = 32
KEY_FILE = "installation.key"
_NAME = "installation"
_MARK = "mark"
_NONCE_BYTES = 12
_VERSION = "1"


class KeyUnusable(Refusal):
    """The installation's key is not the one that something was sealed with, or is damaged."""

    code = "kernel.key_unusable"
    status = 500
    title = "The installation's key does not fit"


@dataclass(frozen=True)
class InstallationKey:
    """32 random bytes from which every other key is derived by HKDF-SHA-256 (RFC 5869) under a name of its purpose."""

    secret: bytes = field(repr=False)

    def derive(self, purpose: str) -> bytes:
        """32 bytes for this purpose alone."""
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"watchkeeper/{purpose}".encode()).derive(self.secret)

    def seal(self, text: str, *, purpose: str, bound_to: str) -> str:
        """AES-256-GCM, as text; opens only for the same purpose and `bound_to`, such as `identity_totp:per_…`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self.derive(purpose)).encrypt(nonce, text.encode(), bound_to.encode())
        return f"{_VERSION}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, *, purpose: str, bound_to: str) -> str:
        """What was sealed. Raises KeyUnusable when it was changed, moved elsewhere, or sealed with another key."""
        version, _, body = sealed.partition(".")
        try:
            raw = base64.urlsafe_b64decode(body)
            if version != _VERSION:
                raise ValueError(version)
            plain = AESGCM(self.derive(purpose)).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound_to.encode())
        except (InvalidTag, ValueError):
            raise KeyUnusable(f"What is kept for {purpose} can't be opened with this installation's key.") from None
        return plain.decode()


def read_key_file(file: Path) -> InstallationKey:
    """The key in a file of 64 hexadecimal digits. Raises KeyUnusable."""
    try:
        secret = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise KeyUnusable(f"{file} can't be read as a key of 64 hexadecimal digits: {type(error).__name__}.") from None
    if len(secret) != KEY_BYTES:
        raise KeyUnusable(f"{file} holds {len(secret)} bytes; a key has {KEY_BYTES}.")
    return InstallationKey(secret)


def key_in_directory(data: Path) -> InstallationKey:
    """The key of a data directory, made on first use with mode 0600. Raises KeyUnusable when it is damaged."""
    file = data / KEY_FILE
    if not file.exists():
        # Put in place whole: a file cut short by a crash would be a key that fits nothing.
        beside = data / f"{KEY_FILE}.{os.getpid()}"
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
            handle.write(secrets.token_hex(KEY_BYTES))
            handle.flush()
            os.fsync(handle.fileno())
        beside.replace(file)
    return read_key_file(file)


def key_in_database(session: Session) -> InstallationKey:
    """The key that replicas share through the database, made by the first of them."""
    fresh = {"name": _NAME, "secret": secrets.token_hex(KEY_BYTES)}
    session.execute(insert_for(session, shared_keys).values(fresh).on_conflict_do_nothing())
    held = session.execute(select(shared_keys.c.secret).where(shared_keys.c.name == _NAME)).scalar_one()
    return InstallationKey(bytes.fromhex(held))


def require_same_key(session: Session, key: InstallationKey) -> None:
    """Remember this key's mark, or raise KeyUnusable when the database was written with another key."""
    mark = key.derive("mark").hex()
    session.execute(insert_for(session, shared_keys).values(name=_MARK, secret=mark).on_conflict_do_nothing())
    if session.execute(select(shared_keys.c.secret).where(shared_keys.c.name == _MARK)).scalar_one() != mark:
        raise KeyUnusable(
            "The database was written with another installation key. Bring back installation.key of its data "
            "directory, or set WATCHKEEPER_KEY_FILE to the key that its replicas share."
        )
