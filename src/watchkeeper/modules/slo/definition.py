"""What people say of an objective: the canonical form that files, the API and the console share."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints, model_validator

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.kernel.zones import zone_named
from watchkeeper_client.rules.values import NotThatType, duration_of, duration_text

NAME = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
MOST_OBJECTIVES = 10
MOST_RULES = 12


def parse_span(value: Any) -> timedelta:
    """A duration with its unit. Raises ValueError."""
    if isinstance(value, timedelta):
        return value
    try:
        return duration_of(value)
    except NotThatType:
        raise ValueError("a duration with its unit was expected, such as 500ms, 5m, 1h30m or 30d") from None


def _time_zone(value: Any) -> Any:
    return zone_named(value).key


TimeZone = Annotated[str, BeforeValidator(_time_zone)]
Span = Annotated[timedelta, BeforeValidator(parse_span), PlainSerializer(duration_text, return_type=str)]
Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
ServiceName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
Query = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
Patterns = Annotated[tuple[Text, ...], Field(max_length=100)]


def _ratio(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and not 0 < value < 1:
        advice = f"; {value}% is written {value / 100:g}" if 1 < value < 100 else ""
        if value == 1:
            advice = "; a target of 100 % leaves no budget, and every single error would breach it"
        raise ValueError(f"a share between 0 and 1, such as 0.999, was expected{advice}")
    return value


Target = Annotated[float, BeforeValidator(_ratio), Field(gt=0, lt=1)]


class Chosen(StrictModel):
    """Which requests of a service count. Patterns are those of shells: `/api/*`."""

    service: ServiceName
    environment: Text | None = Field(default=None, description="Unset: of every environment.")
    routes: Patterns = Field(default=(), description="Only these; unset: all.")
    exclude_routes: Patterns = Field(default=(), description="Not these, whatever `routes` says.")
    methods: Patterns = Field(default=(), description="Only these HTTP methods; unset: all.")


class Availability(Chosen):
    """Share of requests that did not fail, from the embedded telemetry."""

    kind: Literal["availability"] = "availability"
    bad: tuple[Literal["5xx", "4xx"], ...] = Field(default=("5xx",), description="Which answers are bad.")
    uncounted: tuple[Literal["4xx"], ...] = Field(
        default=(), description="Which answers count neither way: 4xx, where they tell of the caller's own mistakes."
    )

    @model_validator(mode="after")
    def _counts_once(self) -> Availability:
        if set(self.bad) & set(self.uncounted):
            raise ValueError("4xx either in bad or in uncounted was expected, not in both")
        return self


class Latency(Chosen):
    """Share of requests that took at most an objective's threshold, from the embedded telemetry."""

    kind: Literal["latency"] = "latency"


class Counted(StrictModel):
    """Something counted, of the embedded telemetry or of a Prometheus-compatible server.

    `counter`: what an OpenTelemetry counter grew by; `event`: log records with this event name;
    `query`: PromQL with one result, in which `[{{.window}}]` stands for the step (`sum(rate(x[{{.window}}]))` or
    `sum(increase(…))`); with `counter_value` the query answers the value of a growing counter.
    """

    service: ServiceName | None = None
    counter: Text | None = None
    event: Text | None = None
    where: dict[Text, Text] = Field(default_factory=dict, max_length=20, description="Attributes with their values.")
    query: Query | None = None
    data_source: Name | None = Field(default=None, description="Of `query`: the data source that is asked.")
    counter_value: bool = False

    @model_validator(mode="after")
    def _is_one(self) -> Counted:
        if sum(one is not None for one in (self.counter, self.event, self.query)) != 1:
            raise ValueError("one of counter, event or query was expected")
        if (self.query is None) != (self.data_source is None):
            raise ValueError("query and data_source come together")
        if self.query is None and self.service is None:
            raise ValueError("the service that sends it was expected")
        return self


class Ratio(StrictModel):
    """Share of two counts: `good` or `bad`, of `total`. `about` says what it measures."""

    kind: Literal["ratio"] = "ratio"
    about: Literal["availability", "correctness", "custom"] = "custom"
    good: Counted | None = None
    bad: Counted | None = None
    total: Counted

    @model_validator(mode="after")
    def _is_one(self) -> Ratio:
        if (self.good is None) == (self.bad is None):
            raise ValueError("either good or bad was expected beside total")
        return self


