"""What is chosen on a page: time range, environment, route. Every state of a page has an address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.telemetry.params import RECENT

RANGES = ("15m", "1h", "6h", "24h", "7d")


@dataclass(frozen=True)
class Chosen:
    """What is chosen on a page of a service: all of it is in its address, and every link on the page keeps the rest."""

    service: str
    tab: str
    since: str | None
    until: str | None
    environment: str | None
    more: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def href(self) -> str:
        return dict(catalog.tabs_of(self.service))[self.tab]

    def asked(self, **changed: str | None) -> dict[str, str]:
        """The query of this page's address, with some of it changed; None takes a choice away."""
        values = {"since": self.since or RECENT, "until": self.until, "environment": self.environment}
        return {name: value for name, value in {**values, **self.more, **changed}.items() if value}

    async def context(self, db: Database, *, by_environment: bool = True) -> dict[str, Any]:
        """What the templates of a service's pages show around their content."""
        known = await db.ask(lambda session: catalog.service(session, self.service))
        names = known.environments if known is not None and by_environment else ()
        kept = self.asked(since=None, until=None)
        options = [(None, "all environments"), *((name, name) for name in names)]
        return {
            "service": self.service,
            "differs_since": known.differs_since if known is not None else None,
            "tab_items": catalog.service_tabs(self.service, self.tab),
            "since": self.since or RECENT,
            "until": self.until,
            "window": f"{self.since or RECENT} to {self.until}" if self.until else self.since or RECENT,
            "environment": self.environment,
            "query": urlencode(self.asked()),
            "scope": urlencode(self.asked(route=None, name=None, group_by=None)),
            "live": not self.until,
            "ranges": ranges(self.href, self.since, kept, until=self.until),
            "custom": (self.href, kept, self.since or RECENT, self.until or "", RANGES),
            "environments": [
                (label, f"{self.href}?{urlencode(self.asked(environment=name))}", name == self.environment)
                for name, label in options
            ]
            if len(names) > 1
            else [],
        }


def ranges(
    href: str, since: str | None, kept: Mapping[str, str], until: str | None = None
) -> list[tuple[str, str, bool]]:
    """(label, address, is current) of the time ranges one click away."""
    here = None if until else since or RECENT
    return [(text, f"{href}?{urlencode({**kept, 'since': text})}", text == here) for text in RANGES]
