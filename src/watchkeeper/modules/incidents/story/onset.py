"""When the errors of an incident began, and what else failed then."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.incidents.groups import groups_of, is_own
from watchkeeper.modules.incidents.model import Incident
from watchkeeper.modules.incidents.story.model import Onset, OnsetFrom
from watchkeeper.modules.slo import public as slo

# An alert says so minutes after it began, and that of a caller may be the quicker one.
_TOLD_WITHIN = timedelta(minutes=15)
_BEFORE = timedelta(minutes=30)
_MOST_GROUPS = 500


def own_services(session: Session, incident: Incident) -> tuple[str, ...]:
    """Its services; those of its alerts where nobody named any."""
    named = (one.service for one in groups_of(session, incident) if one.service)
    return incident.services or tuple(dict.fromkeys(named))


def onset_of(
    session: Session, incident: Incident, own: tuple[str, ...], below: tuple[str, ...], engine: slo.Engine | None
) -> Onset:
    """The moment at which the budget of one of its `own` services began to burn, else its first symptom.

    Those of `below` fail, too, that burn or have an alert around then.
    """
    since, until = incident.started_at - _BEFORE, incident.detected_at + _TOLD_WITHIN
    burning = slo.burning_since(session, engine, below, since, until) if engine is not None else {}
    mine = [at for service, at in burning.items() if service in own]
    at, known_from = (min(mine), OnsetFrom.BURN) if mine else (incident.started_at, OnsetFrom.SYMPTOM)
    return Onset(at, known_from, frozenset(burning) | _with_alerts(session, below, at - _BEFORE, at + _TOLD_WITHIN))


def _with_alerts(session: Session, services: tuple[str, ...], since: datetime, until: datetime) -> frozenset[str]:
    opened = alerts.opened_between(session, since, until, limit=_MOST_GROUPS)
    return frozenset(
        one.service for one in opened if one.service in services and not one.is_synthetic and not is_own(one)
    )
