"""What members mean to do, decided before they do it: the same seed makes the same day."""

from __future__ import annotations

import random
from dataclasses import dataclass

_OPENERS = ("Hello", "Good to meet you", "How was your week", "You like jazz too", "Coffee on Saturday", "Which trail")
_PICTURES = ("🙂", "😂", "😍", "🥾", "🎷")  # the last two are newer than one of the releases thinks
_MISSPELL = 0.02
_ACCEPT = 0.6
_PICTURE = 0.2


@dataclass(frozen=True)
class Intentions:
    """One visit. `pauses` are taken before each request, in turn and again."""

    member: int
    wrong_code: bool
    looks_at: int
    decisions: tuple[bool, ...]
    messages: tuple[str, ...]
    pauses: tuple[float, ...]

    @property
    def requests(self) -> int:
        """How many requests the visit makes when nothing fails and somebody is there to write to."""
        if self.wrong_code:
            return 2 + self._after_login
        return 1 + self._after_login

    @property
    def _after_login(self) -> int:
        chatting = 2 + len(self.messages) if self.messages else 0
        return 3 + len(self.decisions) + chatting


def intend(seed: int, visit: int, members: int) -> Intentions:
    """What visit number `visit` will try to do."""
    source = random.Random(f"duet {seed} {visit}")
    return Intentions(
        member=source.randrange(members),
        wrong_code=source.random() < _MISSPELL,
        looks_at=source.randrange(members),
        decisions=tuple(source.random() < _ACCEPT for _ in range(source.randint(2, 5))),
        messages=tuple(_message(source) for _ in range(source.choice((0, 1, 1, 2, 2, 3, 4)))),
        pauses=tuple(round(source.uniform(0.1, 1.2), 3) for _ in range(8)),
    )


def requests_per_visit(seed: int, members: int) -> float:
    """The mean of the first thousand visits, to turn requests a second into visits a second."""
    return sum(intend(seed, visit, members).requests for visit in range(1000)) / 1000


def _message(source: random.Random) -> str:
    text = source.choice(_OPENERS) + source.choice(("?", "!", "."))
    return f"{text} {source.choice(_PICTURES)}" if source.random() < _PICTURE else text
