"""JSON shapes of postmortems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.postmortems.blameless import Finding
from watchkeeper.modules.postmortems.model import (
    LONGEST_SECTION,
    TITLES,
    Measures,
    Moment,
    MomentKind,
    Postmortem,
    Review,
    Section,
    SectionText,
    State,
)


class DraftOrder(StrictModel):
    """Which incident's."""

    incident: str = Field(min_length=1, max_length=100, description="Its id or name.")


class SectionOrder(StrictModel):
    """What a section says from now on."""

    text: str = Field(max_length=LONGEST_SECTION * 2, description="Markdown. HTML in it is shown as text.")


class AboutOrder(StrictModel):
    """What is left out stays."""

    lead: str | None = Field(None, max_length=40, description="Id of who sees to it; an empty text names nobody.")
    themes: list[str] | None = Field(None, max_length=50, description="Of its contributing causes.")


class MomentOrder(StrictModel):
    """A line of the timeline that no record has."""

    at: AwareDatetime
    text: str = Field(min_length=1, max_length=2_000)


class MomentMark(StrictModel):
    """What is left out stays."""

    first_class: bool | None = Field(None, description="Whether it tells the story by itself.")
    hidden: bool | None = None


class StateOrder(StrictModel):
    """Where it goes."""

    to: State
    reason: str = Field("", max_length=500)


class ShareOrder(StrictModel):
    """What was looked at."""

    tag: str = Field(min_length=1, max_length=64, description="The `tag` of the preview.")


class CheckOrder(StrictModel):
    """A text to be looked at; nothing of it is kept."""

    text: str = Field(max_length=200_000)


class FindingView(BaseModel):
    """A phrase that blames somebody."""

    offset: int = Field(description="Characters from the beginning of the text.")
    phrase: str
    why: str
    alternatives: list[str]

    @classmethod
    def of(cls, one: Finding) -> FindingView:
        return cls(offset=one.offset, phrase=one.phrase, why=one.why, alternatives=list(one.alternatives))


class CheckView(BaseModel):
    """Empty: nothing blames anybody, as far as rules can say."""

    findings: list[FindingView]


class MeasuresView(BaseModel):
    """Instants, and seconds from the first symptom."""

    started_at: datetime
    detected_at: datetime
    acknowledged_at: datetime | None
    responded_at: datetime | None
    identified_at: datetime | None
    monitoring_at: datetime | None
    resolved_at: datetime | None
    detected_by: str = Field(description="`alert` or `hand`.")
    alert: str
    users_affected: int | None
    seconds_to_detect: float | None
    seconds_to_acknowledge: float | None
    seconds_to_respond: float | None
    seconds_to_resolve: float | None

    @classmethod
    def of(cls, one: Measures) -> MeasuresView:
        seconds: dict[str, Any] = {}
        for name in ("detect", "acknowledge", "respond", "resolve"):
            span = getattr(one, f"to_{name}")
            seconds[f"seconds_to_{name}"] = None if span is None else span.total_seconds()
        return cls(**vars(one), **seconds)


class BudgetView(BaseModel):
    """What it took of an error budget."""

    slo: str
    objective: str
    service: str
    bad: float
    total: float
    share: float = Field(description="Of the budget of the whole window.")
    left: float = Field(description="What remained when this was read.")


class CauseView(BaseModel):
    """Something that changed shortly before."""

    text: str
    at: datetime
    service: str | None
    score: float
    why: list[str]
    undone: bool
    href: str | None


class PostmortemView(BaseModel):
    """A postmortem without its texts."""

    id: str
    incident: str
    name: str
    title: str
    severity: str
    services: list[str]
    environment: str
    drill: bool
    state: State
    overdue: bool
    due_at: datetime | None
    resolved_at: datetime | None
    submitted_at: datetime | None
    published_at: datetime | None
    lead: str | None
    themes: list[str]
    version: int
    created_at: datetime
    updated_at: datetime
    href: str

    @classmethod
    def of(cls, one: Postmortem, now: datetime) -> PostmortemView:
        return cls(**_shared(one, now))


class SectionView(BaseModel):
    """A section; its ETag is at its own address."""

    name: Section
    title: str
    text: str
    version: int
    drafted: bool = Field(description="As it was made from the record; nobody has edited it.")
    at: datetime
    by: str

    @classmethod
    def of(cls, one: SectionText) -> SectionView:
        return cls(title=TITLES[one.name], **vars(one))


class MomentView(BaseModel):
    """A line of the timeline."""

    id: str
    at: datetime
    text: str
    kind: MomentKind
    origin: str
    first_class: bool
    hidden: bool
    href: str | None


class ReviewView(BaseModel):
    """Who read it, and whether it has changed since."""

    person: str
    at: datetime
    current: bool


class PostmortemDetailView(PostmortemView):
    """All of a postmortem but its action items."""

    measures: MeasuresView
    budgets: list[BudgetView]
    causes: list[CauseView]
    sections: list[SectionView]
    timeline: list[MomentView]
    reviews: list[ReviewView]

    @classmethod
    def of_all(
        cls,
        one: Postmortem,
        now: datetime,
        texts: Mapping[Section, SectionText],
        moments: Sequence[Moment],
        reviews: Sequence[Review],
    ) -> PostmortemDetailView:
        return cls(
            **_shared(one, now),
            measures=MeasuresView.of(one.measures),
            budgets=[BudgetView(**vars(each)) for each in one.budgets],
            causes=[CauseView(**{**vars(each), "why": list(each.why)}) for each in one.causes],
            sections=[SectionView.of(each) for each in texts.values()],
            timeline=[MomentView(**vars(each)) for each in moments],
            reviews=[
                ReviewView(person=each.person, at=each.at, current=each.version == one.version) for each in reviews
            ],
        )


class ThemeView(BaseModel):
    """How often a theme was a contributing cause."""

    theme: str
    count: int
    months: dict[str, int] = Field(description="By month, such as 2026-11.")


class PublicView(BaseModel):
    """What others would read."""

    content: dict[str, Any]
    removed: dict[str, int] = Field(description="How much of what kind the rule took out.")
    tag: str


class ShareView(BaseModel):
    """A link, and whether it still opens something."""

    id: str
    url: str | None = Field(description="Null once it was revoked.")
    at: datetime
    by: str
    revoked_at: datetime | None


def _shared(one: Postmortem, now: datetime) -> dict[str, Any]:
    names = set(PostmortemView.model_fields) - {"overdue", "href", "services", "themes"}
    return {
        **{name: getattr(one, name) for name in names},
        "services": list(one.services),
        "themes": list(one.themes),
        "overdue": one.is_overdue(now),
        "href": f"/postmortems/{one.id}",
    }
