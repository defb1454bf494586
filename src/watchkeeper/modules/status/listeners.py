"""What status pages make of facts from below. What is told twice makes one draft; nothing here is published."""

from __future__ import annotations

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.journal import Fact
from watchkeeper.kernel.journal.listeners import Listener
from watchkeeper.modules.alerts.public import MaintenanceEnded
from watchkeeper.modules.incidents import public as incidents
from watchkeeper.modules.incidents.events import Resolved, UpdatePosted
from watchkeeper.modules.slo.events import AlertFired, AlertResolved
from watchkeeper.modules.status import snapshot, store
from watchkeeper.modules.status.maintaining import SYSTEM, Maintaining
from watchkeeper.modules.status.model import Review, Stage, State, state_for
from watchkeeper.modules.status.publishing import LONGEST_BODY, LONGEST_TITLE, Draft, Publishing

_OVER = "It was over before anybody published it."


def listeners(clock: Clock) -> tuple[Listener, ...]:
    """Of incidents inside, of maintenance that ends early, and of SLOs that burn."""

    def of_window(session: Session, fact: Fact) -> None:
        Maintaining(session, clock).window_ended(str(fact.data["maintenance"]))

    def of_slo(session: Session, fact: Fact) -> None:
        if fact.kind == AlertFired.kind:
            _burns(session, clock, fact)
        else:
            _recovered(session, clock, fact)

    def of_incident(session: Session, fact: Fact) -> None:
        if fact.kind == UpdatePosted.kind:
            _posted(session, clock, fact)
        else:
            _resolved(session, clock, fact)

    return (
        Listener("status.incidents", (UpdatePosted.kind, Resolved.kind), of_incident),
        Listener("status.windows", (MaintenanceEnded.kind,), of_window),
        Listener("status.slo", (AlertFired.kind, AlertResolved.kind), of_slo),
    )


def _posted(session: Session, clock: Clock, fact: Fact) -> None:
    """A public update of an incident inside becomes a draft. The states that it proposes go by the severity."""
    source = f"incidents:{fact.data['update']}"
    if not fact.data["public"] or fact.data["drill"] or store.update_from(session, source) is not None:
        return
    inside = incidents.incident(session, str(fact.data["incident"]))
    if inside is None:
        return
    posted = next((one for one in incidents.updates(session, inside.id) if one.id == fact.data["update"]), None)
    if posted is None or not posted.text.strip():
        return
    publishing = Publishing(session, clock)
    incident = publishing.open(_title(inside.title), started_at=inside.started_at, about=inside.id)
    proposed = state_for(posted.severity.value)
    over = posted.status is incidents.Status.RESOLVED or proposed is State.OPERATIONAL
    touched = [one for one in store.components(session) if set(one.said.services) & set(inside.services)]
    said = Draft(
        stage=Stage(posted.status.value),
        body=posted.text[:LONGEST_BODY],
        components={} if over else {one.id: proposed for one in touched},
        happened_at=posted.at,
        source=source,
    )
    publishing.draft(incident.id, said, by=posted.by, source="worker")


def _resolved(session: Session, clock: Clock, fact: Fact) -> None:
    """Whoever resolves an incident inside may forget the public: then the page has a draft that says it."""
    outside = store.incident_about(session, str(fact.data["incident"]))
    if outside is None or outside.published_at is None or outside.stage is Stage.RESOLVED:
        return
    waiting = store.updates_of(session, [outside.id], Review.DRAFT)
    if any(one.stage is Stage.RESOLVED for one in waiting):
        return
    said = Draft(
        stage=Stage.RESOLVED,
        body="This incident is resolved.",
        components={},
        happened_at=fact.at,
        source=f"incidents:{fact.data['incident']}:resolved:{fact.seq}",
    )
    Publishing(session, clock).draft(outside.id, said, by=SYSTEM, source="worker")


def _title(text: str) -> str:
    return " ".join(text.split())[:LONGEST_TITLE] or "An incident"


def _burns(session: Session, clock: Clock, fact: Fact) -> None:
    source = _source(fact, "fired")
    if fact.data["alert_kind"] != "burn" or store.update_from(session, source) is not None:
        return
    touched = [one for one in store.components(session) if fact.data["slo"] in one.said.slos]
    if not touched or not snapshot.page_said(session).slo_drafts:
        return
    titles = ", ".join(one.title for one in touched)
    publishing = Publishing(session, clock)
    incident = publishing.open(f"Problems with {titles}"[:200], started_at=fact.at)
    said = Draft(
        stage=Stage.INVESTIGATING,
        body=f"We see problems with {titles} and are looking into them.",
        components={one.id: State.DEGRADED for one in touched},
        happened_at=fact.at,
        source=source,
    )
    publishing.draft(incident.id, said, by=SYSTEM, source="worker")


def _recovered(session: Session, clock: Clock, fact: Fact) -> None:
    before = store.update_from(session, _source(fact, "fired"))
    if before is None:
        return
    publishing = Publishing(session, clock)
    if before.review is Review.DRAFT:
        publishing.discard(before.id, reason=_OVER, by=SYSTEM, source="worker")
    elif before.review is Review.PUBLISHED:
        said = Draft(
            stage=Stage.RESOLVED,
            body="The problem is solved.",
            components={},
            happened_at=fact.at,
            source=_source(fact, "resolved"),
        )
        publishing.draft(before.incident, said, by=SYSTEM, source="worker")


def _source(fact: Fact, what: str) -> str:
    return f"slo:{fact.data['alert']}:{what}"
