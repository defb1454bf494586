"""Argon2id in a small pool of its own: it takes 64 MiB and a tenth of a second, which the event loop can't spare."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from watchkeeper.kernel.errors import Unavailable
from watchkeeper.modules.identity.passwords import LONGEST, normalise

T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    """Argon2id's parameters; the default is the second recommendation of RFC 9106."""

    passes: int = 3
    memory_kib: int = 65_536
    lanes: int = 4


@dataclass(frozen=True)
class Verdict:
    """Whether the password fits, and a fresh hash when the stored one was made with other parameters."""

    matches: bool
    rehashed: str | None = None


class Passwords:
    """Hashes and checks passwords, at most `at_once` at a time; more than `waiting` in line are refused."""

    def __init__(self, cost: Cost | None = None, *, at_once: int = 2, waiting: int = 32) -> None:
        cost = cost or Cost()
        self._hasher = PasswordHasher(cost.passes, cost.memory_kib, cost.lanes)
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="argon2")
        self._room = at_once + waiting
        self._inside = 0
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """The hash to store. Raises Unavailable when too many wait already."""
        return await self._run(lambda: self._hasher.hash(_bytes(password)))

    async def check(self, password: str, stored: str | None) -> Verdict:
        """Compare; `stored=None` (nobody has this e-mail) takes the same path and time and never matches."""
        return await self._run(lambda: self._check(password, stored))

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _check(self, password: str, stored: str | None) -> Verdict:
        if len(password) > LONGEST * 4:  # no accepted password is that long, even before normalising
            password, stored = "", None
        matches = _verify(self._hasher, stored or self._decoy_hash(), _bytes(password))
        if stored is None or not matches:
            return Verdict(False)
        stale = self._hasher.check_needs_rehash(stored)
        return Verdict(True, self._hasher.hash(_bytes(password)) if stale else None)

    def _decoy_hash(self) -> str:
        # Made once, on first need: at start it would cost a tenth of a second that nobody asked for.
        if self._decoy is None:
            self._decoy = self._hasher.hash(secrets.token_urlsafe(24))
        return self._decoy

    async def _run(self, work: Callable[[], T]) -> T:
        if self._inside >= self._room:
            raise Unavailable("Too many people are signing in at this moment; try again in a few seconds.")
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._inside -= 1


def _bytes(password: str) -> bytes:
    return normalise(password).encode("utf-8", "surrogatepass")


def _verify(hasher: PasswordHasher, stored: str, password: bytes) -> bool:
    try:
        return hasher.verify(stored, password)
    except VerifyMismatchError:
        return False
    except (InvalidHashError, VerificationError):
        # A row damaged or written by a foreign tool signs nobody in, and is no reason for a 500.
        return False
