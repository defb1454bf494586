"""What a postmortem and an action item are, and what is decided about them. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

LONGEST_SECTION = 50_000
LONGEST_TITLE = 200
LONGEST_DETAIL = 10_000
MOST_MOMENTS = 400
MOST_THEMES = 12
MOST_ACTIONS = 200
_FARTHEST_DUE = timedelta(days=3 * 366)


class State(StrEnum):
    """From the first draft to what everybody may read in the library."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    REVIEWED = "reviewed"
    PUBLISHED = "published"


class Section(StrEnum):
    """The texts that people edit. Timeline and actions are lists of their own."""

    SUMMARY = "summary"
    IMPACT = "impact"
    DETECTION = "detection"
    HELPED = "helped"
    CAUSES = "causes"


TITLES: Mapping[Section, str] = {
    Section.SUMMARY: "Summary",
    Section.IMPACT: "Impact",
    Section.DETECTION: "Detection",
    Section.HELPED: "What helped",
    Section.CAUSES: "Contributing causes",
}
HINTS: Mapping[Section, str] = {
    Section.SUMMARY: "What happened, in three sentences that somebody from another team understands.",
    Section.IMPACT: "Who noticed what, for how long; what it cost of the error budget.",
    Section.DETECTION: "How it was noticed, and what would have noticed it sooner.",
    Section.HELPED: "What went well: tools, people's knowledge, luck. Luck is named as luck.",
    Section.CAUSES: "What made it possible, what set it off, what made it last. There is never just one.",
}


class Need(StrEnum):
    """Whether an incident of a severity gets a postmortem."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


def need_of(severity: str) -> Need:
    """SEV-1 and SEV-2 get one by themselves, SEV-3 when somebody wants it; SEV-4 hurt nobody."""
    if severity in ("SEV-1", "SEV-2"):
        return Need.REQUIRED
    return Need.OPTIONAL if severity == "SEV-3" else Need.NONE


class MomentKind(StrEnum):
    """What a line of the timeline tells of."""

    CHANGE = "change"
    ALERT = "alert"
    CALL = "call"
    INCIDENT = "incident"
    UPDATE = "update"
    STEP = "step"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A line of the timeline. `origin` names what it was made from, such as `fact:812`: the same is there once.

    `first_class`: one that tells the story by itself (pinned, a change of status, an update); the rest is detail.
    """

    id: str = ""
    at: datetime
    text: str
    kind: MomentKind
    origin: str
    first_class: bool = False
    hidden: bool = False
    href: str | None = None


@dataclass(frozen=True)
class BudgetSpent:
    """What the incident took of the error budget of one objective. `share` is of the whole window's budget."""

    slo: str
    objective: str
    service: str
    bad: float
    total: float
    share: float
    left: float


@dataclass(frozen=True)
class Cause:
    """A suspect, as the incident ranked it: something that changed before the first symptom."""

    text: str
    at: datetime
    service: str | None
    score: float
    why: tuple[str, ...] = ()
    undone: bool = False
    href: str | None = None


@dataclass(frozen=True, kw_only=True)
class Measures:
    """When what happened. `detected_by` is `alert` or `hand`; `alert` names the first one."""

    started_at: datetime
    detected_at: datetime
    acknowledged_at: datetime | None = None
    responded_at: datetime | None = None
    identified_at: datetime | None = None
    monitoring_at: datetime | None = None
    resolved_at: datetime | None = None
    detected_by: str = "hand"
    alert: str = ""
    users_affected: int | None = None

    def since_start(self, moment: datetime | None) -> timedelta | None:
        """How long after the first symptom; never negative, as clocks of other machines may be ahead."""
        return None if moment is None else max(timedelta(), moment - self.started_at)

    @property
    def to_detect(self) -> timedelta | None:
        return self.since_start(self.detected_at)

    @property
    def to_acknowledge(self) -> timedelta | None:
        return self.since_start(self.acknowledged_at)

    @property
    def to_respond(self) -> timedelta | None:
        return self.since_start(self.responded_at)

    @property
    def to_resolve(self) -> timedelta | None:
        return self.since_start(self.resolved_at)


