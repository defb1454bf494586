"""What a runbook is, what its steps are, and what follows in a run of them: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

REVIEW_EVERY = timedelta(days=92)
# A step of which nobody says how long it may take.
USUAL_SECONDS = 300
LONGEST_SECONDS = 6 * 3600
# A repeatable step that takes its runner down each time is no use being begun for ever.
MOST_ATTEMPTS = 3
ENVIRONMENT_PREFIX = "WK_"


class Kind(StrEnum):
    """What a runbook is for."""

    SERVICE = "service"
    ALERT = "alert"


class How(StrEnum):
    """Who carries a step out: a person, a runner (shell, HTTP), or Watchkeeper itself by one of its own verbs."""

    MANUAL = "manual"
    SHELL = "shell"
    HTTP = "http"
    ACTION = "action"


class Confirmation(StrEnum):
    """What has to be said before a step begins."""

    NONE = "none"
    CONFIRM = "confirm"
    SECOND = "second"


class InputType(StrEnum):
    """What an input may hold."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"


class State(StrEnum):
    """Of a step and of a run. `unknown`: its runner was lost while it ran, and nobody can say how far it came."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        return self not in (State.WAITING, State.RUNNING)

    @property
    def is_good(self) -> bool:
        """Whether the next step may follow."""
        return self in (State.SUCCEEDED, State.SKIPPED)


class WaitsFor(StrEnum):
    """Why a step that is waiting waits."""

    TURN = "turn"
    CONFIRMATION = "confirmation"
    SECOND_PERSON = "second_person"
    CHECK = "check"
    RUNNER = "runner"
    NOTHING = ""


@dataclass(frozen=True)
class Input:
    """A value that whoever starts a run gives. A shell sees it as the variable `WK_NAME` and in no other way."""

    name: str
    type: InputType = InputType.TEXT
    description: str = ""
    required: bool = True
    default: Any = None
    choices: tuple[str, ...] = ()
    pattern: str = ""

    @property
    def variable(self) -> str:
        return ENVIRONMENT_PREFIX + self.name.upper()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do. `body` is the text of its block: a script, a request, or the inputs of an action."""

    key: str
    title: str
    how: How
    section: str
    line: int
    language: str = ""
    action: str = ""
    body: str = ""
    confirm: Confirmation = Confirmation.CONFIRM
    timeout: int = USUAL_SECONDS
    expect: str = ""
    undo: str | None = None
    repeatable: bool = False

    def plain(self) -> dict[str, Any]:
        """As JSON; a run keeps its steps so, whatever becomes of the file."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def step_from(plain: Mapping[str, Any]) -> Step:
    """The step that `plain()` was made of; fields of a later version are left out."""
    known = {name: value for name, value in plain.items() if name in Step.__dataclass_fields__}
    return Step(**{**known, "how": How(known["how"]), "confirm": Confirmation(known["confirm"])})


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it. `filled`: more than what the template asks."""

    anchor: str
    title: str
    level: int
    line: int
    text: str
    filled: bool


@dataclass(frozen=True)
class Link:
    """A link of the text, where it stands."""

    target: str
    line: int


@dataclass(frozen=True)
class Metric:
    """A number to look at: `slo:NAME`, or `requests`, `errors` or `latency` of the service."""

    name: str
    title: str = ""


@dataclass(frozen=True)
class Dashboard:
    title: str
    url: str


