"""Whether anything could page at all: everything muted is a death of paging in which every part runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.modules.alerts import store_integrations, store_noise
from watchkeeper.modules.alerts.model import Integration, Severity
from watchkeeper.modules.alerts.quiet import Quiet
from watchkeeper.modules.catalog import public as catalog

# More sorts of alerts than these say nothing new.
_MOST_LOOKED_AT = 5_000
Place = tuple[str | None, str | None]


def muted(session: Session, at: datetime) -> str | None:
    """What keeps every critical alert quiet at an instant: by whatever way it comes in, of every service of the catalog
    in each of its environments. None while anything would page."""
    quiet = store_noise.quiet_at(session, at)
    if not quiet.silences and not quiet.windows:
        return None
    ways = [one.integration for one in store_integrations.all_integrations(session)]
    places: list[Place] = [
        (service.name, environment)
        for service in catalog.services(session)
        for environment in service.environments or (None,)
    ]
    causes: set[str] = set()
    for number, labels in enumerate(_alerts(ways, places or [(None, None)])):
        cause = _cause(quiet, labels)
        if cause is None or number >= _MOST_LOOKED_AT:
            return None
        causes.add(cause)
    return f"every critical alert is kept quiet by {' and '.join(sorted(causes))}"


def _alerts(ways: Iterable[Integration], places: Iterable[Place]) -> Iterator[dict[str, str]]:
    """The labels of an alert of each sort; those of Watchkeeper's own come by no integration."""
    for name, only_service, only_environment in (
        ("watchkeeper", None, None),
        *((one.name, one.service, one.environment) for one in ways),
    ):
        for service, environment in places:
            said = {
                "integration": name,
                "severity": Severity.CRITICAL.value,
                "title": "any",
                "family": "any",
                "service": only_service or service,
                "environment": only_environment or environment,
            }
            yield {label: value for label, value in said.items() if value is not None}


def _cause(quiet: Quiet, labels: dict[str, str]) -> str | None:
    window = quiet.window_of(labels.get("service"), labels.get("environment"))
    if window is not None:
        return f"the maintenance window {window}"
    silence = quiet.silence_of(labels)
    return f"the silence {silence}" if silence is not None else None
