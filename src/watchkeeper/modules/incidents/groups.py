"""Alert groups as an incident looks at them: its own ones, whether they call people, and when it began."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import GroupState
from watchkeeper.modules.incidents import store, store_records
from watchkeeper.modules.incidents.desk import OWN_SOURCE
from watchkeeper.modules.incidents.model import Incident, LinkKind, Severity
from watchkeeper.modules.slo import public as slo

DRILL_SOURCE = "drill"
_OWN = f"own:{OWN_SOURCE}"
# An objective that fired is an alert within moments; a worker that was away may take longer.
_FIRED_BEFORE = timedelta(minutes=15)
_RANKS = ("critical", "error", "warning", "info")


def is_own(group: GroupState) -> bool:
    """Whether it is the alert by which an incident calls people: it is no symptom."""
    return group.integration == _OWN


def is_drill(group: GroupState) -> bool:
    """Whether it is the alert of a drill."""
    return group.is_drill


def groups_of(session: Session, incident: Incident, *, own: bool = False) -> list[GroupState]:
    """Its alert groups, without those by which it calls people itself unless `own`."""
    links = [one for one in store_records.links_of(session, incident.id) if one.kind is LinkKind.ALERT_GROUP]
    found = (alerts.group(session, one.target) for one in links)
    return [one for one in found if one is not None and (own or not is_own(one))]


def open_for(session: Session, group_ids: Collection[str]) -> Incident | None:
    """The open incident that any of these groups belongs to."""
    for incident_id, _, is_open, _ in store_records.linked_to(session, LinkKind.ALERT_GROUP, group_ids):
        if is_open:
            return store.find(session, incident_id)
    return None


def call_loudly(groups: Sequence[GroupState], severity: Severity) -> bool:
    """Whether one of these calls people at least as loudly as an incident of this severity does."""
    wanted = _RANKS.index(severity.alert)
    return any(one.is_open and one.suppressed is None and one.severity.rank <= wanted for one in groups)


def first_symptom(session: Session, group: GroupState, engine: slo.Engine | None = None) -> datetime:
    """When the first of its alerts began, as their source tells; of an objective's, when its budget began to burn."""
    begun = [one.starts_at for one in alerts.alerts_of(session, group.id, limit=100)]
    if engine is not None and group.slo and group.service:
        since, until = group.opened_at - _FIRED_BEFORE, group.opened_at + timedelta(seconds=1)
        begun += slo.burning_since(session, engine, (group.service,), since, until).values()
    return min([*begun, group.opened_at])


def title_of(group: GroupState) -> str:
    """What an incident of this group is called: of an objective without the figures of the moment in which it fired."""
    return (group.title.partition(": ")[0] if group.slo else group.title)[:200]
