"""How suspicious a change is when something broke: one measure for every page that names what may be to blame.

It is pure arithmetic on what is known of each change, so that it can be argued with: nearness in time by how fast that
kind of change usually shows, nearness in the graph of who calls whom, how large the change is, and whether it was still
in force. It is no proof. Whoever reads it is told why each change stands where it does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from watchkeeper.kernel.journal import Effect

# A parameter is everywhere within seconds; a release rolls out, and fills its queues and caches first.
_SHOWS_WITHIN = {Effect.CODE: timedelta(minutes=20), Effect.BEHAVIOUR: timedelta(minutes=10)}
_KINDS = {Effect.CODE: 1.0, Effect.BEHAVIOUR: 0.9, Effect.WORDS: 0.02, Effect.NONE: 0.01}
_STEPS = (1.0, 0.6, 0.4)
_FURTHER = 0.3
# What calls the thing that failed first suffers from it; now and then it is what made it fail.
_ABOVE = 0.4
_UNRELATED = 0.05
_ELSEWHERE = 0.1
_UNDONE = 0.15
_PUTS_BACK = 0.4
_SMALLEST = 0.25
# From here on a change is called a suspect. Below it stands whatever else was changed.
SUSPECT_FROM = 0.35
_DOUBLINGS = 3.0  # eight times as much, or an eighth, is as large as a number's change gets


@dataclass(frozen=True)
class Clue:
    """What is known of one change.

    `steps` is how many calls its service is away from where it broke, None when nothing that broke calls it. `above`
    says that it is the other way round: it calls what broke first. `size` is 0..1.
    """

    at: datetime
    effect: Effect
    steps: int | None
    above: bool = False
    size: float = 1.0
    elsewhere: bool = False
    undone_at: datetime | None = None
    puts_back: bool = False


@dataclass(frozen=True)
class Suspicion:
    """0..1, and why in words."""

    score: float
    why: tuple[str, ...]

    @property
    def is_suspect(self) -> bool:
        return self.score >= SUSPECT_FROM


@dataclass(frozen=True)
class Ground:
    """The services that matter when some broke: how many calls away from where it began, and who calls those."""

    steps: Mapping[str, int]
    above: frozenset[str] = frozenset()

    @property
    def services(self) -> tuple[str, ...]:
        return (*self.steps, *sorted(self.above))


def suspicion(clue: Clue, onset: datetime) -> Suspicion:
    """How suspicious a change is of what began at `onset`; one that came after it is not at all."""
    if clue.at > onset:
        return Suspicion(0.0, ("came after it began",))
    ahead = onset - clue.at
    factors: list[tuple[float, str | None]] = [
        (_KINDS[clue.effect], None if clue.effect in _SHOWS_WITHIN else "changes nothing of how it runs"),
        (_soon(ahead, clue.effect), _before(ahead)),
        _place(clue),
        _size(clue),
    ]
    if clue.elsewhere:
        factors.append((_ELSEWHERE, "in another environment"))
    if clue.undone_at is not None and clue.undone_at <= onset:
        factors.append((_UNDONE, "was undone before it began"))
    if clue.puts_back:
        factors.append((_PUTS_BACK, "puts back what was before"))
    return Suspicion(math.prod(factor for factor, _ in factors), tuple(why for _, why in factors if why))


def magnitude(before: Any, after: Any) -> float:
    """How large the change of a value is, 0..1: a number by how many times it was doubled or halved."""
    if before == after and type(before) is type(after):
        return 0.0
    if isinstance(before, bool) or isinstance(after, bool):
        return 0.9
    if isinstance(before, (int, float)) and isinstance(after, (int, float)):
        if not before or not after or (before > 0) != (after > 0):
            return 1.0
        return min(1.0, 0.1 + abs(math.log2(abs(after)) - math.log2(abs(before))) / _DOUBLINGS)
    return 0.7


def together(sizes: Iterable[float]) -> float:
    """The size of several changes that were made at once: at least that of the largest, at most 1."""
    return 1.0 - math.prod(1.0 - size for size in sizes)


def ground_of(services: Sequence[str], failing: Iterable[str], calls: Mapping[str, Sequence[str]]) -> Ground:
    """Where to look when these services suffer and those that are `failing` (some of them may be far away) fail too.

    What fails and calls nothing else that fails is where it began: harm goes from the called to the callers.
    """
    below = reached(services, calls)
    broken = tuple(dict.fromkeys((*services, *(one for one in below if one in set(failing)))))
    first = [one for one in broken if not any(other in broken for other in reached([one], calls) if other != one)]
    steps = reached(first or broken, calls)
    return Ground(steps, frozenset(below) - steps.keys())


def reached(services: Sequence[str], calls: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """These services and all that they call, directly or through others, by how many calls away; the nearest first."""
    found: dict[str, int] = {}
    waiting, step = list(dict.fromkeys(services)), 0
    while waiting:
        found |= dict.fromkeys(waiting, step)
        called = (name for one in waiting for name in calls.get(one, ()) if name not in found)
        waiting, step = list(dict.fromkeys(called)), step + 1
    return found


def _soon(ahead: timedelta, effect: Effect) -> float:
    return 1.0 / (1.0 + ahead / _SHOWS_WITHIN.get(effect, timedelta(minutes=10)))


def _before(ahead: timedelta) -> str:
    minutes = int(ahead.total_seconds() // 60)
    if minutes < 1:
        return "less than a minute before it began"
    return f"{minutes} min before it began" if minutes < 120 else f"{minutes // 60} h before it began"


def _place(clue: Clue) -> tuple[float, str | None]:
    if clue.above:
        return _ABOVE, "at a caller of what failed first"
    if clue.steps is None:
        return _UNRELATED, "at a service that has no part in it"
    if clue.steps == 0:
        return 1.0, "where it broke"
    factor = _STEPS[clue.steps] if clue.steps < len(_STEPS) else _FURTHER
    return factor, "at what it calls" if clue.steps == 1 else f"{clue.steps} calls away"


def _size(clue: Clue) -> tuple[float, str | None]:
    factor = _SMALLEST + (1.0 - _SMALLEST) * clue.size
    if clue.effect is Effect.CODE:
        return factor, "other code" if clue.size >= 1 else "other code for some"
    if clue.effect is not Effect.BEHAVIOUR:
        return factor, None
    return factor, "a large change" if clue.size >= 0.6 else "a small change" if clue.size < 0.3 else None
