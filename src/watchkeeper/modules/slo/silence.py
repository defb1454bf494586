"""Sources that say nothing: an alert of their own, as no errors are known where nothing is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.slo.episodes import Transition, Watched
from watchkeeper.modules.slo.model import AlertState
from watchkeeper.modules.slo.rules import Now, step
from watchkeeper.modules.slo.shaping import touches
from watchkeeper.modules.slo.sources import source_of
from watchkeeper.modules.slo.tracker import Tracker

KEY = "slo/source/"
_STARTS_WITHIN = timedelta(minutes=5)  # a server that has just begun has heard nobody yet


@dataclass(frozen=True)
class _Heard:
    """What is known of a source: since when it says nothing (None: it speaks, or was never heard), and whether it is
    known to speak now."""

    silent_since: datetime | None
    speaks: bool


def of_sources(engine: Watched, now: datetime) -> Iterable[Transition]:
    """Sources that fell silent or speak again, and single SLOs of which nothing is told while their source speaks."""
    users: dict[str, list[Tracker]] = {}
    heard: dict[str, _Heard] = {}
    for tracker in engine.trackers.values():
        source = source_of(tracker.stored.definition)
        if source and tracker.stored.definition.alerting.enabled:
            users.setdefault(source, []).append(tracker)
    for source, trackers in list(users.items()):
        heard[source] = _heard(engine, source, engine.newest.get(source), _patience(trackers), now)
        for tracker in trackers:
            name = f"slo:{tracker.stored.name}"
            users.setdefault(name, []).append(tracker)
            heard[name] = _heard_of_slo(engine, tracker, name, heard[source], now)
    for source, trackers in users.items():
        yield from _of_source(engine, source, trackers, heard[source], now)
    for key in engine.speaking_since.keys() - users.keys():
        del engine.speaking_since[key]


def _of_source(
    engine: Watched, source: str, trackers: Sequence[Tracker], heard: _Heard, now: datetime
) -> Iterable[Transition]:
    if heard.speaks:
        engine.speaking_since.setdefault(source, now)
    else:
        engine.speaking_since.pop(source, None)
    patience = _patience(trackers)
    waiting = timedelta(0) <= now - engine.started_at < min(patience, _STARTS_WITHIN)
    since = heard.silent_since
    found = Now(
        holds=since is not None and now - since > patience and not waiting,
        known=heard.speaks,
        suppressed=_all_in_maintenance(engine, trackers, now),
        clear_since=engine.speaking_since.get(source),
    )
    if step(engine.states.get(f"{KEY}{source}"), found, now) is not None:
        yield Transition(_silence(source, trackers, engine, since or now, now), found)


def _patience(trackers: Sequence[Tracker]) -> timedelta:
    return min(one.stored.definition.alerting.silent_after for one in trackers)


def _heard(engine: Watched, source: str, newest: float | None, patience: timedelta, now: datetime) -> _Heard:
    problem = engine.problems.get(source)
    if problem is not None:
        return _Heard(problem[1], speaks=False)
    if newest is None:
        return _Heard(None, speaks=False)
    silent_for = timedelta(seconds=max(0.0, now.timestamp() - newest))
    return _Heard(now - silent_for if silent_for else None, speaks=silent_for <= patience)


def _heard_of_slo(engine: Watched, tracker: Tracker, name: str, source: _Heard, now: datetime) -> _Heard:
    """A source may speak of others: a scrape target that is gone leaves a Prometheus that answers with nothing."""
    if name in engine.problems:
        return _Heard(engine.problems[name][1], speaks=False)
    if not source.speaks or not tracker.told_until:
        return _Heard(None, speaks=False)
    slices = tracker.stored.definition.slices
    # A slice is told when it is over.
    until = tracker.told_until + (slices.length.total_seconds() if slices is not None else 0.0)
    return _heard(engine, name, until, tracker.stored.definition.alerting.silent_after, now)


def _all_in_maintenance(engine: Watched, trackers: Sequence[Tracker], now: datetime) -> bool:
    at = now.timestamp()
    return all(
        any(
            one.kind == "maintenance" and touches(one, tracker.stored.definition, at, at + 1)
            for one in engine.exclusions
        )
        for tracker in trackers
    )


def _silence(source: str, trackers: Sequence[Tracker], engine: Watched, since: datetime, now: datetime) -> AlertState:
    pages = any(rule.action == "page" for one in trackers for rule in one.rules)
    kind, _, name = source.partition(":")
    what = {"service": f"the service {name}", "data_source": f"the data source {name}"}.get(kind, f"the SLO {name}")
    problem = engine.problems.get(source)
    why = f" ({problem[0]})" if problem is not None else ""
    slos = sorted({one.stored.name for one in trackers})
    listed = ", ".join(slos[:5]) + (f" and {len(slos) - 5} more" if len(slos) > 5 else "")
    minutes = round((now - since) / timedelta(minutes=1))
    return AlertState(
        id=new_id("alr"),
        slo=name if kind == "slo" else "",
        objective="",
        service=trackers[0].stored.definition.service if kind != "data_source" else "",
        kind="source_silent",
        action="page" if pages else "ticket",
        dedup_key=f"slo/source/{source}"[:250],
        started_at=now,
        resolved_at=None,
        last_fired_at=now,
        fired=1,
        rules=(),
        burn=0.0,
        budget_spent=0.0,
        detail=f"{what} has told nothing for {minutes} min{why}; nobody knows how {listed} does",
    )
