"""Due work that tells people: of postmortems that are due, and of action items whose day comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock, parse_rfc3339
from watchkeeper.kernel.work import Task
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.notify import public as notify
from watchkeeper.modules.notify.public import Message, Order
from watchkeeper.modules.postmortems import store, store_actions
from watchkeeper.modules.postmortems.actions import ABOUT
from watchkeeper.modules.postmortems.events import ActionReminded, PostmortemOverdue
from watchkeeper.modules.postmortems.model import ActionItem
from watchkeeper.modules.postmortems.service import BY

_POSTMORTEM = "postmortem"
_WORDS = {
    "soon": "it is due in two days",
    "due": "it is due today",
    "overdue": "it was due yesterday",
    "long_overdue": "it has been overdue for a week",
}


@dataclass(frozen=True)
class Reminding:
    """What handlers of due work run, each in one transaction. A row that comes again tells nobody twice."""

    clock: Clock
    base_url: str

    def of_postmortem(self, session: Session, task: Task) -> None:
        """Its lead is told, unless it left the draft or is due at another instant by now."""
        found = store.by_id(session, str(task.payload["postmortem"]), lock=True)
        due_at = parse_rfc3339(str(task.payload["due_at"]))
        if found is None or found.submitted_at is not None or found.due_at != due_at:
            return
        now, late = self.clock.now(), task.payload["why"] == "overdue"
        if late:
            fact = PostmortemOverdue(
                postmortem=found.id, incident=found.incident, service_name=found.service, due_at=due_at
            )
            journal.append(session, fact, by=BY, source="worker", at=now)
        if found.lead is None:
            return
        when = "was due just now" if late else f"is due at {due_at:%Y-%m-%d %H:%M} UTC"
        message = Message(
            title=f"The postmortem of {found.name} {when}",
            text="Read the draft, fill in what is asked for, and send it into review.",
            severity=found.severity,
            service=found.service or "",
            url=f"{self.base_url}/postmortems/{found.id}",
        )
        self._order(session, _POSTMORTEM, found.id, f"{task.key}:told", found.service, message, found.lead, now)

    def of_action(self, session: Session, task: Task) -> None:
        """Its owner is told; where they have left, who sees to the postmortem."""
        said = task.payload
        found = store_actions.by_id(session, str(said["action"]), lock=True)
        if found is None or found.state.is_over or found.due_on is None:
            return
        if (found.due_on.isoformat(), found.owner) != (said["due_on"], said["owner"]):
            return
        why = _WORDS[str(said["why"])]
        person, why = self._whom(session, found, why)
        now, told = self.clock.now(), 0
        if person is not None:
            message = Message(
                title=f"To do: {found.title}",
                text=f"{why[0].upper()}{why[1:]} ({found.due_on.isoformat()}), after a {found.severity} incident.",
                severity=found.severity,
                service=found.services[0] if found.services else "",
                url=f"{self.base_url}/postmortems/{found.postmortem}#actions",
            )
            service = found.services[0] if found.services else None
            told = self._order(session, ABOUT, found.id, f"{task.key}:told", service, message, person, now)
        fact = ActionReminded(
            action=found.id,
            postmortem=found.postmortem,
            service_name=found.services[0] if found.services else None,
            title=found.title,
            person=person,
            why=why,
            told=told,
        )
        journal.append(session, fact, by=BY, source="worker", at=now)

    def _whom(self, session: Session, found: ActionItem, why: str) -> tuple[str | None, str]:
        active = {one.id for one in identity.staff(session) if one.active}
        if found.owner in active:
            return found.owner, why
        about = store.by_id(session, found.postmortem)
        gone = "its owner has left" if found.owner is not None else "nobody owns it"
        if about is not None and about.lead in active:
            return about.lead, f"{why}, and {gone}"
        return None, f"{why}, {gone}, and nobody sees to the postmortem"

    def _order(
        self,
        session: Session,
        about_type: str,
        about_id: str,
        call: str,
        service: str | None,
        message: Message,
        person: str,
        now: datetime,
    ) -> int:
        order = Order(
            call=call,
            about_type=about_type,
            about_id=about_id,
            urgency="low",
            kind="update",
            message=message,
            service=service,
        )
        return notify.notify(session, order, person, at=now)
