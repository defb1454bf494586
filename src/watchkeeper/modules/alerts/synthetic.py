"""The synthetic page's way in: an integration that nobody made, whose key no one but this installation can make.

It is looked up, limited, parsed and written like any other: the door, the format and the database must work for it.
Its groups take every step of a real one and are in no list, no measure and no fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.modules.alerts import store, store_integrations
from watchkeeper.modules.alerts.keys import LENGTH, Key, digest_of
from watchkeeper.modules.alerts.model import PROBE, GroupState, Integration, Kind
from watchkeeper.modules.alerts.tables import alerts, details, groups

# No name that people may give has brackets.
_NAME = "(synthetic page)"
_KEY = "key_probe"
_BY = "system:alerts"


def key_of(key: InstallationKey) -> str:
    """The routing key: the same in every replica, stored nowhere but as a digest, and never shown."""
    return key.derive("alerts.synthetic").hex()[:LENGTH]


def ensure(session: Session, key: str, *, at: datetime) -> None:
    """Have the way in and its key, as at the first start; a key that was revoked opens again."""
    journal.take_turn(session)  # two replicas that start at once make one
    if store_integrations.by_digest(session, digest_of(key), at=at) is not None:
        return
    store_integrations.remove(session, PROBE)
    made = Integration(id=PROBE, name=_NAME, kind=Kind.PAGERDUTY, rate_per_minute=600)
    store_integrations.put(session, made, by=_BY, at=at, fresh=True)
    store_integrations.add_key(session, Key(_KEY, PROBE, key[-4:], at, _BY, None, None), digest_of(key))


def revoke(session: Session, *, at: datetime) -> None:
    """Its key opens nothing until the next start."""
    store_integrations.change_key(session, _KEY, revoked_at=at)


def group_of(session: Session, family: str) -> GroupState | None:
    """The group of one synthetic page."""
    found = session.execute(select(groups.c.id).where(groups.c.integration == PROBE, groups.c.key == family)).scalar()
    return store.groups_by_id(session, [found]).get(found) if found is not None else None


def forget(session: Session, *, before: datetime) -> Sequence[str]:
    """Delete all that is of synthetic pages which began before an instant; answers the ids of their groups."""
    old = select(groups.c.id).where(groups.c.integration == PROBE, groups.c.opened_at < before)
    ids = session.execute(old).scalars().all()
    of_them = select(alerts.c.id).where(alerts.c.group_id.in_(ids))
    session.execute(delete(details).where(details.c.alert_id.in_(of_them)))
    session.execute(delete(alerts).where(alerts.c.group_id.in_(ids)))
    session.execute(delete(groups).where(groups.c.id.in_(ids)))
    return ids
