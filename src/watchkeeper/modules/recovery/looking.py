"""An alert as rules look at it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.recovery.model import Symptom
from watchkeeper.modules.slo import public as slo

OWN_SOURCE = "recovery"
# What these say is about the answer to an alert; a rule that acted on it would act on itself.
_NO_SYMPTOM = (f"own:{OWN_SOURCE}", "own:incidents", "own:drill")
_MOST_ALERTS = 100


def symptom_of(session: Session, group_id: str) -> Symptom | None:
    """None for what is not there, and for what is no symptom."""
    group = alerts.group(session, group_id)
    if group is None or group.is_synthetic or group.integration in _NO_SYMPTOM:
        return None
    firing = [one for one in alerts.alerts_of(session, group_id, limit=_MOST_ALERTS) if one.firing]
    burning = [one for one in slo.open_alerts(session) if one.kind == "burn" and one.service == group.service]
    return Symptom(
        group=group.id,
        service=group.service,
        environment=group.environment,
        severity=group.severity.value,
        slo=group.slo,
        fires=group.is_open and group.firing_count > 0,
        burning=any(group.slo in (None, one.slo) for one in burning),
        labels=tuple(dict(one.labels) for one in firing),
        quiet=group.suppressed is not None,
    )
