"""Our JSON of pages."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.oncall.paging.model import Page


class PageView(BaseModel):
    """One person, or one channel, called about one alert group."""

    id: str
    group: str
    person: str | None
    channel: str | None
    why: str
    until: Literal["acknowledged", "resolved"] = Field(description="What ends it.")
    called_at: datetime
    messages: int = Field(description="By how many ways they are told; 0: there is none.")
    missed_at: datetime | None = Field(description="When every way had failed.")
    ended_at: datetime | None
    ended_because: str

    @classmethod
    def of(cls, one: Page) -> PageView:
        return cls(
            id=one.id,
            group=one.group_id,
            person=one.person_id,
            channel=one.channel,
            why=one.why,
            until=one.until,
            called_at=one.called_at,
            messages=one.messages,
            missed_at=one.missed_at,
            ended_at=one.ended_at,
            ended_because=one.ended_because,
        )


class PersonBody(StrictModel):
    """Somebody."""

    person: Annotated[str, StringConstraints(min_length=1, max_length=40)] = Field(description="The id of a person.")
