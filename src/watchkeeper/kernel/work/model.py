"""Due work: what a row is, what a handler promises, and how long a failure waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from sqlalchemy.orm import Session

from watchkeeper.kernel.journal import Event, Subject


class State(StrEnum):
    """`due` covers both waiting and leased rows: a lease that ran out needs nobody's help to be due again."""

    DUE = "due"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Task:
    """A leased row. `key` is the idempotency key to hand to whatever is called; `token` fences a late finisher off."""

    id: str
    kind: str
    key: str
    payload: Mapping[str, Any]
    attempts: int
    token: int


class Handler(Protocol):
    """What a kind of work does. It is run at least once: after a crash, again, with the same key."""

    def act(self, task: Task) -> Any:
        """The part that takes time or leaves the machine; outside any transaction."""
        ...

    def finish(self, session: Session, task: Task, result: Any) -> None:
        """Record the result and enqueue what follows, in the transaction that marks the row done."""
        ...


@dataclass(frozen=True)
class Transactional:
    """A handler whose whole work is one transaction."""

    verb: Callable[[Session, Task], None]

    def act(self, task: Task) -> None:
        """Nothing leaves the machine."""

    def finish(self, session: Session, task: Task, result: Any) -> None:  # noqa: ARG002
        self.verb(session, task)


@dataclass(frozen=True)
class Backoff:
    """Pauses after failures: doubling, capped, with full jitter so that a thousand rows don't come back as one."""

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(minutes=5)
    most_attempts: int = 10

    def pause(self, attempts: int, chance: float) -> timedelta:
        """The wait after the `attempts`-th failure (1 is the first); `chance` in [0, 1) picks a point in it."""
        ceiling: timedelta = min(self.first * 2 ** min(attempts - 1, 30), self.longest)
        return ceiling * chance

    def is_exhausted(self, attempts: int) -> bool:
        return attempts >= self.most_attempts


@dataclass(frozen=True)
class Recurring:
    """Work that comes back every `every`, once across all replicas, and at most once after any length of downtime."""

    name: str
    every: timedelta
    handler: Handler

    @property
    def kind(self) -> str:
        return f"recurring.{self.name}"


@dataclass(frozen=True, kw_only=True)
class WorkFailed(Event):
    kind: ClassVar[str] = "work.failed"

    work_id: str
    work_kind: str
    attempts: int
    error: str

    def subject(self) -> Subject:
        return Subject("work", self.work_id)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Gave up on {data['work_kind']} after {data['attempts']} attempts: {data['error']}"
