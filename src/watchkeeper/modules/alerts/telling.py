"""Facts about groups, made from the groups themselves."""

from __future__ import annotations

from typing import Any

from watchkeeper.modules.alerts.events import OfGroup
from watchkeeper.modules.alerts.model import GroupState


def fact_of(group: GroupState, event: type[OfGroup], **data: Any) -> OfGroup:
    """A fact about a group as it is."""
    return event(
        group=group.id,
        title=group.title[:300],
        severity=group.severity.value,
        service_name=group.service,
        environment=group.environment,
        **data,
    )
