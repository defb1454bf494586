"""What a service is, how ready it is, and which of its fields people and files may set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

TIERS = {
    1: "critical: users notice within minutes, somebody is woken",
    2: "important: a main feature degrades, handled the same day",
    3: "supporting: users hardly notice, handled in working hours",
    4: "internal: nobody outside the team notices",
}

LONGEST_NAME = 200
# "Last seen" is not written more often than this: telemetry arrives every few seconds.
SEEN_WITHIN = timedelta(seconds=10)
ALIVE_FOR = timedelta(minutes=10)
LONGEST_VERSION = 100
VERSION_SEEN_WITHIN = timedelta(minutes=1)
VERSION_GONE_AFTER = timedelta(minutes=10)
# A build that names itself by the second must not fill the journal: beyond these, versions are kept and not told.
MOST_VERSIONS_TOLD = 20
VERSIONS_TOLD_WITHIN = timedelta(hours=1)
MOST_VERSIONS_KEPT = 100

ManagedBy = Literal["discovery", "people", "ops"]


@dataclass(frozen=True)
class Link:
    """Something worth opening: a dashboard, a document, a runbook."""

    title: str
    url: str


@dataclass(frozen=True)
class Description:
    """What people or `ops/` say of a service; telemetry says nothing of it."""

    title: str | None = None
    description: str | None = None
    owner: str | None = None
    tier: int | None = None
    repository: str | None = None
    links: tuple[Link, ...] = ()
    dependencies: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()

    def changes_to(self, other: Description) -> dict[str, tuple[Any, Any]]:
        """Fields that differ, with (before, after) as plain values."""
        return {
            one.name: (before, after)
            for one in fields(self)
            if (before := plain(getattr(self, one.name))) != (after := plain(getattr(other, one.name)))
        }


@dataclass(frozen=True)
class Environment:
    """Where a service runs, and when telemetry last came from there."""

    name: str
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class Service:
    """One entry of the catalog. `name` is telemetry's `service.name` and never changes."""

    id: str
    name: str
    about: Description
    managed_by: ManagedBy
    archived: bool
    created_at: datetime
    updated_at: datetime
    seen: tuple[Environment, ...] = ()
    # What `ops/` said last, and since when what is said now differs from it.
    applied: Description | None = None
    differs_since: datetime | None = None

    @property
    def title(self) -> str:
        return self.about.title or self.name

    @property
    def first_seen(self) -> datetime | None:
        """When telemetry first came from it, anywhere."""
        return min((one.first_seen for one in self.seen), default=None)

    @property
    def last_seen(self) -> datetime | None:
        """When telemetry last came from it, anywhere; to within `SEEN_WITHIN`."""
        return max((one.last_seen for one in self.seen), default=None)

    @property
    def drift(self) -> tuple[str, ...]:
        """Fields that were changed elsewhere since `ops/` was applied."""
        return tuple(self.applied.changes_to(self.about)) if self.applied is not None else ()

    def sends(self, now: datetime) -> bool:
        """Whether telemetry came from it lately enough to expect more."""
        return self.last_seen is not None and now - self.last_seen < ALIVE_FOR

    @property
    def environments(self) -> tuple[str, ...]:
        """Seen and declared ones."""
        return tuple(sorted({one.name for one in self.seen if one.name} | set(self.about.environments)))


class Outcome(StrEnum):
    """What a readiness check found. `unknown` counts neither for nor against."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """The result of one readiness check: what was found and, where something is missing, what to do."""

    key: str
    title: str
    outcome: Outcome
    detail: str
    how_to_fix: str = ""
    href: str | None = None


@dataclass(frozen=True)
class Scorecard:
    """All findings for a service; missing ones come first."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> int:
        return sum(finding.outcome is Outcome.OK for finding in self.findings)

    @property
    def counted(self) -> int:
        return sum(finding.outcome is not Outcome.UNKNOWN for finding in self.findings)

    @property
    def share(self) -> float | None:
        """Passed of counted, 0..1; None when nothing could be checked."""
        return self.passed / self.counted if self.counted else None


def scorecard(findings: list[Finding]) -> Scorecard:
    """Order findings so that what is missing stands at the top."""
    order = {Outcome.MISSING: 0, Outcome.UNKNOWN: 1, Outcome.OK: 2}
    return Scorecard(tuple(sorted(findings, key=lambda finding: order[finding.outcome])))


def plain(value: Any) -> Any:
    """A field's value as JSON."""
    if isinstance(value, Link):
        return {"title": value.title, "url": value.url}
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    return value


def description_from(values: Mapping[str, Any]) -> Description:
    """A description from plain values as `plain` makes them."""
    known = {one.name: values[one.name] for one in fields(Description) if one.name in values}
    if "links" in known:
        known["links"] = tuple(Link(one["title"], one["url"]) for one in known["links"])
    for name in ("dependencies", "environments"):
        if name in known:
            known[name] = tuple(known[name])
    return replace(Description(), **known)


@dataclass(frozen=True)
class Seen:
    """A service, its environment and its version as telemetry named them; "" where it named none."""

    service: str
    environment: str = field(default="")
    version: str = field(default="")


@dataclass(frozen=True)
class Running:
    """A version that telemetry named, at one service in one environment."""

    version: str
    last_seen: datetime


def replaced_by(version: str, known: Sequence[Running], now: datetime) -> str | None:
    """The version that this one took the place of, None when that is no news.

    New to a place where another ran, it is. One that comes back after a while, while another was heard last, was put
    back. While two are sent side by side neither comes back: a roll-out that takes an hour is told once.
    """
    mine = next((one for one in known if one.version == version), None)
    last = max((one for one in known if one.version != version), key=lambda one: one.last_seen, default=None)
    if last is None:
        return None
    if mine is None or (now - mine.last_seen >= VERSION_GONE_AFTER and last.last_seen > mine.last_seen):
        return last.version
    return None
