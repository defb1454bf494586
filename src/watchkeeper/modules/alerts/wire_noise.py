"""JSON shapes of silences and maintenance windows."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from pydantic import AwareDatetime, BaseModel, Field

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.alerts.matching import Matcher, Operator, parse_matcher
from watchkeeper.modules.alerts.noise import weekly_of
from watchkeeper.modules.alerts.quiet import DAYS, Silence, Weekly, Window, words_of
from watchkeeper.modules.alerts.wire import GroupView


class MatcherBody(StrictModel):
    """A condition on one label; one that is missing is the empty text."""

    label: str = Field(min_length=1, max_length=200)
    operator: Operator = "="
    value: str = Field(max_length=4_000, description="With `=~` and `!~` a pattern of RE2 for the whole value.")


class Matchers(StrictModel):
    """Conditions that all have to hold."""

    matchers: list[MatcherBody | str] = Field(
        min_length=1, max_length=20, description='As objects, or as text such as `alertname=~"Disk.*"`.'
    )

    def parsed(self) -> tuple[Matcher, ...]:
        """Raises SilenceInvalid."""
        return tuple(
            parse_matcher(one) if isinstance(one, str) else Matcher(one.label, one.operator, one.value)
            for one in self.matchers
        )


class NewSilence(Matchers):
    """Keep alerts quiet for a while."""

    starts_at: AwareDatetime | None = Field(None, description="Unset: now.")
    ends_at: AwareDatetime = Field(description="At most 92 days after its beginning: a silence without end hides.")
    reason: str = Field(min_length=3, max_length=500)


class SilenceView(BaseModel):
    """A silence."""

    id: str
    matchers: list[MatcherBody]
    starts_at: datetime
    ends_at: datetime
    active: bool
    reason: str
    created_by: str
    created_at: datetime
    ended_by: str | None

    @classmethod
    def of(cls, one: Silence, now: datetime) -> SilenceView:
        values = {name: value for name, value in vars(one).items() if name != "matchers"}
        said = [MatcherBody(label=m.label, operator=m.operator, value=m.value) for m in one.matchers]
        return cls(**values, matchers=said, active=one.is_active(now))


class SilenceList(BaseModel):
    """Silences."""

    items: list[SilenceView]


class Previewed(BaseModel):
    """What matchers fit now."""

    groups: list[GroupView] = Field(description="Open groups with alerts that they fit, at most 200.")
    alerts: int


class EndOrder(StrictModel):
    """Why it ends."""

    reason: str = Field("", max_length=500)


class WeeklyBody(StrictModel):
    """Every week."""

    days: list[str] = Field(min_length=1, max_length=7, description=", ".join(DAYS))
    at: time = Field(description="On a clock of the time zone, such as 03:00.")
    time_zone: str = Field("UTC", max_length=64)
    minutes: int = Field(ge=1, le=8_640)

    def parsed(self) -> Weekly:
        """Raises MaintenanceInvalid."""
        names = {name: number for number, name in enumerate(DAYS)}
        days = [names.get(day.casefold(), -1) for day in self.days]
        return weekly_of(days, self.at, self.time_zone, timedelta(minutes=self.minutes))

    @classmethod
    def of(cls, weekly: Weekly) -> WeeklyBody:
        minutes = int(weekly.length.total_seconds() // 60)
        return cls(days=[DAYS[day] for day in weekly.days], at=weekly.at, time_zone=weekly.zone, minutes=minutes)


class NewMaintenance(StrictModel):
    """Plan work: nobody is paged for these services meanwhile, and all is recorded."""

    services: list[str] = Field(default_factory=list, max_length=100)
    environments: list[str] = Field(default_factory=list, max_length=20)
    starts_at: AwareDatetime | None = Field(None, description="Unset: now.")
    ends_at: AwareDatetime | None = Field(None, description="Of a weekly one: when it is over for good.")
    weekly: WeeklyBody | None = None
    reason: str = Field(min_length=3, max_length=500)


class MaintenanceView(BaseModel):
    """A maintenance window."""

    id: str
    services: list[str]
    environments: list[str]
    starts_at: datetime
    ends_at: datetime | None
    weekly: WeeklyBody | None
    active: bool
    when: str = Field(description="In words.")
    reason: str
    created_by: str
    created_at: datetime
    ended_by: str | None

    @classmethod
    def of(cls, one: Window, now: datetime) -> MaintenanceView:
        values = {name: value for name, value in vars(one).items() if name != "weekly"}
        weekly = WeeklyBody.of(one.weekly) if one.weekly else None
        return cls(**values, weekly=weekly, active=one.is_active(now), when=words_of(one))


class MaintenanceList(BaseModel):
    """Maintenance windows."""

    items: list[MaintenanceView]