class Responses(StrictModel):
    """Share of beginnings that were followed by their end within an objective's threshold.

    Both are log records with an event name; `key` is the attribute that pairs them. What has not ended is bad from
    the moment that its time is over. A safety queue is one of these: reported, triaged.
    """

    kind: Literal["responses"] = "responses"
    service: ServiceName
    started: Text
    finished: Text
    key: Text
    where: dict[Text, Text] = Field(default_factory=dict, max_length=20, description="Attributes of the beginning.")


class Freshness(StrictModel):
    """Share of minutes in which the newest of something was at most an objective's threshold old.

    `event` (log records with this name: a heartbeat or a probe that reports), `counter` (a counter that grew), or
    `gauge` (a metric that holds the age in seconds).
    """

    kind: Literal["freshness"] = "freshness"
    service: ServiceName
    event: Text | None = None
    counter: Text | None = None
    gauge: Text | None = None
    where: dict[Text, Text] = Field(default_factory=dict, max_length=20)

    @model_validator(mode="after")
    def _is_one(self) -> Freshness:
        if sum(one is not None for one in (self.event, self.counter, self.gauge)) != 1:
            raise ValueError("one of event, counter or gauge was expected")
        return self


class Part(StrictModel):
    """An objective that a composite is made of."""

    slo: Name
    objective: Name | None = Field(default=None, description="Unset: its first.")
    weight: float = Field(default=1.0, gt=0, le=1_000)


class Composite(StrictModel):
    """A journey over several objectives. `weighted`: the events of each part count `weight` times;
    `worst`: in each minute, the events of the part with the least share of good ones."""

    kind: Literal["composite"] = "composite"
    method: Literal["weighted", "worst"] = "weighted"
    parts: tuple[Part, ...] = Field(min_length=1, max_length=50)


Indicator = Annotated[Availability | Latency | Ratio | Responses | Freshness | Composite, Field(discriminator="kind")]


class Objective(StrictModel):
    """One target of an indicator. Its name is unique within the SLO."""

    name: Name = "main"
    display_name: str = Field(default="", max_length=200)
    target: Target
    threshold: Span | None = Field(
        default=None, description="Of latency, responses and freshness: the most that is good."
    )


class Slices(StrictModel):
    """Counts good minutes rather than good events: a slice is good when `target` of its events were."""

    length: Span = timedelta(minutes=1)
    target: Target = 0.95


class Window(StrictModel):
    """What a budget is for: the last days, or a calendar's day, week, month or quarter, which begins anew."""

    rolling: Span | None = None
    calendar: Literal["day", "week", "month", "quarter", "year"] | None = None
    time_zone: TimeZone = "UTC"

    @model_validator(mode="after")
    def _is_one(self) -> Window:
        if (self.rolling is None) == (self.calendar is None):
            raise ValueError("either rolling or calendar was expected")
        if self.rolling is not None and not timedelta(hours=1) <= self.rolling <= timedelta(days=366):
            raise ValueError("a rolling window between 1h and 366d was expected")
        return self

    @property
    def length(self) -> timedelta:
        """Its usual length: what burn rates of alerts are meant for."""
        if self.rolling is not None:
            return self.rolling
        days = {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}
        return timedelta(days=days[self.calendar or "month"])


class AlertRule(StrictModel):
    """Fires while the budget burns at least `burn` times as fast as it may, over `long` and over `short`.

    Instead of `burn`: `budget` with `per` (2 % per day), or `misses`: so many bad events within `long`.
    """

    burn: float | None = Field(default=None, gt=0, le=100_000)
    budget: float | None = Field(default=None, gt=0, le=1)
    per: Span | None = None
    misses: int | None = Field(default=None, ge=1, le=1_000_000)
    long: Span
    short: Span | None = Field(default=None, description="Unset: a twelfth of `long`, at least a minute.")
    action: Literal["page", "ticket"] = "page"

    @model_validator(mode="after")
    def _is_one(self) -> AlertRule:
        if sum(one is not None for one in (self.burn, self.budget, self.misses)) != 1:
            raise ValueError("one of burn, budget (with per) or misses was expected")
        if (self.budget is None) != (self.per is None):
            raise ValueError("budget and per come together, such as 0.02 per 1d")
        if self.short is not None and self.short > self.long:
            raise ValueError("a short window no longer than the long one was expected")
        if self.long < timedelta(minutes=1):
            raise ValueError("a long window of at least 1m was expected")
        return self

    def short_window(self) -> timedelta:
        """The short window, also where nobody said one."""
        return self.short or min(self.long, max(timedelta(minutes=1), self.long / 12))

    def burn_rate(self, window: timedelta) -> float:
        """The burn rate it fires at, for an SLO window of this length; 0 for `misses`."""
        if self.burn is not None:
            return self.burn
        return 0.0 if self.budget is None or self.per is None else self.budget * (window / self.per)


