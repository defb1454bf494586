"""The documents of files: OpenSLO v1, our own beside it, and Sloth's. Shapes alone; `openslo.py` gives them meaning."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.slo.definition import Name, Query, ServiceName, Target, Text, TimeZone, parse_span

OPENSLO = "openslo/v1"
OURS = "watchkeeper/v1"
SLOTH = "prometheus/v1"
_SHORTHAND = re.compile(r"([0-9]{1,6})w")


class FileModel(StrictModel):
    """Fields are written as in OpenSLO: `timeWindow`."""

    model_config = ConfigDict(alias_generator=to_camel)


def _span(value: Any) -> Any:
    weeks = _SHORTHAND.fullmatch(value) if isinstance(value, str) else None
    return timedelta(weeks=int(weeks[1])) if weeks else parse_span(value)


def _percent(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and not 0 < value < 100:
        advice = "; 100 % leaves no budget, and every single error would breach it" if value == 100 else ""
        raise ValueError(f"a percentage between 0 and 100, such as 99.9{advice}")
    return value


def _reference(field: str) -> BeforeValidator:
    """A name alone is a reference."""
    return BeforeValidator(lambda value: {field: value} if isinstance(value, str) else value)


FileSpan = Annotated[timedelta, BeforeValidator(_span)]
Percent = Annotated[float, BeforeValidator(_percent), Field(gt=0, lt=100)]
Open = dict[str, Any]


class Metadata(FileModel):
    """What names a document."""

    name: Name = Field(description="Small letters, digits and dashes, at most 63.")
    display_name: str = Field(default="", max_length=200, description="What people read.")
    labels: dict[str, str | list[str]] = Field(default_factory=dict, description="`tags` are kept; others are notes.")
    annotations: dict[str, Any] = Field(
        default_factory=dict, description="`watchkeeper/…` says what OpenSLO has no field for; others are notes."
    )


class MetricSource(FileModel):
    """Where a number comes from: the embedded telemetry (`type: watchkeeper`), or a data source."""

    metric_source_ref: Name | None = Field(default=None, description="Name of a DataSource.")
    type: str = Field(default="", max_length=100, description="watchkeeper or Prometheus.")
    spec: Open = Field(description="`query`; or the fields of an indicator of Watchkeeper's.")


class Metric(FileModel):
    """A measured thing."""

    metric_source: MetricSource = Field(description="Where it comes from.")


class RatioMetric(FileModel):
    """Good or bad events, of all."""

    counter: bool = Field(default=False, description="Whether queries answer the value of a growing counter.")
    good: Metric | None = Field(default=None, description="Good events.")
    bad: Metric | None = Field(default=None, description="Bad events.")
    total: Metric | None = Field(default=None, description="All events.")
    raw_type: Literal["success", "failure"] | None = Field(default=None, description="Of `raw`.")
    raw: Metric | None = Field(default=None, description="An indicator that is a share already.")


class SliSpec(FileModel):
    """What is measured: a ratio, or something that has a threshold."""

    description: str = Field(default="", max_length=2_000, description="Why this is measured.")
    threshold_metric: Metric | None = Field(default=None, description="Latency, responses, freshness.")
    ratio_metric: RatioMetric | None = Field(default=None, description="Good events of all.")


class InlineSli(FileModel):
    """An indicator within its SLO."""

    metadata: Metadata | None = Field(default=None, description="Its name.")
    spec: SliSpec = Field(description="What is measured.")


class Calendar(FileModel):
    """When a calendar window begins."""

    start_time: str = Field(description="The beginning of a period, such as 2026-01-01 00:00:00.")
    time_zone: TimeZone = Field(default="UTC", description="Such as Europe/Oslo.")


class TimeWindow(FileModel):
    """What the budget is for."""

    duration: str = Field(max_length=30, description="30d or 4w; of a calendar 1d, 1w, 1M, 1Q or 1Y.")
    is_rolling: bool | None = Field(default=None, description="False for a calendar window.")
    calendar: Calendar | None = Field(default=None, description="Of a calendar window.")


class ObjectiveSpec(FileModel):
    """One target."""

    display_name: str = Field(default="", max_length=200, description="Its name.")
    op: Literal["lte", "lt", "gte", "gt"] | None = Field(default=None, description="lte: at most `value` is good.")
    value: float | None = Field(default=None, description="The threshold, in the indicator's unit.")
    target: Target | None = Field(default=None, description="Share of good events, such as 0.999.")
    target_percent: Percent | None = Field(default=None, description="The same in percent, such as 99.9.")
    time_slice_target: Target | None = Field(default=None, description="Of Timeslices: good share of a good slice.")
    time_slice_window: FileSpan | None = Field(default=None, description="Of Timeslices: its length.")
    indicator: Open | None = Field(default=None, description="Not read: see the kind composite.")
    indicator_ref: str | None = Field(default=None, description="Not read: see the kind composite.")
    composite_weight: float | None = Field(default=None, description="Not read: see the kind composite.")


class Condition(FileModel):
    """When an alert fires. `budget` (with `per`) and `misses` are Watchkeeper's own kinds."""

    kind: Literal["burnrate", "budget", "misses"] = Field(default="burnrate", description="What `threshold` is.")
    op: Literal["gte", "gt"] = Field(default="gte", description="At least.")
    threshold: float = Field(gt=0, description="Burn rate; share of the budget; bad events.")
    per: FileSpan | None = Field(default=None, description="Of `budget`: within this time, such as 1d.")
    lookback_window: FileSpan = Field(description="The long window.")
    alert_after: FileSpan | None = Field(default=None, description="The short window; unset: a twelfth.")


