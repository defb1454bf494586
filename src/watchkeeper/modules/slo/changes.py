"""What was changed at a service, and which of it came just before a budget began to burn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.journal import Fact, FactFilter, describe_fact, undo_href
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.model import AlertState
from watchkeeper.modules.slo.series import MINUTE
from watchkeeper.modules.slo.tracker import Tracker

MOST = 20
_MOST_SUSPECTS = 3
_FACTS_READ = 1_000
# Discovery changes nothing, a proposal or a plan changes nothing yet, and who is called changes nothing of a service.
_NO_CHANGE = (
    "alerts.",
    "notify.",
    "oncall.",
    "catalog.service_discovered",
    "catalog.environment_discovered",
    "config.change_",
    "config.scheduled_",
)
_OWN = "slo."
_TOLD_FROM_OUTSIDE = "alerts.change_recorded"
# What is said of a service changes nothing of how it runs: it stands on the page, and nobody suspects it.
_HARMLESS = ("catalog.", "config.parameter_")
_LOOKS_BACK = timedelta(hours=6)
_CALM_MINUTES = 10  # so many in a row end a stretch of burning
_BEFORE_IT_BURNT = timedelta(minutes=30)


@dataclass(frozen=True)
class Change:
    """Something that was changed: of a service, and by how many more facts of the same moment.

    `undo` is the page that can undo it, None where nothing can. `ahead` is how long before the burning it was.
    """

    at: datetime
    text: str
    service: str
    href: str
    undo: str | None
    others: int = 0
    ahead: timedelta | None = None

    @property
    def words(self) -> str:
        """The sentence, with what came at the same moment."""
        more = f" And {self.others} more at the same moment." if self.others else ""
        return self.text + more


def changes(
    session: Session, definition: Definition, since: datetime, until: datetime, *, leaving_out: tuple[str, ...] = ()
) -> list[Change]:
    """What was changed at an SLO's service and at those that it calls in [since, until), newest first.

    What objectives tell of themselves is not among it, but for a change of this SLO.
    """
    services = (definition.service, *catalog.dependencies(session, definition.service))
    wanted = FactFilter(services=tuple(dict.fromkeys(services)), since=since, until=until)
    facts = journal.read_facts(session, wanted, limit=_FACTS_READ)
    kept = (one for one in facts if _is_change(one, definition.name) and not one.kind.startswith(leaving_out))
    return _by_moment(kept)[:MOST]


def suspects(session: Session, definition: Definition, tracker: Tracker, alert: AlertState) -> list[Change]:
    """What was changed in the half hour before a budget began to burn, or since then until the alert fired.

    What came last before the burning is first. Its caller holds the engine's lock.
    """
    if alert.kind != "burn":
        return []
    began = burning_since(tracker, alert.started_at)
    found = changes(session, definition, began - _BEFORE_IT_BURNT, alert.started_at, leaving_out=_HARMLESS)
    # Counts are by the minute: what was changed within the first bad one may have been what made it bad.
    first_minute_over = began + timedelta(minutes=1)
    ordered = sorted(found, key=lambda one: (one.at >= first_minute_over, -one.at.timestamp()))
    return [
        Change(one.at, one.text, one.service, one.href, one.undo, one.others, alert.started_at - one.at)
        for one in ordered[:_MOST_SUSPECTS]
    ]


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


def _is_change(fact: Fact, slo: str) -> bool:
    if fact.kind.startswith(_OWN):
        return fact.kind == "slo.changed" and fact.subject_id == slo
    return fact.kind == _TOLD_FROM_OUTSIDE or not fact.kind.startswith(_NO_CHANGE)


def _by_moment(facts: Iterable[Fact]) -> list[Change]:
    """An apply of a hundred files is one change; what can be undone stands for the rest."""
    moments: dict[tuple[datetime, str], list[Fact]] = {}
    for fact in facts:
        moments.setdefault((fact.at, fact.actor), []).append(fact)
    found = []
    for (at, _), together in moments.items():
        shown = next((fact for fact in together if undo_href(fact)), together[-1])
        undo = undo_href(shown)
        found.append(
            Change(at, describe_fact(shown), shown.service or "", _timeline_href(shown), undo, len(together) - 1)
        )
    return found


def _timeline_href(fact: Fact) -> str:
    """The timeline of the service, around the fact."""
    near = {"since": rfc3339(fact.at - timedelta(hours=1)), "until": rfc3339(fact.at + timedelta(hours=1))}
    return "/timeline?" + urlencode({"service": fact.service or "", **near})
