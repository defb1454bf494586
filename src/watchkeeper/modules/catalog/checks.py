"""The catalog's own lines of a scorecard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from watchkeeper.modules.catalog.model import TIERS, Finding, Outcome, Service


@dataclass(frozen=True)
class IsSaid:
    """Whether somebody filled a field in."""

    key: str
    title: str
    read: Callable[[Service], str | None]
    how_to_fix: str

    async def check(self, service: Service) -> Finding:
        value = self.read(service)
        if value:
            return Finding(self.key, self.title, Outcome.OK, value)
        href = f"/services/{quote(service.name)}/about#edit"
        return Finding(self.key, self.title, Outcome.MISSING, "Not said yet.", self.how_to_fix, href)


def _tier(service: Service) -> str | None:
    tier = service.about.tier
    return f"Tier {tier}, {TIERS[tier]}." if tier is not None else None


CHECKS: tuple[IsSaid, ...] = (
    IsSaid("catalog.owner", "Has an owner", lambda s: s.about.owner, "Say which team builds and runs it."),
    IsSaid("catalog.tier", "Has a tier", _tier, "Say how soon users notice when it fails."),
    IsSaid("catalog.repository", "Has a repository", lambda s: s.about.repository, "Say where its source is."),
    IsSaid("catalog.description", "Is described", lambda s: s.about.description, "Say in a sentence what it does."),
)