class ConditionSpec(FileModel):
    """A condition and how urgent it is."""

    description: str = Field(default="", max_length=2_000, description="Why.")
    severity: str = Field(default="page", max_length=100, description="page or ticket.")
    condition: Condition = Field(description="When it fires.")


class ConditionItem(FileModel):
    """A condition, or the name of one."""

    condition_ref: Name | None = Field(default=None, description="Name of an AlertCondition.")
    api_version: Literal["openslo/v1"] | None = Field(default=None, description="May be left out.")
    kind: Literal["AlertCondition"] | None = Field(default=None, description="AlertCondition.")
    metadata: Metadata | None = Field(default=None, description="Its name.")
    spec: ConditionSpec | None = Field(default=None, description="The condition itself.")


class TargetSpec(FileModel):
    """Who is told; the on-call schedule says who that is."""

    description: str = Field(default="", max_length=2_000, description="For people.")
    target: str = Field(min_length=1, max_length=200, description="Such as page, e-mail or slack.")


class TargetItem(FileModel):
    """A notification target, or the name of one."""

    target_ref: Name | None = Field(default=None, description="Name of an AlertNotificationTarget.")
    api_version: Literal["openslo/v1"] | None = Field(default=None, description="May be left out.")
    kind: Literal["AlertNotificationTarget"] | None = Field(default=None, description="AlertNotificationTarget.")
    metadata: Metadata | None = Field(default=None, description="Its name.")
    spec: TargetSpec | None = Field(default=None, description="The target itself.")


class PolicySpec(FileModel):
    """Conditions and who is told."""

    description: str = Field(default="", max_length=2_000, description="Why.")
    alert_when_no_data: bool = Field(default=True, description="Silence is always an alert of its own.")
    alert_when_resolved: bool = Field(default=True, description="Read, and always true.")
    alert_when_breaching: bool = Field(default=True, description="False: this policy does not fire.")
    conditions: list[Annotated[ConditionItem, _reference("conditionRef")]] = Field(
        min_length=1, max_length=12, description="Each is a rule."
    )
    notification_targets: list[Annotated[TargetItem, _reference("targetRef")]] = Field(
        default_factory=list, max_length=20, description="Read and checked; severity decides page or ticket."
    )


