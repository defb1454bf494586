"""What nobody needs any more: flags that are done, expired or never asked, deprecated parameters, idle overrides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.modules.config import store, store_reports
from watchkeeper.modules.config.model import VALUE, Held, Parameter

UNASKED = timedelta(days=30)
SETTLED = timedelta(days=14)


@dataclass(frozen=True)
class Stale:
    """One thing to clear up, and what to do. `why` is a code: expired, settled, unasked, deprecated."""

    key: str
    why: str
    detail: str


def stale(session: Session, *, now: datetime) -> list[Stale]:
    """Everything worth clearing up, by key."""
    parameters = store.all_parameters(session)
    asked = store_reports.used_since(session, now - UNASKED)
    served = store_reports.variants_served(session, now - SETTLED)
    environments = {one.name: store.held(session, one.name) for one in store.all_environments(session)}
    anybody = bool(asked)
    found = [
        one
        for parameter in parameters
        for one in _of(
            parameter, asked.get(parameter.key), served.get(parameter.key, set()), environments, now, anybody
        )
    ]
    return sorted(found, key=lambda one: (one.key, one.why))


def _of(
    parameter: Parameter,
    asked: datetime | None,
    served: set[str],
    environments: dict[str, Held],
    now: datetime,
    anybody: bool,
) -> Iterator[Stale]:
    definition = parameter.definition
    if definition.expires_on is not None and definition.expires_on < now.date().isoformat():
        yield Stale(parameter.key, "expired", f"It was to be gone by {definition.expires_on}: take it out of the code.")
    if definition.deprecated_since is not None and asked is not None:
        since = definition.deprecated_since
        yield Stale(parameter.key, "deprecated", f"Deprecated since {since}, and still asked for.")
    if definition.type != "flag":
        return
    if anybody and asked is None and now - parameter.created_at > UNASKED:
        yield Stale(parameter.key, "unasked", f"Nobody asked for it in {UNASKED.days} days.")
    settled = [held.setting(parameter.key, VALUE) for held in environments.values()]
    oldest = max((one.changed_at for one in settled if one is not None), default=parameter.created_at)
    if len(served) == 1 and now - oldest > SETTLED:
        only = next(iter(served))
        yield Stale(
            parameter.key, "settled", f"Everybody got {only} for {SETTLED.days} days: the code can do without asking."
        )
