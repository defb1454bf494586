"""Drafting the postmortem of an incident with 200 entries, beside the bare reading of the same facts in the same run.

`python -m bench.postmortem_draft [--entries 200] [--facts 400] [--rounds 20]`
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from bench.support import headline
from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.server import Watchkeeper
from watchkeeper.kernel.journal import FactFilter, read_facts
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.modules.alerts.public import Alerting, OwnAlert
from watchkeeper.modules.catalog.model import Description
from watchkeeper.modules.catalog.service import Catalog
from watchkeeper.modules.incidents import public as incidents
from watchkeeper.modules.incidents.public import Incident, Incidenting, Severity
from watchkeeper.modules.postmortems import store
from watchkeeper.modules.postmortems.gathering import Gatherer
from watchkeeper.modules.postmortems.service import Postmortems
from watchkeeper.modules.postmortems.settings import PostmortemSettings

_GOAL_SECONDS = 2.0
_BY = {"by": "system:bench", "source": "bench"}


@dataclass(frozen=True)
class Stage:
    """A server without background work, and its incident."""

    watchkeeper: Watchkeeper
    parts: Parts
    incident: Incident

    def bare(self) -> int:
        """The rows that a draft is made from, and nothing else: entries, updates, facts."""
        with self.watchkeeper.db.read() as session:
            since = self.incident.started_at - timedelta(minutes=30)
            rows = [
                *incidents.entries(session, self.incident.id),
                *incidents.updates(session, self.incident.id),
                *read_facts(session, FactFilter(subjects=(self.incident.id,), since=since), limit=500),
                *read_facts(session, FactFilter(services=self.incident.services, since=since), limit=500),
            ]
        return len(rows)

    def story(self) -> int:
        """Read and ranked."""
        with self.watchkeeper.db.read() as session:
            return len(self.parts[Gatherer].story(session, self.incident.id, self.watchkeeper.clock.now()).moments)

    def draft(self) -> int:
        """From nothing to a draft that is stored. It is forgotten again, so that each round makes one anew."""
        with self.watchkeeper.db.read() as session:
            story = self.parts[Gatherer].story(session, self.incident.id, self.watchkeeper.clock.now())
        with self.watchkeeper.db.begin() as session:
            verbs = Postmortems(session, self.watchkeeper.clock, self.parts[PostmortemSettings])
            made = verbs.draft(story, **_BY)
            return len(store.moments_of(session, made.id))

    def forget(self) -> None:
        """The draft goes."""
        from watchkeeper.modules.postmortems import tables

        with self.watchkeeper.db.begin() as session:
            for table in (tables.postmortems, tables.sections, tables.revisions, tables.moments, tables.themes):
                session.execute(table.delete())


def main() -> None:
    """Fill, then each by turns."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=200)
    parser.add_argument("--facts", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    headline(f"A draft from an incident with {options.entries} entries and {options.facts} facts around it")
    with (
        tempfile.TemporaryDirectory() as folder,
        Watchkeeper.open(load_configuration({}, data=Path(folder) / "data"), background=False) as watchkeeper,
    ):
        parts: Parts = watchkeeper.app.state.parts
        with watchkeeper.db.begin() as session:
            incident = _fill(session, watchkeeper, parts, options.entries, options.facts)
        stage = Stage(watchkeeper, parts, incident)
        took: dict[str, list[float]] = {"bare reading": [], "story, ranked": [], "draft, stored": []}
        sizes: dict[str, int] = {}
        for _ in range(options.rounds):
            _turn(took, sizes, "bare reading", stage.bare)
            _turn(took, sizes, "story, ranked", stage.story)
            _turn(took, sizes, "draft, stored", stage.draft)
            stage.forget()
        _print(took, sizes)


def _fill(session: Session, watchkeeper: Watchkeeper, parts: Parts, entries: int, facts: int) -> Incident:
    clock = watchkeeper.clock
    catalog = Catalog(session, clock)
    catalog.declare("shop", Description(dependencies=("stock",)), **_BY)
    catalog.declare("stock", Description(), **_BY)
    for number in range(facts // 2):
        about = Description(dependencies=("stock",), title=f"Shop {number}")
        catalog.change("shop", about, reason="bench", **_BY)
    for number in range(facts // 2):
        alert = OwnAlert(source="bench", key=f"a{number}", title=f"Alert {number}", severity="warning", service="shop")
        parts[Alerting].raise_own(session, alert, at=clock.now())
    verbs = parts[Incidenting].on(session, clock)
    made = verbs.open("Checkout is down", severity=Severity.SEV1, services=("shop",), page=False, **_BY)
    for number in range(entries):
        verbs.note(made.id, f"Note {number}: the pool has {number} connections left of a hundred.", **_BY)
    return verbs.resolve(made.id, reason="rolled back", **_BY)


def _turn(took: dict[str, list[float]], sizes: dict[str, int], what: str, call: Callable[[], Any]) -> None:
    began = time.perf_counter()
    sizes[what] = call()
    took[what].append(time.perf_counter() - began)


def _print(took: dict[str, list[float]], sizes: dict[str, int]) -> None:
    bare = statistics.median(took["bare reading"])
    for what, times in took.items():
        median = statistics.median(times)
        print(
            f"{what:<14} {sizes[what]:>5} rows  median {median * 1_000:8.1f} ms  slowest {max(times) * 1_000:8.1f} ms  "
            f"{median / bare:5.1f} times the bare reading"
        )
    slowest = max(took["draft, stored"])
    print(f"goal: a draft within {_GOAL_SECONDS:.0f} s: {'met' if slowest <= _GOAL_SECONDS else 'MISSED'}")


if __name__ == "__main__":
    main()