class PolicyItem(FileModel):
    """An alert policy, or the name of one."""

    alert_policy_ref: Name | None = Field(default=None, description="Name of an AlertPolicy.")
    api_version: Literal["openslo/v1"] | None = Field(default=None, description="May be left out.")
    kind: Literal["AlertPolicy"] | None = Field(default=None, description="AlertPolicy.")
    metadata: Metadata | None = Field(default=None, description="Its name.")
    spec: PolicySpec | None = Field(default=None, description="The policy itself.")


class SloSpec(FileModel):
    """An SLO."""

    description: str = Field(default="", max_length=2_000, description="What users notice when it is missed.")
    service: ServiceName = Field(description="Whose it is.")
    indicator: InlineSli | None = Field(default=None, description="What is measured.")
    indicator_ref: Name | None = Field(default=None, description="Name of an SLI.")
    time_window: list[TimeWindow] = Field(min_length=1, max_length=1, description="One window.")
    budgeting_method: Literal["Occurrences", "Timeslices", "RatioTimeslices"] = Field(
        default="Occurrences", description="Events, or good minutes."
    )
    objectives: list[ObjectiveSpec] = Field(min_length=1, max_length=10, description="The targets.")
    alert_policies: list[Annotated[PolicyItem, _reference("alertPolicyRef")]] | None = Field(
        default=None, max_length=12, description="Unset: the four pairs of the SRE Workbook."
    )


class OpenSloDocument(FileModel):
    """What every document of OpenSLO v1 has."""

    api_version: Literal["openslo/v1"] = Field(description="openslo/v1")
    metadata: Metadata = Field(description="What names it.")


class SloDocument(OpenSloDocument):
    """A service level objective."""

    kind: Literal["SLO"] = Field(description="SLO")
    spec: SloSpec = Field(description="The objective.")


class SliDocument(OpenSloDocument):
    """An indicator that SLOs refer to."""

    kind: Literal["SLI"] = Field(description="SLI")
    spec: SliSpec = Field(description="What is measured.")


class AlertPolicyDocument(OpenSloDocument):
    """Alert rules that SLOs refer to."""

    kind: Literal["AlertPolicy"] = Field(description="AlertPolicy")
    spec: PolicySpec = Field(description="The rules.")


class AlertConditionDocument(OpenSloDocument):
    """A condition that alert policies refer to."""

    kind: Literal["AlertCondition"] = Field(description="AlertCondition")
    spec: ConditionSpec = Field(description="The condition.")


class AlertNotificationTargetDocument(OpenSloDocument):
    """Who is told of alerts."""

    kind: Literal["AlertNotificationTarget"] = Field(description="AlertNotificationTarget")
    spec: TargetSpec = Field(description="The target.")


class ServiceSpec(FileModel):
    """Notes on a service; `services/*.yaml` describe services."""

    description: str = Field(default="", max_length=2_000, description="For people.")


class ServiceDocument(OpenSloDocument):
    """A service that SLOs name."""

    kind: Literal["Service"] = Field(description="Service")
    spec: ServiceSpec = Field(default_factory=ServiceSpec, description="Notes on it.")


class DataSourceSpec(FileModel):
    """How a Prometheus-compatible server is reached."""

    description: str = Field(default="", max_length=2_000, description="For people.")
    type: str = Field(max_length=100, description="Prometheus.")
    connection_details: Open | list[Open] = Field(description="url, scrapeInterval, tokenEnv.")


class DataSourceDocument(OpenSloDocument):
    """A Prometheus-compatible server."""

    kind: Literal["DataSource"] = Field(description="DataSource")
    spec: DataSourceSpec = Field(description="How it is reached.")


class AgreementDocument(FileModel):
    """The SLA beside an SLO. OpenSLO has no such kind."""

    api_version: Literal["watchkeeper/v1"] = Field(description="watchkeeper/v1")
    kind: Literal["ServiceLevelAgreement"] = Field(description="ServiceLevelAgreement")
    metadata: Metadata = Field(description="What names it.")
    spec: Open = Field(description="sloRef, target, objective, period, timeZone, tiers, excludes.")


