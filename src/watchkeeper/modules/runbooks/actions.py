"""Watchkeeper's own verbs as steps: what they are called, what they ask for, and who may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.web.access import Actor, Permission


@dataclass(frozen=True)
class Undoing:
    """The action that takes back what was done, and its inputs."""

    action: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What an action did, in a sentence; where it can be seen; and what would take it back."""

    text: str
    href: str | None = None
    undo: Undoing | None = None


@dataclass(frozen=True)
class Asking:
    """On whose behalf an action is done, and where: it has that person's permissions and no others.

    `second_person`: two people agreed, the one who started the run and the one who confirmed the step.
    """

    session: Session
    clock: Clock
    actor: Actor
    reason: str
    run: str
    service: str | None = None
    about: tuple[str, str] | None = None
    second_person: bool = False


class Action(Protocol):
    """A verb that a step may call. `app` implements each by the public face of the module that owns it."""

    @property
    def name(self) -> str:
        """Such as `set-parameter`."""
        ...

    @property
    def permission(self) -> Permission:
        """What the verb asks for by itself."""
        ...

    @property
    def fields(self) -> Mapping[str, str]:
        """The inputs that it takes and what each is; `?` at the end of a name: it may be left out."""
        ...

    def run(self, asking: Asking, inputs: Mapping[str, Any]) -> Outcome:
        """Do it, in the caller's transaction. Raises a Refusal, of which nothing stays."""
        ...


@dataclass(frozen=True)
class Actions:
    """The part that lists all actions."""

    by_name: Mapping[str, Action] = field(default_factory=dict)

    @classmethod
    def of(cls, actions: Iterable[Action]) -> Actions:
        return cls({one.name: one for one in actions})

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.by_name)

    def find(self, name: str) -> Action | None:
        """The action of this name."""
        return self.by_name.get(name)
