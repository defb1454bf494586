"""Work of recovery that comes due."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.work import Handler, Recurring, Task, Transactional
from watchkeeper.modules.recovery import store
from watchkeeper.modules.recovery.public import Recovering
from watchkeeper.modules.recovery.rules import REHEARSE

_LOOK_EVERY = timedelta(seconds=10)
_KEPT = timedelta(days=400)


def handlers(recovering: Recovering, clock: Clock) -> Mapping[str, Handler]:
    """Rehearsals, when their time has come."""

    def rehearse(session: Session, task: Task) -> None:
        recovering.on(session, clock).rehearse_when_due(str(task.payload["rule"]))

    return {REHEARSE: Transactional(rehearse)}


def recurring(recovering: Recovering, clock: Clock) -> list[Recurring]:
    """A look at what goes on and at alerts that wait for a rule that may act, and old attempts are forgotten."""

    def look(session: Session, _task: Task) -> None:
        recovering.on(session, clock).look()

    def forget(session: Session, _task: Task) -> None:
        store.forget(session, before=clock.now() - _KEPT)

    return [
        Recurring("recovery.look", _LOOK_EVERY, Transactional(look)),
        Recurring("recovery.forget", timedelta(hours=12), Transactional(forget)),
    ]
