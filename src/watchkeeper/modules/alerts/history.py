"""What happened to groups of alerts, read back from the journal: each change that decides who is called."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import parse_rfc3339
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.modules.alerts import events
from watchkeeper.modules.alerts.model import Severity, Urgency

_AT_ONCE = 1_000


class Happened(StrEnum):
    """What a moment is."""

    OPENED = "opened"
    REOPENED = "reopened"
    WORSE = "worse"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    SNOOZED = "snoozed"
    SNOOZE_ENDED = "snooze_ended"
    RESOLVED = "resolved"


_KINDS = {
    events.GroupOpened.kind: Happened.OPENED,
    events.GroupReopened.kind: Happened.REOPENED,
    events.GroupEscalatedSeverity.kind: Happened.WORSE,
    events.GroupSuppressed.kind: Happened.SUPPRESSED,
    events.GroupUnsuppressed.kind: Happened.UNSUPPRESSED,
    events.GroupAcknowledged.kind: Happened.ACKNOWLEDGED,
    events.GroupUnacknowledged.kind: Happened.UNACKNOWLEDGED,
    events.GroupSnoozed.kind: Happened.SNOOZED,
    events.GroupSnoozeEnded.kind: Happened.SNOOZE_ENDED,
    events.GroupResolved.kind: Happened.RESOLVED,
}


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One change of a group: `severity` is what it had from then on, `suppressed` why it was kept quiet from then on.

    `until`: of an acknowledgement or a snooze. `wakes`: it ended an acknowledgement or a snooze.
    """

    at: datetime
    what: Happened
    by: str
    severity: Severity
    suppressed: str | None = None
    until: datetime | None = None
    wakes: bool = False


def happened_to(session: Session, group_ids: Collection[str], *, since: datetime) -> dict[str, list[Moment]]:
    """Every moment of these groups from an instant on, in order; a group without any is in the answer, too."""
    found: dict[str, list[Moment]] = {one: [] for one in group_ids}
    after = 0
    while found:
        wanted = FactFilter(kinds=tuple(_KINDS), since=since, after_seq=after)
        facts = read_facts(session, wanted, limit=_AT_ONCE, newest_first=False)
        for fact in facts:
            if fact.data["group"] in found:
                found[fact.data["group"]].append(moment_of(fact))
        if len(facts) < _AT_ONCE:
            break
        after = facts[-1].seq
    return found


def moment_of(fact: Fact) -> Moment:
    """A fact about a group as a moment."""
    data, what = fact.data, _KINDS[fact.kind]
    return Moment(
        at=fact.at,
        what=what,
        by=fact.actor,
        severity=Severity(data["severity"]),
        suppressed=data["why"] if what is Happened.SUPPRESSED else data.get("suppressed"),
        until=parse_rfc3339(data["until"]) if data.get("until") else None,
        wakes=what is Happened.WORSE and _wakes(data),
    )


def _wakes(data: Any) -> bool:
    if "wakes" in data:
        return bool(data["wakes"])
    # Written when only the turn to high urgency did.
    return bool(data["before"]["urgency"] != Urgency.HIGH.value and data["after"]["urgency"] == Urgency.HIGH.value)
