"""Making checkpoints: what the journal is now, signed, so that nobody can say later that it was something else."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.journal.tables import journal
from watchkeeper.kernel.journal.verifier import (
    KEYS_FOLDER,
    WITNESS_DIGITS,
    Checkpoint,
    CheckpointsUnusable,
    canonical_json,
    key_id,
    read_checkpoints,
)

# Rows in one checkpoint at most: after a long time without any, there are several.
LARGEST = 1_000


@dataclass(frozen=True)
class SigningKey:
    """The Ed25519 key that one server signs checkpoints with."""

    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def kept_in(cls, file: Path) -> SigningKey:
        """The key in a file of 64 hexadecimal digits, made with mode 0600 on first use. Raises ValueError."""
        if not file.exists():
            made = Ed25519PrivateKey.generate()
            raw = made.private_bytes_raw()
            beside = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
                handle.write(raw.hex())
                handle.flush()
                os.fsync(handle.fileno())
            beside.replace(file)
        return cls(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(file.read_text(encoding="ascii").strip())))

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    @property
    def id(self) -> str:
        return key_id(self.public)

    def sign(self, unsigned: Checkpoint) -> Checkpoint:
        """The same checkpoint, signed by this key."""
        named = replace(unsigned, key=self.id)
        signature = self.private.sign(canonical_json(named.body()).encode())
        return replace(named, signature=base64.b64encode(signature).decode())


def next_checkpoint(session: Session, key: SigningKey, since: int, at: datetime) -> Checkpoint | None:
    """A checkpoint of the rows after seq `since`, at most 1,000 of them; None when there are none."""
    rows = session.execute(
        select(journal.c.seq, journal.c.hash).where(journal.c.seq > since).order_by(journal.c.seq).limit(LARGEST)
    ).all()
    if not rows:
        return None
    unsigned = Checkpoint(
        since=since,
        seq=rows[-1].seq,
        hash=rows[-1].hash,
        first=session.execute(select(journal.c.hash).where(journal.c.seq == 1)).scalar_one(),
        rows="".join(row.hash[:WITNESS_DIGITS] for row in rows),
        at=rfc3339(at),
        key="",
        signature="",
    )
    return key.sign(unsigned)


def fits(session: Session, known: Checkpoint) -> bool:
    """Whether the journal still has the row that a checkpoint was made of."""
    return session.execute(select(journal.c.hash).where(journal.c.seq == known.seq)).scalar() == known.hash


class CheckpointFile:
    """The checkpoints of one key in a folder, appended durably, with the public key beside them in `keys/`."""

    def __init__(self, folder: Path, key: SigningKey) -> None:
        self._folder = folder
        self._key = key
        self.path = folder / f"{key.id}.ndjson"

    def open(self) -> Checkpoint | None:
        """Make the folder and the public key's file where missing, mend a line that a crash cut off, and answer the
        last checkpoint. Raises CheckpointsUnusable or OSError."""
        keys = self._folder / KEYS_FOLDER
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        public = keys / f"{self._key.id}.pub"
        if not public.exists():
            public.write_text(base64.b64encode(self._key.public).decode() + "\n", encoding="ascii")
        if not self.path.exists():
            return None
        self._drop_torn_line()
        own = [one for one in read_checkpoints(self._folder) if one.key == self._key.id]
        return max(own, key=lambda one: one.seq, default=None)

    def append(self, checkpoint: Checkpoint) -> None:
        """Durable when it returns. Raises OSError."""
        is_new = not self.path.exists()
        with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as handle:
            handle.write(checkpoint.line().encode() + b"\n")
            handle.flush()
            os.fsync(handle.fileno())
        if is_new:
            _sync_folder(self._folder)

    def set_aside(self, mark: str) -> None:
        """Begin anew, for a journal that was restored: the old file stays beside it and is verified no more."""
        if self.path.exists():
            self.path.rename(self.path.with_suffix(f".before-{mark}"))
            _sync_folder(self._folder)

    def _drop_torn_line(self) -> None:
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with self.path.open("r+b") as handle:
                handle.truncate(whole)
                os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


__all__ = ["CheckpointFile", "CheckpointsUnusable", "SigningKey", "fits", "next_checkpoint"]
