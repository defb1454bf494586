"""Who lives in Duet: a made-up population that is the same in every process and at every start."""

from __future__ import annotations

import random
from dataclasses import dataclass

REGIONS = ("DE", "FR", "GB", "US")
QUESTIONS = 25
_NAMES = ("Ada", "Ben", "Cleo", "Dario", "Elif", "Finn", "Greta", "Hugo", "Ines", "Jon", "Kira", "Leo", "Mina", "Noor")
_TOPICS = ("cooking", "hiking", "jazz", "chess", "cinema", "cycling", "poetry", "climbing", "gardens", "ceramics")


@dataclass(frozen=True)
class Person:
    """One member of Duet. `code` is what signs them in."""

    user_id: str
    name: str
    region: str
    age: int
    bio: str
    code: str
    answers: tuple[int, ...]
    interests: tuple[str, ...]
    plan: str


@dataclass(frozen=True)
class Account:
    """Who signs in and is no member."""

    user_id: str
    code: str


# What carries messages to the phones of members who have no connection open, as the makers of phones run one.
PUSH_NETWORK = Account("push_network", "580114")
# Who looks at reports.
TRUST_AND_SAFETY = Account("staff_trust_and_safety", "402967")
STAFF = (PUSH_NETWORK, TRUST_AND_SAFETY)


def population(count: int) -> list[Person]:
    """The first `count` members."""
    return [_person(number) for number in range(count)]


def user_id(number: int) -> str:
    return f"usr_{number:05d}"


def _person(number: int) -> Person:
    source = random.Random(f"duet person {number}")
    name = source.choice(_NAMES)
    interests = tuple(source.sample(_TOPICS, 6))
    return Person(
        user_id=user_id(number),
        name=name,
        region=source.choice(REGIONS),
        age=source.randint(19, 64),
        bio=f"{name} likes {interests[0]} and {interests[1]}.",
        code=f"{source.randrange(1_000_000):06d}",
        answers=tuple(source.randrange(4) for _ in range(QUESTIONS)),
        interests=interests,
        # One in five pays.
        plan="premium" if number % 5 == 0 else "free",
    )
