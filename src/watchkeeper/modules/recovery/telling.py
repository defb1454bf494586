"""Words to people: notes on incidents, and recovery's own alerts."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import Alerting, GroupFilter, OwnAlert, Status
from watchkeeper.modules.incidents import public as incidents
from watchkeeper.modules.incidents.public import Incidenting, LinkKind
from watchkeeper.modules.recovery.looking import OWN_SOURCE
from watchkeeper.modules.recovery.model import Attempt, Rule

_SYSTEM = "system:recovery"
_MOST_GROUPS = 200


def open_groups(session: Session) -> list[str]:
    """Ids of alerts that are open, the worst first."""
    wanted = GroupFilter((Status.TRIGGERED, Status.ACKNOWLEDGED))
    return [one.id for one in alerts.groups(session, wanted, limit=_MOST_GROUPS)]


def note(session: Session, clock: Clock, incidenting: Incidenting, one: Attempt, text: str) -> None:
    """A line on the record of each open incident of the service, and the run with it."""
    verbs = incidenting.on(session, clock)
    for incident in incidents.open_of(session, one.service):
        verbs.note(incident.id, text, by=_SYSTEM, source=OWN_SOURCE)
        if one.run is not None:
            verbs.link(
                incident.id, LinkKind.RUNBOOK_RUN, one.run, by=_SYSTEM, source=OWN_SOURCE, label=f"recovery {one.rule}"
            )


def asks(
    session: Session, alerting: Alerting, incidenting: Incidenting, rule: Rule, one: Attempt, now: datetime
) -> None:
    """Ask the on-call, by a page with the link to where it is approved."""
    own = OwnAlert(
        source=OWN_SOURCE,
        key=f"approval:{one.id}",
        title=f"Approve the recovery of {one.service} by {rule.name}",
        severity="error",
        service=one.service,
        family=f"recovery approval {rule.name}",
        links=_links(incidenting, one),
        auto_resolve=rule.guards.approval_within + timedelta(minutes=5),
    )
    alerting.raise_own(session, own, at=now)


def decided(session: Session, alerting: Alerting, one: Attempt, now: datetime) -> None:
    """Nobody has to be asked any more."""
    own = OwnAlert(
        source=OWN_SOURCE,
        key=f"approval:{one.id}",
        title=f"Approve the recovery of {one.service} by {one.rule}",
        service=one.service,
        family=f"recovery approval {one.rule}",
    )
    alerting.resolve_own(session, own, at=now)


def failed(session: Session, alerting: Alerting, incidenting: Incidenting, one: Attempt, now: datetime) -> None:
    """Page: what was to help did not, and nothing more is tried."""
    own = OwnAlert(
        source=OWN_SOURCE,
        key=f"breaker:{one.rule}",
        title=f"Recovery of {one.service} by {one.rule} failed: {one.detail}"[:300],
        severity="critical",
        service=one.service,
        family=f"recovery failed {one.rule}",
        links=_links(incidenting, one),
    )
    alerting.raise_own(session, own, at=now)


def breaker_closed(session: Session, alerting: Alerting, rule: str, now: datetime) -> None:
    """Somebody looked at it."""
    own = OwnAlert(source=OWN_SOURCE, key=f"breaker:{rule}", title=f"Recovery by {rule} failed")
    alerting.resolve_own(session, own, at=now)


def _links(incidenting: Incidenting, one: Attempt) -> tuple[tuple[str, str], ...]:
    return (("Recovery", f"{incidenting.base_url}/recovery/attempts/{one.id}"),) if incidenting.base_url else ()
