"""What members mean to do, decided before they do it: the same seed makes the same day."""

from __future__ import annotations

import random
from dataclasses import dataclass

_OPENERS = ("Hello", "Good to meet you", "How was your week", "You like jazz too", "Coffee on Saturday", "Which trail")
_PICTURES = ("🙂", "😂", "😍", "🥾", "🎷")  # the last two are newer than one of the releases thinks
_MISSPELL = 0.02
_ACCEPT = 0.6
_PICTURE = 0.2
_REPORT = 0.08
_TUNNEL = 0.01
# What is reported: most of it is unpleasant, some of it can't wait.
_CATEGORIES = (
    *("inappropriate_content", "other", "inappropriate_content", "harassment", "scam", "harassment"),
    *("violence", "self_harm", "child_safety"),
)


@dataclass(frozen=True)
class Intentions:
    """One visit. `pauses` are taken before each request, in turn and again. `tunnel` is for how many seconds the phone
    loses its connection; `report` is the category of a report about the person looked at."""

    member: int
    wrong_code: bool
    looks_at: int
    decisions: tuple[bool, ...]
    messages: tuple[str, ...]
    pauses: tuple[float, ...]
    report: str | None = None
    tunnel: float | None = None

    @property
    def requests(self) -> int:
        """How many requests the visit makes when nothing fails and somebody is there to write to."""
        if self.wrong_code:
            return 2 + self._after_login
        return 1 + self._after_login

    @property
    def _after_login(self) -> int:
        chatting = 2 + len(self.messages) if self.messages else 0
        return 4 + len(self.decisions) + chatting + (self.report is not None)


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
        report=source.choice(_CATEGORIES) if source.random() < _REPORT else None,
        tunnel=round(source.uniform(0.3, 1.5), 3) if source.random() < _TUNNEL else None,
    )


def requests_per_visit(seed: int, members: int) -> float:
    """The mean of the first thousand visits, to turn requests a second into visits a second.

    With each message comes the receipt of whom it was written to.
    """
    visits = [intend(seed, visit, members) for visit in range(1000)]
    return sum(visit.requests + len(visit.messages) for visit in visits) / 1000


def _message(source: random.Random) -> str:
    text = source.choice(_OPENERS) + source.choice(("?", "!", "."))
    return f"{text} {source.choice(_PICTURES)}" if source.random() < _PICTURE else text
