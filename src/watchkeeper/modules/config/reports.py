"""What running services tell about themselves: what their code declares, what they see, what they served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.modules.config import store, store_reports
from watchkeeper.modules.config.service import Config
from watchkeeper.modules.config.store_reports import Reader

FRESH = timedelta(minutes=5)
GONE = timedelta(days=1)


@dataclass(frozen=True)
class Report:
    """One program's report; `variables` maps keys to what the environment says, None for a secret."""

    service: str
    instance: str
    version: int
    stale_seconds: int
    variables: Mapping[str, str | None]
    counts: tuple[tuple[str, str, int], ...]


def take_report(session: Session, clock: Clock, environment: str, report: Report) -> None:
    """Keep what a program reports in place of what it said before, and add its counts.

    Keys and variants that the registry does not know are left out. Raises EnvironmentNotFound.
    """
    Config(session, clock).environment(environment)
    now = clock.now()
    parameters = store.parameters_of(session, {*report.variables, *(key for key, _, _ in report.counts)})
    reader = Reader(report.service, report.instance, report.version, report.stale_seconds, now)
    store_reports.put_reader(session, environment, reader)
    variables = {
        key: None if parameters[key].definition.type == "secret" else said
        for key, said in report.variables.items()
        if key in parameters
    }
    store_reports.put_variables(session, environment, report.service, report.instance, variables, at=now)
    add_counts(session, environment, report.counts, at=now)


def add_counts(session: Session, environment: str, counts: Iterable[tuple[str, str, int]], *, at: datetime) -> None:
    """Add evaluations to the hour of `at`; of unknown keys and variants, none."""
    counts = list(counts)
    known = store.parameters_of(session, {key for key, _, _ in counts})
    layers = {"user", "segment", "system_config", "env", "code"}
    sound = [
        (key, variant, count)
        for key, variant, count in counts
        if key in known and variant in {*known[key].definition.variants, *layers} and count > 0
    ]
    hour = at.replace(minute=0, second=0, microsecond=0)
    # In one order, so that two programs that report at once never wait for each other in a circle.
    store_reports.add_usage(session, environment, sorted(sound), hour=hour)
