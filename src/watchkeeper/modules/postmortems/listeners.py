"""What postmortems hear: an incident is over, is open again, or is worse than was thought."""

from __future__ import annotations

from sqlalchemy.orm import Session

from watchkeeper.kernel import work
from watchkeeper.kernel.journal import Fact
from watchkeeper.kernel.journal.listeners import Listener
from watchkeeper.modules.incidents.events import Reopened, Resolved, SeverityChanged

DRAFT = "postmortems.draft"


def listeners() -> tuple[Listener, ...]:
    """One, which writes down that a draft is wanted: reading all that is known takes longer than a listener may."""

    def hear(session: Session, fact: Fact) -> None:
        work.enqueue(
            session,
            kind=DRAFT,
            # Of each fact once, however often it is delivered.
            key=f"{DRAFT}:{fact.data['incident']}:{fact.seq}",
            due_at=fact.at,
            payload={"incident": str(fact.data["incident"])},
        )

    return (Listener("postmortems.draft", (Resolved.kind, Reopened.kind, SeverityChanged.kind), hear),)
