"""How pages say it: countdowns, severities, what belongs to an incident. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from watchkeeper.kernel.web.formats import duration
from watchkeeper.modules.incidents.clocks import ClockKind, ClockState, IncidentClock
from watchkeeper.modules.incidents.model import Link, LinkKind, Severity

SEVERITY_KINDS = {"SEV-1": "danger", "SEV-2": "danger", "SEV-3": "warning", "SEV-4": "info"}
STATUS_KINDS = {"investigating": "danger", "identified": "warning", "monitoring": "info", "resolved": "ok"}
_CLOCK_KINDS = {
    ClockState.RUNNING: "info",
    ClockState.WARNED: "warning",
    ClockState.BREACHED: "danger",
    ClockState.MET: "ok",
    ClockState.MISSED: "warning",
}


@dataclass(frozen=True)
class ClockWords:
    """A clock as a badge."""

    kind: str
    text: str
    due_at: datetime


@dataclass(frozen=True)
class Guide:
    """A severity as the guide explains it."""

    severity: Severity
    word: str
    means: tuple[str, ...]
    called: str
    postmortem: str


GUIDE = (
    Guide(
        Severity.SEV1,
        "critical",
        ("Production is down.", "Data is lost, or about to be."),
        "Everybody who may respond, and whoever the policy names when it is not resolved in time.",
        "within 24 hours",
    ),
    Guide(
        Severity.SEV2,
        "high",
        ("A feature works badly or not at all for many.", "Errors are well above what is usual."),
        "Whoever is on call.",
        "within 48 hours",
    ),
    Guide(
        Severity.SEV3,
        "medium",
        ("Few notice it.", "There is a way around it."),
        "Whoever is on call, without hurry.",
        "if something can be learned",
    ),
    Guide(
        Severity.SEV4,
        "low",
        ("It looks wrong and harms nobody.", "No user notices it."),
        "Nobody: it is planned.",
        "none",
    ),
)


def clock_words(clock: IncidentClock, now: datetime) -> ClockWords:
    """`respond within 3 min`, `update overdue by 4 min`, `responded in time`."""
    state = clock.state(now)
    kind = _CLOCK_KINDS[state]
    if clock.kind is ClockKind.UPDATE:
        overdue = state is ClockState.BREACHED
        text = f"update overdue by {_long(now, clock.due_at)}" if overdue else f"update in {_long(clock.due_at, now)}"
        return ClockWords(kind, text, clock.due_at)
    if state is ClockState.MET:
        return ClockWords(kind, "responded in time", clock.due_at)
    if state is ClockState.MISSED and clock.ended_at is not None:
        return ClockWords(kind, f"responded {_long(clock.ended_at, clock.due_at)} late", clock.due_at)
    if state is ClockState.BREACHED:
        return ClockWords(kind, f"nobody responded: {_long(now, clock.due_at)} late", clock.due_at)
    return ClockWords(kind, f"respond within {_long(clock.due_at, now)}", clock.due_at)


def href_of(link: Link) -> str | None:
    """Where a link leads; None where no page shows it."""
    target = quote(link.target, safe="")
    found = {
        LinkKind.ALERT_GROUP: f"/alerts/{target}",
        LinkKind.CHANGE: f"/config/changes/{target}",
        LinkKind.DEPLOYMENT: f"/timeline/{target}",
        LinkKind.RUNBOOK_RUN: f"/runs/{target}",
        LinkKind.INCIDENT: f"/incidents/{target}",
        LinkKind.URL: link.target,
    }
    return found.get(link.kind)


def _long(later: datetime, earlier: datetime) -> str:
    """To the minute, but for the last of them."""
    seconds = max(0, int((later - earlier).total_seconds()))
    return duration(float(seconds - seconds % 60 if seconds >= 60 else seconds) * 1e9)
