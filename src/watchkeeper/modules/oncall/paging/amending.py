"""The message in Slack that a button belongs to says afterwards who has it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.work import Task
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.notify.public import Answering
from watchkeeper.modules.oncall.paging.calling import message_of


@dataclass(frozen=True)
class Amending:
    """A handler in the lane of messages. What Slack does not take is tried again by the worker."""

    db: Database
    answering: Answering
    base_url: str

    def act(self, task: Task) -> None:
        """Raises DeliveryFailed."""
        said = task.payload
        where = str(said["channel"]), str(said["place"])
        with self.db.read() as session:
            if "user" in said:
                self.answering.whisper(session, *where, str(said["user"]), str(said["text"]))
                return
            group = alerts.group(session, str(said["group"]))
            if group is None:
                return
            who = group.acknowledged_by
            text = f"Acknowledged by {identity.names(session, [who])[who]}" if who is not None else "Resolved"
            message = message_of(group, text if group.is_open else "Resolved", self.base_url)
            self.answering.amend(session, *where, str(said["ts"]), replace(message, service=""))

    def finish(self, session: Session, task: Task, result: Any) -> None:
        """Nothing is kept of it."""