class Alerting(StrictModel):
    """How an SLO alerts. `rules` unset: the four pairs of the SRE Workbook, scaled to the window."""

    enabled: bool = True
    rules: tuple[AlertRule, ...] | None = Field(default=None, max_length=MOST_RULES)
    minimum_bad_events: int = Field(
        default=3,
        ge=1,
        le=1_000_000,
        description="Fewer bad events in the long window never fire: one error is no outage.",
    )
    silent_after: Span = Field(
        default=timedelta(minutes=5),
        description="How long a source may say nothing before that is an alert of its own.",
    )


class Credit(StrictModel):
    """Below this share of good events the customer gets this share of the fee back."""

    below: Target
    credit: float = Field(gt=0, le=1)


class Tier(StrictModel):
    """What customers of a tier are owed; `fee` is what they pay for the period, to show the arithmetic."""

    name: Text = "all"
    credits: tuple[Credit, ...] = Field(min_length=1, max_length=20)
    fee: float | None = Field(default=None, ge=0)
    currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$")


ExclusionKind = Literal["maintenance", "third_party_outage", "other"]


class Agreement(StrictModel):
    """The SLA beside an SLO: what was promised to customers, by calendar period, and what a miss costs."""

    target: Target
    objective: Name | None = Field(default=None, description="Whose events are counted; unset: the first.")
    period: Literal["month", "quarter"] = "month"
    time_zone: TimeZone = "UTC"
    tiers: tuple[Tier, ...] = Field(default=(), max_length=20)
    excludes: tuple[ExclusionKind, ...] = Field(default=(), description="Recorded exclusions that do not count.")


class Definition(StrictModel):
    """An SLO: an indicator with its targets, its window, its alerts, and the agreement beside it."""

    name: Name
    display_name: str = Field(default="", max_length=200)
    description: str = Field(default="", max_length=2_000)
    service: ServiceName
    indicator: Indicator
    indicator_name: Name | None = Field(default=None, description="Of an SLI that files define apart and refer to.")
    objectives: tuple[Objective, ...] = Field(min_length=1, max_length=MOST_OBJECTIVES)
    window: Window
    slices: Slices | None = None
    alerting: Alerting = Alerting()
    excludes: tuple[ExclusionKind, ...] = Field(
        default=("maintenance",), description="Recorded exclusions whose events do not count."
    )
    agreement: Agreement | None = None
    critical: bool = Field(default=True, description="Whether the error-budget policy looks at it.")
    tags: tuple[Text, ...] = Field(default=(), max_length=20)

    @property
    def environment(self) -> str | None:
        """Where what it counts runs; None: everywhere, or it does not say."""
        return self.indicator.environment if isinstance(self.indicator, Chosen) else None


class DataSource(StrictModel):
    """A Prometheus-compatible server. The token is never stored: only where it stands."""

    name: Name
    display_name: str = Field(default="", max_length=200)
    url: str = Field(max_length=2_000)
    scrape_interval: Span = Field(
        default=timedelta(seconds=15), description="How often it scrapes: counts are told by windows of four of them."
    )
    token_env: str | None = Field(
        default=None, pattern=r"^[A-Z_][A-Z0-9_]{0,99}$", description="Variable with a bearer token."
    )
    description: str = Field(default="", max_length=2_000)


PolicyAction = Literal["freeze_non_critical", "freeze_all", "emergency"]


class PolicyStep(StrictModel):
    """From this burn rate on, or from this share of the budget left down, do this."""

    burn: float | None = Field(default=None, gt=0, le=1_000)
    budget_left: float | None = Field(default=None, ge=0, le=1)
    action: PolicyAction

    @model_validator(mode="after")
    def _is_one(self) -> PolicyStep:
        if (self.burn is None) == (self.budget_left is None):
            raise ValueError("either burn or budget_left was expected")
        return self


class Policy(StrictModel):
    """What a spent budget means. `services` unset: every service that no other policy names."""

    name: Name = "default"
    services: tuple[ServiceName, ...] = Field(default=(), max_length=500)
    description: str = Field(default="", max_length=2_000)
    burn_window: Span = timedelta(hours=6)
    steps: tuple[PolicyStep, ...] = Field(max_length=20)
    postmortem_from: float = Field(default=0.2, gt=0, le=1, description="Share of a budget that one incident may take.")
