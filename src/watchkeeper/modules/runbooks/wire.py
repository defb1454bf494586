"""The front matter of a file, and the JSON of runbooks."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any

import re2
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.runbooks.model import InputType, Kind, Runbook

Name = Annotated[str, Field(min_length=1, max_length=200)]


def _is_date(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError("a date such as 2026-11-30") from None
    return value


def _is_pattern(value: str) -> str:
    try:
        re2.compile(value)
    except re2.error:
        raise ValueError("a regular expression of RE2") from None
    return value


def _is_address(value: str) -> str:
    if not re.match(r"https?://[^\s]+$", value) and not re.match(r"/[^/\s]", value):
        raise ValueError("an address that begins with https://, http:// or /")
    return value


class DashboardBody(StrictModel):
    """A page to look at."""

    title: Name
    url: Annotated[str, Field(max_length=1_000), AfterValidator(_is_address)]


class MetricBody(StrictModel):
    """A number whose value is shown beside the text."""

    name: str = Field(
        max_length=200,
        pattern=r"^(requests|errors|latency|slo:.+)$",
        description="`slo:NAME`, or `requests`, `errors` or `latency` of the service.",
    )
    title: str = Field("", max_length=200)


class DependencyBody(StrictModel):
    """Something that the service needs."""

    name: Name
    impact: str = Field(min_length=1, max_length=500, description="What users notice when it is down.")


class InputBody(StrictModel):
    """A value that is asked for when steps are run."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="A shell sees it as WK_ and this in capitals.")
    type: InputType = InputType.TEXT
    description: str = Field("", max_length=300)
    required: bool = True
    default: str | int | float | bool | None = None
    choices: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(default_factory=list, max_length=50)
    pattern: Annotated[str, Field(max_length=300), AfterValidator(_is_pattern)] = ""


class FrontMatter(StrictModel):
    """What stands between the lines of three dashes at the top of a runbook."""

    title: Name
    kind: Kind = Field(Kind.SERVICE, description="`service` or `alert`: which sections are asked for.")
    service: str | None = Field(None, max_length=200, description="The service that it is about.")
    owners: list[Name] = Field(default_factory=list, max_length=20, description="Teams or people.")
    related: list[Name] = Field(default_factory=list, max_length=50, description="Services to look at, too.")
    dependencies: list[DependencyBody] = Field(default_factory=list, max_length=50)
    alerts: dict[str, str] = Field(
        default_factory=dict, max_length=100, description="Name of an alert to the section that is about it."
    )
    external_alerts: list[Name] = Field(
        default_factory=list,
        max_length=100,
        description="Those of `alerts` that another system raises, such as Prometheus: lint does not look for them.",
    )
    parameters: list[Name] = Field(default_factory=list, max_length=200, description="Configuration keys.")
    dashboards: list[DashboardBody] = Field(default_factory=list, max_length=50)
    metrics: list[MetricBody] = Field(default_factory=list, max_length=30)
    reviewed: Annotated[str, AfterValidator(_is_date)] | None = Field(None, description="When it was last read whole.")
    review_every_days: int = Field(92, ge=1, le=1_000)
    inputs: list[InputBody] = Field(default_factory=list, max_length=30)


class RunbookFile(FrontMatter):
    """A runbook: Markdown with front matter; the file's name is its name."""

    # The text stays as it is to the byte: a revision is its digest.
    model_config = ConfigDict(str_strip_whitespace=False)

    name: str = Field(description="The file's name without `.md`.")
    text: str = Field(description="The whole file.")


class StepView(BaseModel):
    """A step of a runbook."""

    key: str
    title: str
    how: str
    action: str
    section: str
    confirm: str
    timeout: int = Field(description="Seconds.")
    expect: str
    undo: str | None
    repeatable: bool
    body: str


class RunbookSummary(BaseModel):
    """A runbook in a list."""

    name: str
    title: str
    kind: Kind
    service: str | None
    owners: list[str]
    revision: str = Field(description="SHA-256 of the file.")
    approved_by: str | None
    approved_at: datetime | None
    reviewed_at: date | None
    next_review: date | None
    overdue: bool
    problems: int = Field(description="What lint finds.")
    rehearsed_at: datetime | None
    ran_at: datetime | None


class ProblemView(BaseModel):
    """One thing that lint finds."""

    level: str
    code: str
    where: str
    said: str


class RunbookView(RunbookSummary):
    """A runbook with its text and steps."""

    alerts: dict[str, str]
    parameters: list[str]
    sections: list[dict[str, Any]]
    steps: list[StepView]
    inputs: list[dict[str, Any]]
    text: str
    findings: list[ProblemView]


class KnownView(BaseModel):
    """Names that exist; null where nobody can say."""

    services: frozenset[str] | None
    owners: frozenset[str] | None
    alerts: frozenset[str] | None
    objectives: frozenset[str] | None
    parameters: frozenset[str] | None
    runbooks: frozenset[str] | None
    actions: frozenset[str] | None


class HitView(BaseModel):
    """A section that a search found."""

    name: str
    title: str
    anchor: str
    heading: str
    excerpt: str
    href: str


def summary_of(one: Runbook, problems: int, today: date) -> dict[str, Any]:
    """The fields of RunbookSummary."""
    return {
        "name": one.name,
        "title": one.title,
        "kind": one.kind,
        "service": one.service,
        "owners": list(one.owners),
        "revision": one.revision,
        "approved_by": one.approved.by if one.approved else None,
        "approved_at": one.approved.at if one.approved else None,
        "reviewed_at": one.reviewed_at,
        "next_review": one.next_review,
        "overdue": one.next_review is None or one.next_review < today,
        "problems": problems,
        "rehearsed_at": one.rehearsed_at,
        "ran_at": one.ran_at,
    }


def details_of(one: Runbook) -> dict[str, Any]:
    """What RunbookView has beside the summary and the findings."""
    content = one.content
    return {
        "alerts": dict(one.alerts),
        "parameters": list(one.parameters),
        "sections": [
            {"anchor": part.anchor, "title": part.title, "level": part.level, "line": part.line}
            for part in one.sections
        ],
        "steps": [StepView.model_validate({**step.plain(), "how": step.how.value}) for step in one.steps],
        "inputs": [
            {"name": part.name, "type": part.type.value, "required": part.required, "variable": part.variable}
            for part in content.inputs
        ],
        "text": content.text,
    }
