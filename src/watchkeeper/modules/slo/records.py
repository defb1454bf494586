"""The verbs of what is left out of a budget, and of what is given back to one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.slo import store
from watchkeeper.modules.slo.definition import ExclusionKind
from watchkeeper.modules.slo.errors import AlreadyDecided, OwnAdjustment, RecordInvalid, RecordNotFound
from watchkeeper.modules.slo.events import (
    AdjustmentDecided,
    AdjustmentProposed,
    ExclusionEnded,
    ExclusionRecorded,
    ExclusionWithdrawn,
)
from watchkeeper.modules.slo.model import Adjustment, Exclusion
from watchkeeper.modules.slo.service import Slos

LONGEST_EXCLUSION = timedelta(days=31)
OLDEST_EXCLUSION = timedelta(days=92)


@dataclass(frozen=True)
class Records:
    """Exclusions and adjustments, on one session."""

    session: Session
    clock: Clock

    def exclude(
        self,
        kind: ExclusionKind,
        *,
        service: str | None,
        slos: tuple[str, ...],
        since: datetime,
        until: datetime | None,
        reason: str,
        by: str,
        source: str,
    ) -> Exclusion:
        """Record a stretch whose events do not count, past or to come; open without `until`.

        Raises RecordInvalid or SloNotFound.
        """
        complaints = []
        if (service is None) == (not slos):
            complaints.append(Complaint("service", "either a service or a list of SLOs"))
        if until is not None and not since < until <= since + LONGEST_EXCLUSION:
            complaints.append(Complaint("until", "an end after its beginning, at most 31 days later"))
        if since < self.clock.now() - OLDEST_EXCLUSION:
            complaints.append(Complaint("since", "a beginning within the last 92 days"))
        if complaints:
            raise RecordInvalid("The exclusion is not valid.", complaints=complaints)
        for name in slos:
            Slos(self.session, self.clock).slo(name)
        kept = Exclusion(
            new_id("exc"), kind, service, tuple(slos), since, until, reason, created_by=by, created_at=self.clock.now()
        )
        store.put_exclusion(self.session, kept)
        store.move_generation(self.session)
        fact = ExclusionRecorded(
            exclusion=kept.id,
            exclusion_kind=kind,
            service_name=service,
            slos=list(slos),
            since=rfc3339(since),
            until=None if until is None else rfc3339(until),
            reason=reason,
        )
        self._tell(fact, by=by, source=source)
        return kept

    def end_exclusion(self, exclusion_id: str, *, by: str, source: str) -> Exclusion:
        """End one that runs, now. Raises RecordNotFound or AlreadyDecided."""
        before = self._exclusion(exclusion_id)
        now = self.clock.now()
        if before.withdrawn_at is not None or (before.until is not None and before.until <= now):
            raise AlreadyDecided("The exclusion is over already.")
        if before.since > now:
            raise AlreadyDecided("The exclusion has not begun yet; withdraw it instead.")
        kept = replace(before, until=now)
        store.put_exclusion(self.session, kept)
        store.move_generation(self.session)
        fact = ExclusionEnded(
            exclusion=kept.id,
            exclusion_kind=kept.kind,
            service_name=kept.service,
            slos=list(kept.slos),
            until=rfc3339(now),
        )
        self._tell(fact, by=by, source=source)
        return kept

    def withdraw_exclusion(self, exclusion_id: str, *, reason: str, by: str, source: str) -> Exclusion:
        """Let its events count after all. Raises RecordNotFound or AlreadyDecided."""
        before = self._exclusion(exclusion_id)
        if before.withdrawn_at is not None:
            raise AlreadyDecided("The exclusion was withdrawn already.")
        kept = replace(before, withdrawn_at=self.clock.now())
        store.put_exclusion(self.session, kept)
        store.move_generation(self.session)
        fact = ExclusionWithdrawn(
            exclusion=kept.id,
            exclusion_kind=kept.kind,
            service_name=kept.service,
            slos=list(kept.slos),
            reason=reason,
        )
        self._tell(fact, by=by, source=source)
        return kept

    def _exclusion(self, exclusion_id: str) -> Exclusion:
        found = store.exclusion(self.session, exclusion_id, lock=True)
        if found is None:
            raise RecordNotFound("There is no such exclusion.")
        return found

    def propose_adjustment(
        self,
        slo: str,
        objective: str,
        *,
        events: float,
        at: datetime,
        reason: str,
        incident: str | None,
        by: str,
        source: str,
    ) -> Adjustment:
        """Ask for bad events to be given back to a budget. Raises SloNotFound or RecordInvalid."""
        stored = Slos(self.session, self.clock).slo(slo)
        complaints = []
        if objective not in [one.name for one in stored.definition.objectives]:
            complaints.append(Complaint("objective", f"an objective of {slo}"))
        if not 0 < events <= 1e12:
            complaints.append(Complaint("events", "a number of bad events above 0"))
        if at > self.clock.now():
            complaints.append(Complaint("at", "an instant that is not in the future"))
        if complaints:
            raise RecordInvalid("The adjustment is not valid.", complaints=complaints)
        kept = Adjustment(new_id("adj"), slo, objective, events, at, reason, incident, "waiting", by, self.clock.now())
        store.add_adjustment(self.session, kept)
        fact = AdjustmentProposed(
            slo=slo,
            service_name=stored.definition.service,
            adjustment=kept.id,
            objective=objective,
            events=events,
            reason=reason,
            incident=incident,
        )
        self._tell(fact, by=by, source=source)
        return kept

    def decide_adjustment(
        self, adjustment_id: str, decision: Literal["approved", "rejected"], *, by: str, source: str
    ) -> Adjustment:
        """Approve or reject; whoever proposed one does not approve it.

        Raises RecordNotFound, AlreadyDecided or OwnAdjustment.
        """
        before = store.adjustment(self.session, adjustment_id, lock=True)
        if before is None:
            raise RecordNotFound("There is no such adjustment.")
        if before.state != "waiting":
            raise AlreadyDecided(f"The adjustment was {before.state} already.")
        if decision == "approved" and before.proposed_by == by:
            raise OwnAdjustment("Somebody else approves what you proposed.")
        kept = replace(before, state=decision, decided_by=by, decided_at=self.clock.now())
        store.change_adjustment(self.session, kept)
        store.move_generation(self.session)
        stored = store.by_name(self.session, kept.slo)
        fact = AdjustmentDecided(
            slo=kept.slo,
            service_name=stored.definition.service if stored is not None else "",
            adjustment=kept.id,
            objective=kept.objective,
            events=kept.events,
            decision=decision,
        )
        self._tell(fact, by=by, source=source)
        return kept

    def _tell(self, event: Event, *, by: str, source: str) -> None:
        journal.append(self.session, event, by=by, source=source, at=self.clock.now())
