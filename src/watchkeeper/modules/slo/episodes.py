"""Episodes of alerts: what is about to happen to one, and writing it once, whatever replicas do at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.modules.slo import store_counts
from watchkeeper.modules.slo.events import AlertFired, AlertResolved
from watchkeeper.modules.slo.model import AlertState, Exclusion
from watchkeeper.modules.slo.rules import Now, Step, after, step
from watchkeeper.modules.slo.tracker import Tracker

_log = structlog.get_logger("watchkeeper.slo")


class Watched(Protocol):
    """What an engine holds: counts, open and recent alerts, exclusions, and what its sources said."""

    @property
    def trackers(self) -> Mapping[tuple[str, str], Tracker]:
        """By SLO and objective."""
        ...

    @property
    def states(self) -> Mapping[str, AlertState]:
        """By dedup key."""
        ...

    @property
    def exclusions(self) -> Sequence[Exclusion]:
        """Those that were not withdrawn."""
        ...

    @property
    def newest(self) -> Mapping[str, float]:
        """By source, the end of what it told."""
        ...

    @property
    def problems(self) -> Mapping[str, tuple[str, datetime]]:
        """By source, why it does not answer and since when."""
        ...

    @property
    def speaking_since(self) -> MutableMapping[str, datetime]:
        """By source, since when it answers, while it does; kept from look to look."""
        ...

    @property
    def started_at(self) -> datetime:
        """Since when anybody listens."""
        ...


@dataclass(frozen=True)
class Transition:
    """What is about to happen to an alert: `state` is the episode as it would be, were it new."""

    state: AlertState
    found: Now


def take(session: Session, transitions: Iterable[Transition], now: datetime) -> None:
    """Write what is still due when the episode is looked at under its lock, with its fact."""
    for one in transitions:
        current = store_counts.newest_episode(session, one.state.dedup_key, lock=True)
        what = step(current, one.found, now)
        if what is Step.FIRE:
            if store_counts.add_alert(session, one.state):
                _tell(session, one.state, what, now)
        elif what is not None and current is not None:
            changed = after(current, what, now, one.state.rules, one.state.burn)
            store_counts.change_alert(session, changed)
            _tell(session, changed, what, now)


def _tell(session: Session, state: AlertState, what: Step, now: datetime) -> None:
    _log.warning(
        "alert", step=what.value, alert=state.id, dedup_key=state.dedup_key, action=state.action, detail=state.detail
    )
    said = {
        "slo": state.slo,
        "service_name": state.service,
        "alert": state.id,
        "objective": state.objective,
        "alert_kind": state.kind,
        "action": state.action,
        "dedup_key": state.dedup_key,
        "detail": state.detail,
    }
    if what is Step.RESOLVE:
        lasted = round((now - state.started_at).total_seconds())
        journal.append(session, AlertResolved(**said, lasted_seconds=lasted), by="watchkeeper", source="worker", at=now)
        return
    fired = AlertFired(
        **said,
        rules=list(state.rules),
        burn=state.burn,
        budget_spent=state.budget_spent,
        repeated=what is Step.REOPEN,
    )
    journal.append(session, fired, by="watchkeeper", source="worker", at=now)