@dataclass(frozen=True)
class Dependency:
    """Something that the service needs, and what users notice when it is down."""

    name: str
    impact: str


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a file says, read. `revision` is the SHA-256 of its text."""

    name: str
    title: str
    kind: Kind
    revision: str
    text: str
    service: str | None = None
    owners: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    alerts: Mapping[str, str] = field(default_factory=dict)
    external_alerts: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    dashboards: tuple[Dashboard, ...] = ()
    metrics: tuple[Metric, ...] = ()
    reviewed_at: date | None = None
    review_every: timedelta = REVIEW_EVERY
    inputs: tuple[Input, ...] = ()
    sections: tuple[Section, ...] = ()
    steps: tuple[Step, ...] = ()
    links: tuple[Link, ...] = ()
    # Where values of the front matter stand: dotted path to (line, column).
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def next_review(self) -> date | None:
        return self.reviewed_at + self.review_every if self.reviewed_at is not None else None

    def step(self, key: str) -> Step | None:
        return next((one for one in self.steps if one.key == key), None)

    def procedures(self) -> dict[str, tuple[Step, ...]]:
        """Section anchor to its steps, without those that only undo another one."""
        undoing = {one.undo for one in self.steps if one.undo}
        found: dict[str, list[Step]] = {}
        for one in self.steps:
            if one.key not in undoing:
                found.setdefault(one.section, []).append(one)
        return {anchor: tuple(steps) for anchor, steps in found.items()}


@dataclass(frozen=True)
class Approval:
    """Who signed a revision off, and when: only its steps run."""

    by: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Runbook:
    """A runbook as it is kept. Everything that its file says is in `content`, and the usual of it here."""

    content: Content
    approved: Approval | None
    updated_at: datetime
    rehearsed_at: datetime | None = None
    ran_at: datetime | None = None

    @property
    def name(self) -> str:
        return self.content.name

    @property
    def title(self) -> str:
        return self.content.title

    @property
    def service(self) -> str | None:
        return self.content.service

    @property
    def kind(self) -> Kind:
        return self.content.kind

    @property
    def owners(self) -> tuple[str, ...]:
        return self.content.owners

    @property
    def alerts(self) -> Mapping[str, str]:
        """Alert name to the anchor of the section that is about it."""
        return self.content.alerts

    @property
    def sections(self) -> tuple[Section, ...]:
        return self.content.sections

    @property
    def parameters(self) -> tuple[str, ...]:
        return self.content.parameters

    @property
    def dashboards(self) -> tuple[Dashboard, ...]:
        return self.content.dashboards

    @property
    def reviewed_at(self) -> date | None:
        return self.content.reviewed_at

    @property
    def next_review(self) -> date | None:
        return self.content.next_review

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.content.steps

    @property
    def revision(self) -> str:
        return self.content.revision


@dataclass(frozen=True)
class Hit:
    """A section that a search found."""

    name: str
    title: str
    anchor: str
    heading: str
    excerpt: str
    score: int


def search(contents: Iterable[Content], words: str, *, limit: int = 50) -> list[Hit]:
    """Sections that hold every word, those first that have them in the runbook's title, then in the heading."""
    wanted = words.casefold().split()
    hits = []
    for one in contents:
        for section in one.sections or (Section("", one.title, 1, 1, "", False),):
            score = _score(wanted, one.title, section)
            if score:
                hits.append(Hit(one.name, one.title, section.anchor, section.title, _excerpt(section, wanted), score))
    return sorted(hits, key=lambda hit: (-hit.score, hit.name, hit.heading))[:limit]


def _score(wanted: Sequence[str], title: str, section: Section) -> int:
    places = ((title.casefold(), 6), (section.title.casefold(), 4), (section.text.casefold(), 1))
    each = [sum(weight for text, weight in places if word in text) for word in wanted]
    # A title alone would bring every section of its runbook: the first of them stands for it.
    if not each or not all(each) or (section.level > 1 and not any(_below(section, word) for word in wanted)):
        return 0
    return sum(each)


def _below(section: Section, word: str) -> bool:
    return word in section.title.casefold() or word in section.text.casefold()


def _excerpt(section: Section, wanted: Sequence[str], width: int = 160) -> str:
    text = " ".join(section.text.split())
    at = min((found for word in wanted if (found := text.casefold().find(word)) >= 0), default=0)
    start = max(0, at - width // 3)
    return ("…" if start else "") + text[start : start + width] + ("…" if start + width < len(text) else "")
