"""Work of incidents that comes due."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import parse_rfc3339
from watchkeeper.kernel.work import Handler, Recurring, Task, Transactional
from watchkeeper.modules.incidents.desk import LOOK
from watchkeeper.modules.incidents.ticking import Ticking


def handlers(ticking: Ticking) -> Mapping[str, Handler]:
    """Who looks when the time of a mark has come."""

    def look(session: Session, task: Task) -> None:
        ticking.look(session, str(task.payload["incident"]), parse_rfc3339(str(task.payload["at"])))

    return {LOOK: Transactional(look)}


def recurring(ticking: Ticking) -> list[Recurring]:
    """A look at every open one each minute, should a row of due work be missing."""

    def look_again(session: Session, _task: Task) -> None:
        ticking.look_at_all(session)

    return [Recurring("incidents.look_again", timedelta(minutes=1), Transactional(look_again))]
