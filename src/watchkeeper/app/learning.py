"""Postmortems put together: what they need to know of incidents' suspects, objectives and facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.app.configuration import Configuration
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.modules.alerts.public import FactLinks
from watchkeeper.modules.incidents.public import Incident
from watchkeeper.modules.incidents.story.telling import story_of
from watchkeeper.modules.postmortems import wiring
from watchkeeper.modules.postmortems.gathering import Gatherer, Suspects
from watchkeeper.modules.postmortems.public import Cause
from watchkeeper.modules.slo import public as slo

_MOST_CAUSES = 5


def learning_parts(
    configuration: Configuration, db: Database, clock: Clock, key: InstallationKey, before: Mapping[Any, Any], url: str
) -> dict[Any, Any]:
    """The parts of a server; `before` are those of the modules below, `url` is where people reach the console."""
    engine, links = before[slo.Engine], before[FactLinks]
    gatherer = Gatherer(engine, links, suspects_by(clock, engine, links))
    return wiring.postmortem_parts(db, clock, key, configuration.postmortems, configuration.outbound, gatherer, url)


def suspects_by(clock: Clock, engine: slo.Engine, links: FactLinks) -> Suspects:
    """The suspects that the page of an incident names, the most suspicious first; and those that were undone."""

    def suspects(session: Session, incident: Incident) -> Sequence[Cause]:
        story = story_of(session, incident, links, now=clock.now(), engine=engine)
        named = [one for one in story.changes if one.is_suspect or one.undone_at is not None]
        return [
            Cause(one.text, one.at, one.service, one.score, one.why, one.undone_at is not None, one.page)
            for one in named[:_MOST_CAUSES]
        ]

    return suspects