class ErrorBudgetPolicyDocument(FileModel):
    """What a spent budget means for deployments. OpenSLO has no such kind."""

    api_version: Literal["watchkeeper/v1"] = Field(description="watchkeeper/v1")
    kind: Literal["ErrorBudgetPolicy"] = Field(description="ErrorBudgetPolicy")
    metadata: Metadata = Field(description="What names it.")
    spec: Open = Field(description="services, burnWindow, steps, postmortemFrom, description.")


class SlothModel(StrictModel):
    """Fields are written as in Sloth: `error_query`."""


class SlothEvents(SlothModel):
    """Bad events of all."""

    error_query: Query = Field(description="Bad events, with [{{.window}}].")
    total_query: Query = Field(description="All events, with [{{.window}}].")


class SlothSli(SlothModel):
    """What is measured."""

    events: SlothEvents | None = Field(default=None, description="Two queries.")
    raw: Open | None = Field(default=None, description="Not read: a share can't be weighted by events.")
    plugin: Open | None = Field(default=None, description="Not read.")


class SlothAlert(SlothModel):
    """One of the two alerts of Sloth."""

    disable: bool = Field(default=False, description="Whether it does not fire.")
    labels: dict[str, Any] = Field(default_factory=dict, description="Notes.")
    annotations: dict[str, Any] = Field(default_factory=dict, description="Notes.")


class SlothAlerting(SlothModel):
    """Alerts."""

    name: str = Field(default="", max_length=200, description="A note.")
    labels: dict[str, Any] = Field(default_factory=dict, description="Notes.")
    annotations: dict[str, Any] = Field(default_factory=dict, description="Notes.")
    page_alert: SlothAlert = Field(default=SlothAlert(), description="The pairs that page.")
    ticket_alert: SlothAlert = Field(default=SlothAlert(), description="The pairs that open tickets.")


class SlothSlo(SlothModel):
    """An SLO of Sloth."""

    name: Text = Field(description="Unique within the service.")
    objective: Percent = Field(description="In percent, such as 99.9.")
    description: str = Field(default="", max_length=2_000, description="For people.")
    labels: dict[str, Any] = Field(default_factory=dict, description="Notes.")
    sli: SlothSli = Field(description="What is measured.")
    alerting: SlothAlerting = Field(default=SlothAlerting(), description="Alerts.")


class SlothDocument(SlothModel):
    """A file of Sloth, over the data source of the name `prometheus` or the only one there is."""

    version: Literal["prometheus/v1"] = Field(description="prometheus/v1")
    service: ServiceName = Field(description="Whose they are.")
    labels: dict[str, Any] = Field(default_factory=dict, description="Notes.")
    slos: list[SlothSlo] = Field(min_length=1, max_length=200, description="The SLOs.")


MODELS: dict[str, type[OpenSloDocument] | type[AgreementDocument] | type[ErrorBudgetPolicyDocument]] = {
    "SLO": SloDocument,
    "SLI": SliDocument,
    "AlertPolicy": AlertPolicyDocument,
    "AlertCondition": AlertConditionDocument,
    "AlertNotificationTarget": AlertNotificationTargetDocument,
    "Service": ServiceDocument,
    "DataSource": DataSourceDocument,
    "ServiceLevelAgreement": AgreementDocument,
    "ErrorBudgetPolicy": ErrorBudgetPolicyDocument,
}


class SloFile(
    RootModel[
        SloDocument
        | SliDocument
        | AlertPolicyDocument
        | AlertConditionDocument
        | AlertNotificationTargetDocument
        | ServiceDocument
        | DataSourceDocument
        | AgreementDocument
        | ErrorBudgetPolicyDocument
        | SlothDocument
    ]
):
    """Objectives, as OpenSLO v1 or Sloth has them; what a budget means, and what customers are owed."""
