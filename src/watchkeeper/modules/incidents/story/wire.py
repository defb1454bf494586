"""JSON of stories."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.incidents.story.model import Line, OnsetFrom, Story, Suspect, Undo, UndoKind
from watchkeeper.modules.incidents.story.undoing import Done


class UndoView(BaseModel):
    """How something can be undone: with `POST …/story/undo` and the fact's id."""

    kind: UndoKind
    label: str
    says: str = Field(description="What it will do.")
    target: str
    permission: str
    allowed: bool = Field(description="Whether whoever asks may do it.")
    href: str

    @classmethod
    def of(cls, undo: Undo | None, who: Actor) -> UndoView | None:
        if undo is None:
            return None
        return cls(
            kind=undo.kind,
            label=undo.label,
            says=undo.says,
            target=undo.target,
            permission=undo.permission.name,
            allowed=who.may(undo.permission),
            href=undo.href,
        )


class DifferenceView(BaseModel):
    """A field that changed, in words."""

    field: str
    before: str
    after: str


class SuspectView(BaseModel):
    """A change, and how suspicious it is."""

    fact: str = Field(description="Id of the fact on the timeline.")
    at: datetime
    text: str
    service: str
    actor_name: str
    href: str | None
    changes: list[DifferenceView] = Field(description="What was before and what came after.")
    score: float = Field(description="0..1; see `why`.")
    suspect: bool = Field(description="Suspicious enough to be named.")
    why: list[str]
    seen_at: datetime | None = Field(description="When telemetry first named the version.")
    undone_at: datetime | None
    undo: UndoView | None

    @classmethod
    def of(cls, one: Suspect, who: Actor) -> SuspectView:
        return cls(
            fact=one.mark,
            at=one.at,
            text=one.text,
            service=one.service,
            actor_name=one.actor_name,
            href=one.page,
            changes=[DifferenceView(field=d.field, before=d.before, after=d.after) for d in one.differences],
            score=round(one.score, 3),
            suspect=one.is_suspect,
            why=list(one.why),
            seen_at=one.seen_at,
            undone_at=one.undone_at,
            undo=UndoView.of(one.undo, who),
        )


class LineView(BaseModel):
    """Something that happened."""

    fact: str
    at: datetime
    kind: str
    text: str
    service: str | None
    actor_name: str
    href: str | None
    change: bool = Field(description="Whether it changed how something runs.")
    undo: UndoView | None
    more: list[LineView] = Field(description="What else the same act was, such as an apply of many files.")

    @classmethod
    def of(cls, one: Line, who: Actor) -> LineView:
        return cls(
            fact=one.mark,
            at=one.at,
            kind=one.fact.kind,
            text=one.text,
            service=one.fact.service,
            actor_name=one.actor_name,
            href=one.page,
            change=one.is_change,
            undo=UndoView.of(one.undo, who),
            more=[cls.of(each, who) for each in one.more],
        )


class StoryView(BaseModel):
    """What happened around an incident, oldest first, and every change in it, the most suspicious first."""

    incident: str
    onset: datetime = Field(description="When the errors began.")
    onset_from: OnsetFrom = Field(
        description="`burn`: the first bad minute of a budget that burnt; `symptom`: its first alert, or what was said."
    )
    services: list[str] = Field(description="Its services and all that they call.")
    failing: list[str] = Field(description="Those of them that failed around then.")
    changes: list[SuspectView]
    lines: list[LineView]
    cut: bool = Field(description="There were more lines than the thousand that are told.")

    @classmethod
    def of(cls, story: Story, who: Actor) -> StoryView:
        return cls(
            incident=story.incident.id,
            onset=story.onset.at,
            onset_from=story.onset.known_from,
            services=list(story.services),
            failing=sorted(story.onset.failing),
            changes=[SuspectView.of(one, who) for one in story.changes],
            lines=[LineView.of(one, who) for one in story.lines],
            cut=story.cut,
        )


class UndoOrder(StrictModel):
    """Undo what a fact of the story tells of."""

    fact: str = Field(min_length=1, max_length=60, description="`fact` of a change or line whose `undo` is not null.")
    reason: str = Field(min_length=1, max_length=400)
    confirm: bool = Field(description="true; undoing changes what runs.")


class DoneView(BaseModel):
    """What came of it."""

    outcome: str = Field(description="`done`, or `begun` for the run of a runbook.")
    text: str
    href: str

    @classmethod
    def of(cls, done: Done) -> DoneView:
        return cls(outcome=done.outcome, text=done.text, href=done.href)
