"""JSON shapes of action items and of where their issues go."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.postmortems.github import API
from watchkeeper.modules.postmortems.model import (
    LONGEST_DETAIL,
    LONGEST_TITLE,
    ActionItem,
    ActionState,
    IssueState,
    Priority,
)
from watchkeeper.modules.postmortems.store_actions import Tracker


class ActionOrder(StrictModel):
    """What is to be done."""

    title: str = Field(min_length=1, max_length=LONGEST_TITLE)
    detail: str = Field("", max_length=LONGEST_DETAIL, description="Markdown.")
    owner: str | None = Field(None, max_length=40, description="Id of who does it.")
    due_on: date | None = Field(None, description="The day by whose end it is done.")
    priority: Priority = Priority.MEDIUM


class ActionEdit(StrictModel):
    """What is left out stays; null empties owner and due_on."""

    title: str = Field("", max_length=LONGEST_TITLE)
    detail: str = Field("", max_length=LONGEST_DETAIL)
    owner: str | None = Field(None, max_length=40)
    due_on: date | None = None
    priority: Priority = Priority.MEDIUM
    state: ActionState = ActionState.OPEN


class IssueView(BaseModel):
    """Where it stands in the issue tracker."""

    state: IssueState
    repository: str
    number: int | None
    url: str
    problem: str
    synced_at: datetime | None


class ActionView(BaseModel):
    """An action item."""

    id: str
    postmortem: str
    severity: str
    services: list[str]
    drill: bool
    title: str
    detail: str
    owner: str | None
    owner_has_left: bool
    due_on: date | None
    overdue: bool
    priority: Priority
    state: ActionState
    issue: IssueView
    version: int
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    href: str

    @classmethod
    def of(cls, one: ActionItem, now: datetime, *, left: bool = False) -> ActionView:
        apart = {"services", "issue", "overdue", "href", "owner_has_left"}
        values = {name: getattr(one, name) for name in cls.model_fields if name not in apart}
        return cls(
            **values,
            services=list(one.services),
            issue=IssueView(**vars(one.issue)),
            overdue=one.is_overdue(now),
            owner_has_left=left,
            href=f"/postmortems/{one.postmortem}#{one.id}",
        )


class TrackerOrder(StrictModel):
    """Where issues go."""

    repository: str = Field(min_length=3, max_length=200, description="owner/name")
    api_url: str = Field(API, min_length=8, max_length=400, description="Of GitHub Enterprise: its own.")
    token: str | None = Field(
        None, max_length=300, description="May read and write issues of this repository. Unset: the one that is kept."
    )


class TrackerView(BaseModel):
    """Where issues go. The token is never shown."""

    repository: str
    api_url: str
    updated_at: datetime
    updated_by: str

    @classmethod
    def of(cls, one: Tracker) -> TrackerView:
        return cls(**{name: getattr(one, name) for name in cls.model_fields})
