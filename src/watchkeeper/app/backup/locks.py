"""What a backup is locked with: a passphrase that people keep, or the installation's key."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from watchkeeper.app.backup.errors import BackupDamaged, PassphraseRefused, WrongKey
from watchkeeper.kernel.keys import InstallationKey

SHORTEST = 15
PASSPHRASE = "passphrase"  # noqa: S105 (the name of a kind)
INSTALLATION = "installation"
_SALT_BYTES = 16


@dataclass(frozen=True)
class Cost:
    """What one guess at a passphrase costs: 128 * r * n bytes of memory and about half a second."""

    n: int = 2**17
    r: int = 8
    p: int = 1


@dataclass(frozen=True)
class Lock:
    """A key of 32 bytes, and what has to be known, beside a secret, to find it again."""

    public: Mapping[str, Any]
    key: bytes = field(repr=False)

    @property
    def kind(self) -> str:
        return str(self.public["kind"])


def lock_by_passphrase(passphrase: str, cost: Cost | None = None) -> Lock:
    """A lock for one backup. Raises PassphraseRefused for a short one."""
    if len(passphrase) < SHORTEST:
        raise PassphraseRefused(f"A passphrase for backups has {SHORTEST} characters or more.")
    salt = secrets.token_bytes(_SALT_BYTES)
    cost = cost or Cost()
    return Lock({"kind": PASSPHRASE, "salt": salt.hex(), **vars(cost)}, _stretched(passphrase, salt, cost))


def lock_by_key(key: InstallationKey) -> Lock:
    """A lock that the installation's key opens."""
    return Lock({"kind": INSTALLATION}, key.derive("backup"))


def passphrase_in(file: Path) -> str:
    """The passphrase in a file: its text without the line end. Raises PassphraseRefused."""
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise PassphraseRefused(f"{file} can't be read as a passphrase: {type(error).__name__}.") from None


@dataclass(frozen=True)
class Keys:
    """What somebody has to open a backup with; the passphrase is asked for only when it is needed."""

    installation: InstallationKey | None = None
    passphrase: Callable[[], str | None] = lambda: None

    def open(self, public: Mapping[str, Any]) -> bytes:
        """The key of a lock. Raises WrongKey when the secret that it wants is not here."""
        if public["kind"] == INSTALLATION:
            if self.installation is None:
                raise WrongKey("This backup opens with the installation's key (installation.key, or --key-file).")
            return self.installation.derive("backup")
        given = self.passphrase()
        if not given:
            raise WrongKey("This backup opens with a passphrase (--passphrase-file).")
        return _stretched(given, bytes.fromhex(public["salt"]), Cost(public["n"], public["r"], public["p"]))


def checked(public: Any) -> Mapping[str, Any]:
    """What a header says about its lock, when it makes sense. Raises BackupDamaged."""
    if isinstance(public, dict) and public.get("kind") == INSTALLATION:
        return public
    try:
        numbers = [public[name] for name in ("n", "r", "p")]
        bytes.fromhex(public["salt"])
        # A file that asks for more would take all the memory of whoever opens it.
        fine = public["kind"] == PASSPHRASE and numbers[0].bit_count() == 1
        fine = fine and 2 <= numbers[0] <= 2**20 and 1 <= numbers[1] <= 16 and 1 <= numbers[2] <= 4
    except (KeyError, TypeError, ValueError, AttributeError):
        fine = False
    if not fine:
        raise BackupDamaged("header", "it names no lock that is known")
    found: Mapping[str, Any] = public
    return found


def _stretched(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    return Scrypt(salt=salt, length=32, n=cost.n, r=cost.r, p=cost.p).derive(passphrase.encode())
