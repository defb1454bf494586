"""Counting who a condition holds for, over subjects as they come from the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.modules.subjects import store
from watchkeeper.modules.subjects.model import record_of
from watchkeeper_client.rules import compile_condition

SAMPLE = 100_000
PATIENCE_SECONDS = 3.0
_SHOWN = 5
_LOOK_AT_CLOCK_EVERY = 1_000
_OWN = {"country": "country", "birth_year": "birth_year", "age": "birth_year", "status": "status"}

Condition = Mapping[str, Any]


@dataclass(frozen=True)
class Tally:
    """How many of those looked at match. Of more subjects than were looked at, the count is an estimate."""

    matched: int
    looked_at: int
    total: int
    samples: tuple[str, ...] = ()

    @property
    def is_estimate(self) -> bool:
        return self.looked_at < self.total

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return min(1.0, self.matched / self.looked_at) if self.looked_at else 0.0

    @property
    def count(self) -> int:
        return round(self.share * self.total) if self.is_estimate else self.matched


def tally(
    session: Session,
    conditions: Mapping[str, Condition],
    now: datetime,
    *,
    clock: Clock | None = None,
    most: int | None = SAMPLE,
    patience: float = PATIENCE_SECONDS,
    enough: int | None = None,
) -> dict[str, Tally]:
    """One pass over a fair sample of `most` subjects (None: all) for all conditions.

    Ends early once each has `enough` matches, and, given a clock, when `patience` seconds are over.
    """
    total = store.total(session)
    tests = {name: compile_condition(one, _no_segment, lambda: now) for name, one in conditions.items()}
    matched = dict.fromkeys(tests, 0)
    samples: dict[str, list[str]] = {name: [] for name in tests}
    until = clock.monotonic() + patience if clock is not None else 0.0
    looked_at = 0
    for subject, record in _records(session, columns_of(conditions.values()), now, most):
        looked_at += 1
        for name, test in tests.items():
            if test(subject, record):
                matched[name] += 1
                if len(samples[name]) < _SHOWN:
                    samples[name].append(subject)
        if enough is not None and min(matched.values()) >= enough:
            break
        if looked_at % _LOOK_AT_CLOCK_EVERY == 0 and clock is not None and clock.monotonic() > until:
            break
    return {name: Tally(matched[name], looked_at, max(total, looked_at), tuple(samples[name])) for name in tests}


def anybody(session: Session, condition: Condition, clock: Clock) -> Tally:
    """Looks until it finds somebody, among all subjects if need be, but not for ever."""
    return tally(session, {"": condition}, clock.now(), clock=clock, most=None, patience=5.0, enough=1)[""]


def columns_of(conditions: Any) -> list[str]:
    """The columns that conditions ask for; reading the others would take most of the time."""
    wanted: set[str] = set()
    waiting = list(conditions)
    while waiting:
        one = waiting.pop()
        if "attribute" in one:
            name = one["attribute"]
            wanted.add(_OWN.get(name, "last_active_at" if name == "last_active_at" else "attributes"))
        waiting += one.get("all", ()) or one.get("any", ()) or ([one["not"]] if "not" in one else [])
    return sorted(wanted)


def _records(
    session: Session, columns: list[str], now: datetime, most: int | None
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for row in store.stream(session, columns, most=most):
        yield row[0], record_of(dict(zip(columns, row[1:], strict=True)), now)


def _no_segment(_name: str) -> Any:
    raise AssertionError("segments name no other segments")
