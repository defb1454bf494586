"""Who is in a percentage: the same answer in every process and language, for ever.

x = fmix32(crc32(UTF-8 of user, crc32(UTF-8 of salt + ":"))), and a user is in when x < percent / 100 * 2**32. CRC-32 is
that of zlib; fmix32 is the finalizer of MurmurHash3 (Austin Appleby, public domain). Raising a percentage keeps
everybody who was in; another salt draws anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeVar
from zlib import crc32

T = TypeVar("T")
_SPAN = 2**32


def bucket(salt: str, user: str) -> int:
    """The user's place from 0 to 2**32 - 1 under a salt."""
    return _fmix32(crc32(_utf8(user), crc32(_utf8(f"{salt}:"))))


def threshold(percent: float) -> int:
    """Places below it are in; percent is from 0 to 100."""
    return min(_SPAN, max(0, math.ceil(percent / 100 * _SPAN)))


def chooser(salt: str, percent: float, weighted: Mapping[T, float]) -> Callable[[str | None], T | None]:
    """Decides which of `weighted` a user gets; None for who is outside, and for nobody in particular below 100 %."""
    most = threshold(percent)
    split = _splitter(f"{salt}:variant", weighted)
    if most == _SPAN and len(weighted) == 1:
        only = next(iter(weighted))
        return lambda user: only  # noqa: ARG005 (everybody, known or not)
    single = next(iter(weighted)) if len(weighted) == 1 else None
    start = crc32(_utf8(f"{salt}:"))

    def choose(user: str | None) -> T | None:
        if user is None:
            return None
        x = crc32(user.encode("utf-8", "surrogatepass"), start)
        # fmix32, written out: this is the hot path.
        x = ((x ^ x >> 16) * 0x85EBCA6B) & 0xFFFFFFFF
        x = ((x ^ x >> 13) * 0xC2B2AE35) & 0xFFFFFFFF
        if x ^ x >> 16 >= most:
            return None
        return single if single is not None else split(user)

    return choose


def _splitter(salt: str, weighted: Mapping[T, float]) -> Callable[[str], T]:
    total = sum(weighted.values())
    steps: list[tuple[int, T]] = []
    reached = 0.0
    for one, weight in weighted.items():
        reached += weight
        steps.append((math.ceil(reached / total * _SPAN), one))

    def split(user: str) -> T:
        place = bucket(salt, user)
        return next((one for most, one in steps if place < most), steps[-1][1])

    return split


def _fmix32(x: int) -> int:
    x = ((x ^ x >> 16) * 0x85EBCA6B) & 0xFFFFFFFF
    x = ((x ^ x >> 13) * 0xC2B2AE35) & 0xFFFFFFFF
    return x ^ x >> 16


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
