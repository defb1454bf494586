"""Our JSON and YAML of the catalog: what comes in is checked here once."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.catalog.model import (
    LONGEST_NAME,
    Description,
    Finding,
    Link,
    Outcome,
    Scorecard,
    Service,
    description_from,
)
from watchkeeper.modules.catalog.store import said


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("one line of printable characters")
    return text


def _web_address(text: str) -> str:
    # These become links, and a browser would run other schemes.
    if not re.fullmatch(r"https?://[^\s]+", text) or not text.isprintable():
        raise ValueError("an address that starts with http:// or https://, without spaces")
    return text


def _whole_number(value: object) -> object:
    # To Python, true is 1, and so is 1.0.
    if isinstance(value, (bool, float)):
        raise ValueError("1, 2, 3 or 4")
    return value


# Whatever telemetry calls a service can be described, spaces and slashes too.
ServiceName = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME), AfterValidator(_one_line)]
WebAddress = Annotated[
    str,
    StringConstraints(max_length=500),
    AfterValidator(_web_address),
    Field(json_schema_extra={"format": "uri", "pattern": "^https?://"}),
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_one_line)]
Tier = Annotated[Literal[1, 2, 3, 4], BeforeValidator(_whole_number)]
Reason = Annotated[str, StringConstraints(max_length=500)]


class LinkBody(StrictModel):
    """Something worth opening."""

    title: Annotated[Text, StringConstraints(max_length=100)] = Field(description="What it is, such as Dashboard.")
    url: WebAddress = Field(description="Where it is; http or https.")


class Described(StrictModel):
    """What people or files say of a service."""

    title: Text | None = Field(None, description="A readable name.")
    description: Annotated[str, StringConstraints(max_length=2_000)] | None = Field(
        None, description="What it does, in a sentence or two."
    )
    owner: Text | None = Field(None, description="The team or person that builds and runs it.")
    tier: Tier | None = Field(
        None, description="How soon users notice when it fails: 1 critical, 2 important, 3 supporting, 4 internal."
    )
    repository: WebAddress | None = Field(None, description="Where its source is; http or https.")
    links: list[LinkBody] = Field(default_factory=list, max_length=20, description="Dashboards, documents, runbooks.")
    dependencies: list[ServiceName] = Field(
        default_factory=list, max_length=50, description="Names of the services that it calls."
    )
    environments: list[Text] = Field(
        default_factory=list, max_length=20, description="Where it runs; those that telemetry names are added."
    )

    def about(self) -> Description:
        """The same as the domain has it."""
        return Description(
            title=self.title,
            description=self.description or None,
            owner=self.owner,
            tier=self.tier,
            repository=self.repository,
            links=tuple(Link(one.title, one.url) for one in self.links),
            dependencies=tuple(self.dependencies),
            environments=tuple(self.environments),
        )

    def onto(self, current: Description) -> Description:
        """`current` with the fields that were given; null empties one."""
        given = {name: value for name, value in said(self.about()).items() if name in self.model_fields_set}
        return description_from({**said(current), **given})


class NewService(Described):
    """A service to add by hand."""

    name: ServiceName = Field(description="The `service.name` that its telemetry will carry.")
    reason: Reason = Field("", description="Why; kept on the timeline.")


class ServiceEdit(Described):
    """What is said of a service."""

    reason: Reason = Field("", description="Why; kept on the timeline.")


class EnvironmentView(BaseModel):
    """Where telemetry came from."""

    name: str
    first_seen: datetime
    last_seen: datetime


class LinkView(BaseModel):
    title: str
    url: str


class ServiceView(BaseModel):
    """A service of the catalog."""

    id: str
    name: str
    title: str
    description: str | None
    owner: str | None
    tier: int | None = Field(description="1 critical, 2 important, 3 supporting, 4 internal.")
    repository: str | None
    links: list[LinkView]
    dependencies: list[str]
    environments: list[str] = Field(description="Declared ones and those that telemetry named.")
    seen: list[EnvironmentView]
    first_seen: datetime | None
    last_seen: datetime | None
    managed_by: str = Field(description="`discovery`, `people` or `ops`.")
    drift: list[str] = Field(description="Fields that differ from `ops/` since it was applied.")
    differs_since: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, service: Service) -> ServiceView:
        about = service.about
        return cls(
            id=service.id,
            name=service.name,
            title=service.title,
            description=about.description,
            owner=about.owner,
            tier=about.tier,
            repository=about.repository,
            links=[LinkView(title=link.title, url=link.url) for link in about.links],
            dependencies=list(about.dependencies),
            environments=list(service.environments),
            seen=[EnvironmentView(**vars(one)) for one in service.seen],
            first_seen=service.first_seen,
            last_seen=service.last_seen,
            managed_by=service.managed_by,
            drift=list(service.drift),
            differs_since=service.differs_since,
            created_at=service.created_at,
            updated_at=service.updated_at,
        )


class FindingView(BaseModel):
    """One line of a scorecard."""

    key: str
    title: str
    outcome: Outcome
    detail: str
    how_to_fix: str
    href: str | None

    @classmethod
    def of(cls, finding: Finding) -> FindingView:
        return cls(**vars(finding))


class ScorecardView(BaseModel):
    """How ready a service is; what is missing comes first."""

    passed: int
    counted: int
    share: float | None = Field(description="Passed of counted, 0 to 1; null when nothing could be checked.")
    findings: list[FindingView]

    @classmethod
    def of(cls, card: Scorecard) -> ScorecardView:
        findings = [FindingView.of(finding) for finding in card.findings]
        return cls(passed=card.passed, counted=card.counted, share=card.share, findings=findings)
