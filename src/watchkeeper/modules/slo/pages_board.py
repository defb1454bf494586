"""What needs attention, with what was changed just before: for whoever is on call, the wall, home and services."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from watchkeeper.modules.slo.changes import Change, suspects
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.model import AlertState, Exclusion, Figures, Status
from watchkeeper.modules.slo.pages_words import NEEDS_ATTENTION, Row

_MOST_CARDS = 30
# Whoever has more than these on fire looks for one cause, not for thirty.
_MOST_EXPLAINED = 8


@dataclass(frozen=True)
class Card:
    """An objective that needs attention."""

    row: Row
    alerts: tuple[AlertState, ...]
    suspects: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Board:
    """Only what needs attention, worst first, and what is left out right now; `more` need attention than have cards."""

    cards: tuple[Card, ...]
    more: int
    met: int
    unknown: int
    exclusions: tuple[Exclusion, ...] = ()

    @property
    def attention(self) -> int:
        """How many need it."""
        return len(self.cards) + self.more


def board(session: Session, engine: Engine, found: Iterable[Figures], exclusions: Sequence[Exclusion] = ()) -> Board:
    """`found` is worst first and stays so."""
    found = list(found)
    urgent = [one for one in found if one.status in NEEDS_ATTENTION]
    return Board(
        cards=tuple(
            Card(Row.of(one), one.alerts, suspects_of(session, engine, one) if number < _MOST_EXPLAINED else ())
            for number, one in enumerate(urgent[:_MOST_CARDS])
        ),
        more=max(0, len(urgent) - _MOST_CARDS),
        met=sum(one.status is Status.MET for one in found),
        unknown=sum(one.status is Status.NO_DATA for one in found),
        exclusions=tuple(exclusions),
    )


def suspects_of(session: Session, engine: Engine, one: Figures) -> tuple[Change, ...]:
    """What was changed just before the budget began to burn, for the alert that is open."""
    tracker = engine.tracker(one.definition.name, one.objective.name)
    alert = next((each for each in one.alerts if each.kind == "burn"), None)
    if tracker is None or alert is None:
        return ()
    with engine.lock:
        return tuple(suspects(session, one.definition, tracker, alert))
