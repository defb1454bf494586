"""What somebody is paged about and nobody has yet: the first thing that they look at."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import GroupState
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.paging.model import Page


@dataclass(frozen=True)
class Paged:
    """An open page with what it is about."""

    page: Page
    group: GroupState


def my_open(session: Session, person: str) -> list[Paged]:
    """The worst first; each group once."""
    found: dict[str, Paged] = {}
    for page in store.latest(session, person_id=person, open_only=True):
        group = alerts.group(session, page.group_id) if page.group_id not in found else None
        if group is not None and group.is_open:
            found[page.group_id] = Paged(page, group)
    return sorted(found.values(), key=lambda one: (one.group.status != "triggered", one.group.severity.rank))
