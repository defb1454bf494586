"""What modules above add to the page of an alert: a button each, such as that which declares an incident."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from watchkeeper.kernel.web.access import Actor
from watchkeeper.modules.alerts.model import GroupState


@dataclass(frozen=True)
class GroupButton:
    """`posts`: it does something at this address at once; else it leads there."""

    label: str
    href: str
    posts: bool = False


@dataclass(frozen=True)
class GroupButtons:
    """The part that lists who adds one; None: nothing of it on this group for this actor."""

    sources: Sequence[Callable[[Session, GroupState, Actor], GroupButton | None]] = ()

    def of(self, session: Session, group: GroupState, actor: Actor) -> list[GroupButton]:
        """In their order."""
        return [one for one in (source(session, group, actor) for source in self.sources) if one is not None]
