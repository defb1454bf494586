"""Argon2id off the event loop, bounded, with one path for everybody."""

from __future__ import annotations

import asyncio
import time

import pytest
from argon2 import PasswordHasher

from tests.identity.support import CHEAP
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.modules.identity.hashing import Cost, Passwords, Verdict

GOOD = "plum tractor winter seven"


def test_a_password_fits_its_own_hash_only() -> None:
    async def scene() -> None:
        passwords = Passwords(CHEAP)
        stored = await passwords.hash(GOOD)
        assert stored.startswith("$argon2id$")
        assert GOOD not in stored
        assert await passwords.check(GOOD, stored) == Verdict(True)
        assert await passwords.check(GOOD + " ", stored) == Verdict(False)

    asyncio.run(scene())


def test_the_same_password_typed_on_another_system_fits() -> None:
    async def scene() -> None:
        passwords = Passwords(CHEAP)
        stored = await passwords.hash("gie\u00dfkanne-m\u00fcller-h\u00f6he")
        assert (await passwords.check("gie\u00dfkanne-mu\u0308ller-ho\u0308he", stored)).matches

    asyncio.run(scene())


def test_the_default_costs_what_rfc_9106_asks_for() -> None:
    stored = asyncio.run(Passwords().hash(GOOD))
    assert "$m=65536,t=3,p=4$" in stored


def test_an_old_hash_is_made_anew_with_todays_cost() -> None:
    async def scene() -> None:
        old = PasswordHasher(1, 8, 1).hash(GOOD)
        dearer = Passwords(Cost(passes=2, memory_kib=16, lanes=1))
        verdict = await dearer.check(GOOD, old)
        assert verdict.matches
        assert verdict.rehashed is not None
        assert "$m=16,t=2,p=1$" in verdict.rehashed
        assert await dearer.check(GOOD, verdict.rehashed) == Verdict(True)
        assert await dearer.check("another password altogether", old) == Verdict(False)

    asyncio.run(scene())


@pytest.mark.parametrize(
    "stored", ["", "plain text", "$argon2id$v=19$m=8,t=1,p=1$broken", "$2b$12$abcdefghijklmnopqrstuv"]
)
def test_a_damaged_hash_signs_nobody_in(stored: str) -> None:
    assert asyncio.run(Passwords(CHEAP).check(GOOD, stored)) == Verdict(False)


def test_nobody_takes_as_long_as_somebody() -> None:
    async def scene() -> None:
        passwords = Passwords(Cost(passes=2, memory_kib=16_384, lanes=1))
        stored = await passwords.hash(GOOD)
        await passwords.check("warming up the decoy", None)

        async def fastest(against: str | None) -> float:
            times = []
            for _ in range(5):
                start = time.perf_counter()
                await passwords.check("a wrong but long password", against)
                times.append(time.perf_counter() - start)
            return min(times)

        known, unknown = await fastest(stored), await fastest(None)
        assert known / 3 < unknown < known * 3

    asyncio.run(scene())


def test_a_password_as_long_as_a_book_costs_no_more_and_never_fits() -> None:
    async def scene() -> None:
        passwords = Passwords(CHEAP)
        stored = await passwords.hash(GOOD)
        assert await passwords.check(GOOD + "x" * 1_000_000, stored) == Verdict(False)

    asyncio.run(scene())


def test_a_lone_surrogate_fits_nothing_and_breaks_nothing() -> None:
    async def scene() -> None:
        passwords = Passwords(CHEAP)
        stored = await passwords.hash("what is the question?")
        assert not (await passwords.check("what is the question\ud800", stored)).matches

    asyncio.run(scene())


def test_at_most_two_hash_at_once_and_the_event_loop_goes_on() -> None:
    async def scene() -> None:
        passwords = Passwords(Cost(passes=2, memory_kib=16_384, lanes=1))
        turns = 0

        async def heartbeat() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.001)
                turns += 1

        beating = asyncio.create_task(heartbeat())
        await asyncio.gather(*(passwords.hash(GOOD) for _ in range(10)))
        beating.cancel()
        assert turns >= 5
        assert len(passwords._pool._threads) <= 2

    asyncio.run(scene())


def test_a_storm_is_told_to_come_back_rather_than_queued_without_end() -> None:
    async def scene() -> None:
        passwords = Passwords(CHEAP, at_once=1, waiting=3)
        results = await asyncio.gather(*(passwords.check(GOOD, None) for _ in range(50)), return_exceptions=True)
        refused = [result for result in results if isinstance(result, Unavailable)]
        assert len(refused) == 46
        assert refused[0].headers["Retry-After"]
        assert await passwords.check(GOOD, None) == Verdict(False)

    asyncio.run(scene())
