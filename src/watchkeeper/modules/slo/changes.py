"""What was changed at a service, and which of it came just before a budget began to burn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.journal import Effect, Fact
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.model import AlertState
from watchkeeper.modules.slo.series import MINUTE
from watchkeeper.modules.slo.tracker import Tracker

MOST = 20
_MOST_SUSPECTS = 3
_LOOKS_BACK = timedelta(hours=6)
_CALM_MINUTES = 10  # so many in a row end a stretch of burning


@dataclass(frozen=True)
class Change:
    """Something that was changed: of a service, and by how many more facts of the same moment.

    `undo` is the page that can undo it, None where nothing can. `ahead` is how long before the alert it was.
    """

    at: datetime
    words: str
    service: str
    href: str
    undo: str | None
    ahead: timedelta | None = None

    @classmethod
    def of(cls, change: catalog.Change, *, ahead: timedelta | None = None) -> Change:
        return cls(change.at, change.words, change.service, _timeline_href(change.fact), change.undo, ahead)


def changes(session: Session, definition: Definition, since: datetime, until: datetime) -> list[Change]:
    """What was changed at an SLO's service and at those that it calls in [since, until), newest first.

    Of what objectives tell of themselves, only changes of this SLO.
    """
    services = tuple(catalog.reached([definition.service], catalog.calls(session)))
    found = (_without_others(one, definition.name) for one in catalog.changes_of(session, services, since, until))
    return [Change.of(one) for one in found if one is not None][:MOST]


def suspects(session: Session, definition: Definition, tracker: Tracker, alert: AlertState) -> list[Change]:
    """What may be to blame for the burning that an alert tells of, the most suspicious first.

    Its caller holds the engine's lock.
    """
    if alert.kind != "burn":
        return []
    # Counts are by the minute: what was changed within the first bad one may have been what made it bad.
    onset = burning_since(tracker, alert.started_at) + timedelta(minutes=1)
    ground = catalog.ground_of([definition.service], (), catalog.calls(session))
    found = catalog.changes_of(
        session, ground.services, onset - catalog.BEFORE_IT_BROKE, onset, leaving_out=(Effect.WORDS,)
    )
    ranked = catalog.suspects_among(found, ground, onset, environment=definition.environment)
    return [
        Change.of(one.change, ahead=alert.started_at - one.change.at) for one in ranked if one.suspicion.is_suspect
    ][:_MOST_SUSPECTS]


def burning_since(tracker: Tracker, fired_at: datetime) -> datetime:
    """The first minute of the stretch of burning that an alert ended: within it there are no ten calm minutes."""
    last = int(fired_at.timestamp()) // MINUTE * MINUTE
    found, calm = last, 0
    for minute in range(last, last - int(_LOOKS_BACK.total_seconds()), -MINUTE):
        counts = tracker.series.between(minute, minute + MINUTE)
        if counts.total > 0 and counts.bad > (1 - tracker.objective.target) * counts.total:
            found, calm = minute, 0
        else:
            calm += 1
        if calm >= _CALM_MINUTES:
            break
    return datetime.fromtimestamp(found, UTC)


def _without_others(change: catalog.Change, slo: str) -> catalog.Change | None:
    """None for what was changed at another SLO alone."""
    others = [one for one in change.facts if one.subject_type == "slo" and one.subject_id != slo]
    return None if len(others) == len(change.facts) else change


def _timeline_href(fact: Fact) -> str:
    """The timeline of the service, around the fact."""
    near = {"since": rfc3339(fact.at - timedelta(hours=1)), "until": rfc3339(fact.at + timedelta(hours=1))}
    return "/timeline?" + urlencode({"service": fact.service or "", **near})
