"""What Watchkeeper answers, as values. Fields that a newer server adds are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Seen:
    """An environment that telemetry of a service came from."""

    environment: str
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class Service:
    """A service of the catalog. `name` is its telemetry's `service.name`."""

    id: str
    name: str
    title: str
    description: str | None
    owner: str | None
    tier: int | None
    repository: str | None
    dependencies: tuple[str, ...]
    environments: tuple[str, ...]
    seen: tuple[Seen, ...]

    @classmethod
    def parse(cls, said: Mapping[str, Any]) -> Service:
        """From the API's JSON."""
        return cls(
            id=said["id"],
            name=said["name"],
            title=said["title"],
            description=said["description"],
            owner=said["owner"],
            tier=said["tier"],
            repository=said["repository"],
            dependencies=tuple(said["dependencies"]),
            environments=tuple(said["environments"]),
            seen=tuple(
                Seen(one["name"], _instant(one["first_seen"]), _instant(one["last_seen"])) for one in said["seen"]
            ),
        )


@dataclass(frozen=True)
class Fact:
    """Something that happened; `sentence` says it in words, `data` in parts."""

    id: str
    at: datetime
    kind: str
    sentence: str
    service: str | None
    actor: str
    data: Mapping[str, Any]
    trace_id: str | None

    @classmethod
    def parse(cls, said: Mapping[str, Any]) -> Fact:
        """From the API's JSON."""
        return cls(
            id=said["id"],
            at=_instant(said["at"]),
            kind=said["kind"],
            sentence=said["sentence"],
            service=said["service"],
            actor=said["actor"],
            data=said["data"],
            trace_id=said["trace_id"],
        )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
