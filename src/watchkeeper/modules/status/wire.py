"""JSON shapes of status pages in our own API. Components are named by their names, never by ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, Field

from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.status.described import Described, component_said
from watchkeeper.modules.status.errors import StatusInvalid
from watchkeeper.modules.status.model import (
    Component,
    ComponentSaid,
    Maintenance,
    PageSaid,
    Progress,
    PublicIncident,
    Review,
    Revision,
    Stage,
    State,
    Update,
)
from watchkeeper.modules.status.snapshot import Snapshot
from watchkeeper.modules.status.subscribers import SubscriberState, Way


class PageBody(StrictModel):
    """What the page is called."""

    title: str = Field("Status", max_length=100)
    url: str = Field("", max_length=500, description="Where the public reaches it. Empty: this server's `/status`.")
    support_url: str = Field("", max_length=500, description="Where users find help.")
    slo_drafts: bool = Field(
        False, description="Whether a burning SLO of a component writes a draft, which waits for review."
    )

    def parsed(self) -> PageSaid:
        return PageSaid(title=self.title, url=self.url, support_url=self.support_url, slo_drafts=self.slo_drafts)


class ComponentBody(StrictModel):
    """What is said of a component."""

    title: str = Field("", max_length=100, description="As users know it. Empty: its name.")
    group: str = Field("", max_length=100, description="Components of one group stand together under it.")
    order: int = Field(0, ge=-1_000_000, le=1_000_000, description="The lower, the further up.")
    description: str = Field("", max_length=500)
    services: list[str] = Field(
        default_factory=list, max_length=100, description="Services that it stands on: their incidents are about it."
    )
    slos: list[str] = Field(default_factory=list, max_length=100, description="SLOs that tell how it is.")

    def parsed(self) -> ComponentSaid:
        return ComponentSaid(
            title=self.title,
            group=self.group,
            order=self.order,
            description=self.description,
            services=tuple(self.services),
            slos=tuple(self.slos),
        )


class ComponentView(ComponentBody):
    """A component."""

    name: str
    id: str
    status: State | None = Field(None, description="Where it was asked for together with the page.")
    uptime: float | None = Field(None, description="Share of the last 90 days, from 0 to 1.")
    managed_by: str = Field(description="`ops` or `people`.")

    @classmethod
    def of(cls, one: Described) -> ComponentView:
        said = component_said(one.said)
        lists = {"services": list(said.services), "slos": list(said.slos)}
        return cls(
            **vars(said) | lists, name=one.name, id=one.id, managed_by="ops" if one.from_files is not None else "people"
        )


class ComponentList(BaseModel):
    """Components by name."""

    items: list[ComponentView]


class StateView(BaseModel):
    """A component and how it is."""

    name: str
    title: str
    group: str
    status: State
    uptime: float | None = Field(description="Share of the last 90 days, from 0 to 1; null without any history.")


class StatusView(BaseModel):
    """The page now."""

    at: datetime
    title: str
    indicator: str = Field(description="none, minor, major, critical or maintenance, as Statuspage says it.")
    description: str
    components: list[StateView]
    open_incidents: list[IncidentView]
    maintenances: list[MaintenanceView]
    drafts: int = Field(description="Updates that wait for review.")

    @classmethod
    def of(cls, taken: Snapshot, drafts: int) -> StatusView:
        word, sentence = taken.indicator
        components = [one.component for one in taken.components]
        return cls(
            at=taken.at,
            title=taken.page.title,
            indicator=word,
            description=sentence,
            components=[
                StateView(
                    name=one.component.name,
                    title=one.component.title,
                    group=one.component.said.group,
                    status=one.state,
                    uptime=one.uptime,
                )
                for one in taken.components
            ],
            open_incidents=[IncidentView.of(one.incident) for one in taken.open_incidents],
            maintenances=[MaintenanceView.of(one, components, taken.at) for one in taken.planned],
            drafts=drafts,
        )


class IncidentView(BaseModel):
    """An incident of the page."""

    id: str
    title: str
    about: str | None = Field(description="The incident inside, where there is one.")
    status: Stage | None = Field(description="Null while nothing of it is public.")
    started_at: datetime
    published_at: datetime | None
    resolved_at: datetime | None

    @classmethod
    def of(cls, one: PublicIncident) -> IncidentView:
        return cls(
            id=one.id,
            title=one.title,
            about=one.incident,
            status=one.stage,
            started_at=one.started_at,
            published_at=one.published_at,
            resolved_at=one.resolved_at,
        )


class UpdateView(BaseModel):
    """An update, with the incident that it is about."""

    id: str
    incident: IncidentView
    review: Review
    status: Stage
    body: str
    components: dict[str, State] = Field(description="By name of component.")
    happened_at: datetime
    drafted_at: datetime
    drafted_by: str
    published_at: datetime | None
    published_by: str | None
    edited_at: datetime | None
    version: int

    @classmethod
    def of(cls, one: Update, incident: PublicIncident, components: Sequence[Component]) -> UpdateView:
        names = {component.id: component.name for component in components}
        said = {names[component]: state for component, state in one.components.items() if component in names}
        return cls(
            id=one.id,
            incident=IncidentView.of(incident),
            review=one.review,
            status=one.stage,
            body=one.body,
            components=said,
            happened_at=one.happened_at,
            drafted_at=one.drafted_at,
            drafted_by=one.drafted_by,
            published_at=one.published_at,
            published_by=one.published_by,
            edited_at=one.edited_at,
            version=one.version,
        )


class UpdateList(BaseModel):
    """Updates."""

    items: list[UpdateView]


class RevisionView(BaseModel):
    """What a public update said before somebody edited it."""

    version: int
    status: Stage
    body: str
    components: dict[str, State] = Field(description="By name of component.")
    until: datetime = Field(description="When it was changed.")
    changed_by: str

    @classmethod
    def of(cls, one: Revision, components: Sequence[Component]) -> RevisionView:
        names = {component.id: component.name for component in components}
        said = {names[component]: state for component, state in one.components.items() if component in names}
        return cls(
            version=one.version,
            status=one.stage,
            body=one.body,
            components=said,
            until=one.until,
            changed_by=one.changed_by,
        )


class UpdateHistory(BaseModel):
    """An update and all that it said before."""

    update: UpdateView
    earlier: list[RevisionView] = Field(description="What was changed last comes first.")


class NewUpdate(StrictModel):
    """A draft: of an incident of the page, or of a new one."""

    incident: str | None = Field(None, max_length=40, description="An incident of the page; or else `title`.")
    title: str | None = Field(None, max_length=200, description="Of a new incident.")
    status: Stage
    body: str = Field(min_length=1, max_length=10_000)
    components: dict[str, State] = Field(default_factory=dict, max_length=200, description="By name of component.")
    happened_at: AwareDatetime | None = Field(None, description="Unset: now.")


class EditOrder(StrictModel):
    """What is changed; what is unset stays."""

    status: Stage | None = None
    body: str | None = Field(None, min_length=1, max_length=10_000)
    components: dict[str, State] | None = Field(None, max_length=200)
    version: int | None = Field(None, description="The version that was looked at.")


class PublishOrder(StrictModel):
    """What was reviewed."""

    version: int | None = Field(None, description="The version that was looked at; another one is not published.")


class WithdrawOrder(StrictModel):
    """Why something public is taken back; the record keeps it, nobody outside reads it."""

    reason: str = Field(min_length=1, max_length=500)


class DiscardOrder(StrictModel):
    """Why nobody should see it."""

    reason: str = Field("", max_length=500)


class NewMaintenance(StrictModel):
    """Planned work."""

    title: str = Field(min_length=1, max_length=200)
    body: str = Field("", max_length=10_000)
    components: list[str] = Field(min_length=1, max_length=200)
    starts_at: AwareDatetime | None = Field(None, description="Unset: now.")
    ends_at: AwareDatetime


class ShowWindow(StrictModel):
    """What the public is told of a maintenance window of alerts."""

    title: str = Field(min_length=1, max_length=200)
    body: str = Field("", max_length=10_000)
    components: list[str] = Field(min_length=1, max_length=200)


class MaintenanceView(BaseModel):
    """Planned work."""

    id: str
    title: str
    body: str
    components: list[str]
    starts_at: datetime
    ends_at: datetime
    status: Progress
    cancelled: bool
    window: str | None = Field(description="The maintenance window of alerts that it is a stretch of.")

    @classmethod
    def of(cls, one: Maintenance, components: Sequence[Component], now: datetime) -> MaintenanceView:
        return cls(
            id=one.id,
            title=one.title,
            body=one.body,
            components=[component.name for component in components if component.id in one.components],
            starts_at=one.starts_at,
            ends_at=one.over_at,
            status=one.progress(now),
            cancelled=one.is_cancelled,
            window=one.window,
        )


class MaintenanceList(BaseModel):
    """Planned work, the next first."""

    items: list[MaintenanceView]


class SubscriberCount(BaseModel):
    """How many there are of one kind in one state."""

    kind: Way
    state: SubscriberState
    number: int


class SubscriberCounts(BaseModel):
    """How many; nobody is shown who."""

    items: list[SubscriberCount]


class ExportView(BaseModel):
    """The page as files."""

    at: datetime
    files: dict[str, str] = Field(description="Path to text.")


def ids_of(said: Mapping[str, State], components: Sequence[Component]) -> dict[str, State]:
    """States by id instead of name. Raises StatusInvalid for a name that nobody has."""
    return {component: said[name] for name, component in zip(said, ids(list(said), components), strict=True)}


def ids(names: Sequence[str], components: Sequence[Component]) -> tuple[str, ...]:
    """Ids of these names. Raises StatusInvalid for a name that nobody has."""
    known = {one.name: one.id for one in components}
    wrong = [Complaint(f"components.{name}", "a component of the page") for name in names if name not in known]
    if wrong:
        raise StatusInvalid("There is no such component.", complaints=wrong)
    return tuple(known[name] for name in names)


StatusView.model_rebuild()