@dataclass(frozen=True, kw_only=True)
class Postmortem:
    """One of an incident. `version` grows with each change of its content, to which a review is bound.

    `due_at` is when it leaves the draft at the latest; None where nobody waits for it. `lead` is who sees to it.
    """

    id: str
    incident: str
    name: str
    title: str
    severity: str
    services: tuple[str, ...]
    environment: str
    drill: bool
    state: State
    due_at: datetime | None
    resolved_at: datetime | None
    submitted_at: datetime | None
    published_at: datetime | None
    lead: str | None
    measures: Measures
    budgets: tuple[BudgetSpent, ...]
    causes: tuple[Cause, ...]
    themes: tuple[str, ...] = ()
    version: int = 1
    created_at: datetime
    updated_at: datetime

    def is_overdue(self, at: datetime) -> bool:
        """Still a draft after it was due. What was rehearsed is never owed."""
        return self.due_at is not None and self.submitted_at is None and self.due_at < at and not self.drill

    @property
    def service(self) -> str | None:
        """The first of its services: whose timeline its facts stand on."""
        return self.services[0] if self.services else None


@dataclass(frozen=True, kw_only=True)
class SectionText:
    """A section as it is now. `drafted`: as it was made from the record; nobody has touched it."""

    name: Section
    text: str
    version: int
    drafted: bool
    at: datetime
    by: str


@dataclass(frozen=True)
class Review:
    """Somebody read it, in the state of `version`."""

    person: str
    at: datetime
    version: int


class ActionState(StrEnum):
    """What became of an action item."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    DROPPED = "dropped"

    @property
    def is_over(self) -> bool:
        return self in (ActionState.DONE, ActionState.DROPPED)


class Priority(StrEnum):
    """How much it matters."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class IssueState(StrEnum):
    """How far an action item's issue is. `wanted`: the intent is written, and nothing is known to be there yet."""

    NONE = "none"
    WANTED = "wanted"
    OPEN = "open"
    CLOSED = "closed"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Issue:
    """Where an action item stands in an issue tracker; `problem` is why it does not yet."""

    state: IssueState = IssueState.NONE
    repository: str = ""
    number: int | None = None
    url: str = ""
    problem: str = ""
    synced_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ActionItem:
    """Something that is done so that it comes less often, is noticed sooner or hurts less."""

    id: str
    postmortem: str
    severity: str
    services: tuple[str, ...]
    title: str
    detail: str = ""
    owner: str | None = None
    due_on: date | None = None
    priority: Priority = Priority.MEDIUM
    state: ActionState = ActionState.OPEN
    issue: Issue = field(default_factory=Issue)
    version: int = 1
    drill: bool = False
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None

    @property
    def due_at(self) -> datetime | None:
        """The end of the day that it is due on, in UTC."""
        return None if self.due_on is None else end_of(self.due_on)

    @property
    def issue_is_behind(self) -> bool:
        """There is an issue, and it is open where this is over, or the other way round."""
        known = self.issue.number is not None and self.issue.state in (IssueState.OPEN, IssueState.CLOSED)
        return known and (self.issue.state is IssueState.CLOSED) is not self.state.is_over

    def is_overdue(self, at: datetime) -> bool:
        """Still open after its day."""
        return self.due_at is not None and not self.state.is_over and self.due_at <= at


def end_of(day: date) -> datetime:
    """The first instant after a day, in UTC."""
    return datetime.combine(day, time(), UTC) + timedelta(days=1)


def due_problem(day: date, now: datetime) -> str | None:
    """What was expected in place of this due date; None when it can be met."""
    today = now.date()
    if day < today:
        return f"a day from {today.isoformat()} on; {day.isoformat()} is over"
    if day > today + _FARTHEST_DUE:
        return "a day within the next three years"
    return None


def reminders(due_on: date) -> dict[str, datetime]:
    """When the owner is told, by why: two days before the day, on it, and a week after it. At eight in the morning
    in UTC: a working hour in most zones, and nobody is woken for it anyway."""
    eight = datetime.combine(due_on, time(8), UTC)
    return {
        "soon": eight - timedelta(days=2),
        "due": eight,
        "overdue": eight + timedelta(days=1),
        "long_overdue": eight + timedelta(days=8),
    }


NEXT: Mapping[State, tuple[State, ...]] = {
    State.DRAFT: (State.IN_REVIEW,),
    State.IN_REVIEW: (State.REVIEWED, State.DRAFT),
    State.REVIEWED: (State.PUBLISHED, State.IN_REVIEW),
    State.PUBLISHED: (State.IN_REVIEW,),
}


def after_edit(state: State) -> State:
    """A review is of what was read: what is changed afterwards goes back to it."""
    return State.IN_REVIEW if state in (State.REVIEWED, State.PUBLISHED) else state


def theme_of(text: str) -> str:
    """A theme as it is kept: lower-case words joined by dashes, so that two spellings are one. '' for none."""
    words = "".join(one if one.isalnum() else " " for one in text.casefold()).split()
    return "-".join(words)[:60].strip("-")


def values_of(thing: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, one level deep."""
    return {name: getattr(thing, name) for name in thing.__dataclass_fields__}
