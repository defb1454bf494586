"""The engine: reads what was counted, every few seconds, and holds it in memory for alerts, pages and reports.

Each replica has one and reads for itself. What it writes (hours, alerts) is compared with what is there first, so that
several do what one would.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.modules.slo import alerting, episodes, keeping, store, store_counts
from watchkeeper.modules.slo.definition import DataSource, Objective
from watchkeeper.modules.slo.gathering import Gatherer
from watchkeeper.modules.slo.model import AlertState, Counts, Exclusion, Figures
from watchkeeper.modules.slo.rules import REOPENS_WITHIN
from watchkeeper.modules.slo.series import HOUR, MINUTE
from watchkeeper.modules.slo.settings import SloSettings
from watchkeeper.modules.slo.shaping import touches
from watchkeeper.modules.slo.sources import Key, Source, source_of
from watchkeeper.modules.slo.store import Stored
from watchkeeper.modules.slo.tracker import Tracker

_log = structlog.get_logger("watchkeeper.slo")
_CHUNK = 6 * HOUR
_MINUTES_OF = 8 * HOUR  # the hours whose minutes are kept one by one
_RECENT = 3 * MINUTE  # what each look reads again: telemetry comes a few seconds late
_LATE_SHARE = 0.2  # of the time between two looks goes to what came late, so that alerts are looked at in time


@dataclass(frozen=True)
class Computed:
    """Every objective, worst first, as it was computed for a page: of this generation and look, at this instant."""

    generation: int
    look: int
    at: datetime
    figures: tuple[Figures, ...]


class Engine:
    """Counts and alerts of every objective. Readers hold `lock` while they look at trackers."""

    def __init__(
        self, db: Database, clock: Clock, sources: Sequence[Source], settings: SloSettings, *, raw_days: float = 7
    ) -> None:
        self._db = db.lane("slo")
        self._clock = clock
        self._gatherer = Gatherer(sources)
        self._settings = settings
        self._raw = timedelta(days=raw_days)
        self._generation = -1
        # How often what came late is looked for, and how far back.
        look_back = timedelta(days=settings.look_back_days)
        self._late = [
            Late(timedelta(minutes=5), timedelta(hours=1)),
            Late(timedelta(hours=1), min(look_back, timedelta(days=1))),
            Late(timedelta(days=1), look_back),
        ]
        self._to_read_again: deque[tuple[int, int]] = deque()
        self._forgot_at: int | None = None
        self._stopping = threading.Event()
        self.is_running = False
        self._stale: dict[Key, set[int]] = {}
        self.lock = threading.RLock()
        self.started_at = clock.now()
        self.looked_at: datetime | None = None
        self.kept_at: datetime | None = None  # the last look whose hours are stored
        self.trackers: dict[Key, Tracker] = {}
        self.exclusions: tuple[Exclusion, ...] = ()
        self.data_sources: dict[str, DataSource] = {}
        self.states: dict[str, AlertState] = {}
        self.speaking_since: dict[str, datetime] = {}
        # Those whose history could not be read yet.
        self._unfilled: dict[Key, Tracker] = {}
        self._definitions: tuple[int, tuple[Stored, ...]] = (-1, ())
        # Grows with each look; what was computed from counts and alerts holds until the next.
        self.looks = 0
        self.computed: Computed | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look every few seconds while the block lasts."""
        thread = threading.Thread(target=self._run, name="slo-engine", daemon=True)
        thread.start()
        self.is_running = True
        try:
            yield
        finally:
            self._stopping.set()
            await asyncio.to_thread(thread.join, 10)

    def run_once(self) -> None:
        """One look: definitions, counts, alerts, and what is to be stored."""
        now = self._clock.now()
        with self._db.read() as session:
            self._unfilled |= {one.key: one for one in self._load(session, now)}
            fresh = [one for one in self._unfilled.values() if self._may_answer(one)]
            since = self._restore(session, fresh, now)
        self._fill(fresh, since, now)
        self._collect(now)
        transitions = alerting.due(self, now)
        self.looked_at = now
        if transitions:
            with self._db.begin() as session:
                episodes.take(session, transitions, now)
        self.looks += 1
        self._keep(now)

    def _keep(self, now: datetime) -> None:
        with self.lock:
            rows = keeping.dirty_rows(self.trackers.values(), now)
        if rows:
            try:
                with self._db.begin() as session:
                    keeping.keep(session, rows, now)
            except BaseException:
                with self.lock:
                    keeping.not_kept(self.trackers, rows)
                raise
        self.kept_at = now

    @property
    def newest(self) -> Mapping[str, float]:
        """By source, the end of the last minute in which it said anything (Unix seconds)."""
        return self._gatherer.newest

    @property
    def problems(self) -> Mapping[str, tuple[str, datetime]]:
        """By source (or `slo:NAME`), why it does not answer, and since when."""
        return self._gatherer.problems

    def tracker(self, slo: str, objective: str) -> Tracker | None:
        """What is held of an objective; None before the first look at it."""
        return self.trackers.get((slo, objective))

    def definitions(self, session: Session) -> Sequence[Stored]:
        """Every SLO by name, as the session sees them: from memory, unless somebody changed one since the last look.

        A page of a thousand would otherwise spend most of its time reading what they are.
        """
        generation, found = self._definitions
        return found if store.generation_of(session) == generation else store.all_definitions(session)

    def exclusions_of(self, stored: Stored) -> list[Exclusion]:
        """Those that touch an SLO at any time."""
        definition = stored.definition
        return [one for one in self.exclusions if definition.name in one.slos or one.service == definition.service]

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = self._clock.monotonic()
            try:
                self.run_once()
            except Unavailable as refusal:
                _log.warning("objectives were not looked at", reason=refusal.detail)
            except Exception:  # noqa: BLE001 (and said in the log)
                # One broken look must not end all later ones.
                _log.exception("objectives were not looked at")
            took = self._clock.monotonic() - began
            self._stopping.wait(max(0.1, self._settings.evaluate_seconds - took))

    def _load(self, session: Session, now: datetime) -> list[Tracker]:
        """Follow what people changed; answers the trackers that begin."""
        self.states = store_counts.recent_episodes(session, now - REOPENS_WITHIN)
        generation = store.generation_of(session)
        if generation == self._generation:
            return []
        self.data_sources = {one.name: one for one in store.data_sources(session)}
        before, self.exclusions = self.exclusions, tuple(store.all_exclusions(session, withdrawn=False))
        fresh = []
        with self.lock:
            self._definitions = (generation, tuple(store.all_definitions(session)))
            stored = {one.name: one for one in self._definitions[1]}
            wanted = {
                (one.name, target.name): target for one in stored.values() for target in one.definition.objectives
            }
            for key in self.trackers.keys() - wanted.keys():
                del self.trackers[key]
                self._unfilled.pop(key, None)
            for key, objective in wanted.items():
                known, now_stored = self.trackers.get(key), stored[key[0]]
                if known is None or not known.counts_as(now_stored):
                    self.trackers[key] = Tracker(now_stored, objective)
                    fresh.append(self.trackers[key])
                elif known.stored.definition != now_stored.definition:
                    fresh.append(self._renewed(known, now_stored, objective))
        if self._generation >= 0:
            self._mark_stale(before, now)
        self._generation = generation
        return fresh

    def _renewed(self, known: Tracker, stored: Stored, objective: Objective) -> Tracker:
        """The same counts with other targets or rules: its hours are stored, and are read again."""
        renewed = Tracker(stored, objective)
        renewed.held, renewed.clear_since = known.held, known.clear_since
        self.trackers[known.key] = renewed
        return renewed

    def _restore(self, session: Session, fresh: Sequence[Tracker], now: datetime) -> int:
        """Begin with what is stored; answers since when history is wanted."""
        longest = max((one.stored.definition.window.length for one in fresh), default=timedelta(0))
        since = int((now - longest - timedelta(days=1)).timestamp()) // HOUR * HOUR
        if not fresh:
            return since
        names = {one.stored.name for one in fresh}
        only = names.pop() if len(names) == 1 else None
        rows = store_counts.read_hours(session, since, int(now.timestamp()) + HOUR, slo=only)
        with self.lock:
            for tracker in fresh:
                tracker.restore(rows.get(tracker.key, {}), int(now.timestamp()) // HOUR * HOUR)
        return since

    def _fill(self, fresh: Sequence[Tracker], since: int, now: datetime) -> None:
        """Read history: whole hours where nothing is stored, and the minutes of the last days."""
        if not fresh:
            return
        end = int(now.timestamp())
        minutes_since = (end - int(timedelta(days=self._settings.look_back_days).total_seconds())) // HOUR * HOUR
        by_slo = {one.stored.name: one.stored for one in fresh}
        for source in self._gatherer.sources:
            mine = [one for one in by_slo.values() if source.owns(one.definition)]
            for key, hours in source.hours(mine, since, minutes_since).items() if mine else ():
                for hour, counts in hours.items():
                    if not self.trackers[key].series.hours.bin(hour).measured and since <= hour < minutes_since:
                        self.trackers[key].put_whole_hour(hour, counts)
        self._read_again(fresh, minutes_since, end, now)
        for tracker in fresh:
            if self._may_answer(tracker):
                self._unfilled.pop(tracker.key, None)

    def _may_answer(self, tracker: Tracker) -> bool:
        """Whether it is still watched, and nothing keeps its source from answering."""
        asked = (source_of(tracker.stored.definition), f"slo:{tracker.stored.name}")
        return self.trackers.get(tracker.key) is tracker and not any(one in self.problems for one in asked)

    def _collect(self, now: datetime) -> None:
        """What came since the last look; from time to time also what came late."""
        end = int(now.timestamp())
        everything = list(self.trackers.values())
        self._recount(end, now)
        # A clock that was set back is no gap.
        gap = _RECENT if self.looked_at is None else max(0, end - int(self.looked_at.timestamp())) + _RECENT
        if gap > HOUR:
            self._read_again(everything, (end - gap) // HOUR * HOUR, end, now)
        else:
            slices = {_slice_of(one) for one in everything}
            since = min(((end - gap) // length * length for length in slices), default=end)
            reading = self._gatherer.read(self._stored(everything), self._by_name(), since, end, now)
            with self.lock:
                for key in reading.keys() & self.trackers.keys():
                    self.trackers[key].put(reading[key], self.exclusions_of(self.trackers[key].stored))
        self._look_for_late(everything, end, now)

    def _recount(self, end: int, now: datetime) -> None:
        """Count the hours again that exclusions changed."""
        stale, self._stale = self._stale, {}
        for key, hours in stale.items():
            if key in self.trackers:
                for hour in sorted(hours):
                    self._read_again([self.trackers[key]], hour, min(hour + HOUR, end), now)

    def _look_for_late(self, everything: Sequence[Tracker], end: int, now: datetime) -> None:
        """A piece at each look, or some: the other alerts wait for it."""
        hour = end // HOUR * HOUR
        for late in self._late:
            if late.is_due(now):
                since = hour - round(late.back.total_seconds() / HOUR) * HOUR
                pieces = [(start, min(end, start + _CHUNK)) for start in range(since, end, _CHUNK)]
                self._to_read_again.extend(one for one in reversed(pieces) if one not in self._to_read_again)
        began = self._clock.monotonic()
        while self._to_read_again:
            self._read_again(everything, *self._to_read_again.popleft(), now)
            if self._clock.monotonic() - began > self._settings.evaluate_seconds * _LATE_SHARE:
                break
        self._forget(end)

    def _read_again(self, trackers: Iterable[Tracker], since: int, until: int, now: datetime) -> None:
        """Whole hours again, as they are known now."""
        chosen = {one.key: one for one in trackers}
        stored = self._stored(chosen.values())
        for start in range(since, until, _CHUNK):
            end = min(until, start + _CHUNK)
            reading = self._gatherer.read(stored, self._by_name(), start, end, now)
            with self.lock:
                for key in reading.keys() & chosen.keys():
                    self._put_hours(chosen[key], reading[key], start, end, now)

    def _stored(self, trackers: Iterable[Tracker]) -> list[Stored]:
        return list({one.stored.name: one.stored for one in trackers}.values())

    def _by_name(self) -> dict[str, Stored]:
        return {one.stored.name: one.stored for one in self.trackers.values()}

    def _put_hours(
        self, tracker: Tracker, minutes: Mapping[int, Counts], since: int, until: int, now: datetime
    ) -> None:
        exclusions = self.exclusions_of(tracker.stored)
        kept_by_source = (now - self._raw).timestamp()
        for hour in range(since, until, HOUR):
            of_hour = {minute: counts for minute, counts in minutes.items() if hour <= minute < hour + HOUR}
            if not of_hour:
                # Nothing is known any more of what was known once, or nothing ever was.
                continue
            if hour < kept_by_source and tracker.series.hours.bin(hour).total > sum(o.total for o in of_hour.values()):
                continue
            if hour + HOUR <= now.timestamp():
                tracker.put_hour(hour, of_hour, exclusions, recent=hour > now.timestamp() - _MINUTES_OF)
            else:
                tracker.put(of_hour, exclusions)

    def _mark_stale(self, before: Sequence[Exclusion], now: datetime) -> None:
        """The hours that exclusions changed are counted again."""
        for one in set(before).symmetric_difference(self.exclusions):
            since = int(one.since.timestamp()) // HOUR * HOUR
            until = int(min(now, one.until or now).timestamp())
            for key, tracker in self.trackers.items():
                if touches(one, tracker.stored.definition, since, until + 1):
                    self._stale.setdefault(key, set()).update(range(since, until + 1, HOUR))

    def _forget(self, end: int) -> None:
        if self._forgot_at is not None and end - self._forgot_at < HOUR:
            return
        self._forgot_at = end
        for tracker in self.trackers.values():
            tracker.forget(end - int(tracker.stored.definition.window.length.total_seconds()) - 26 * HOUR)
        for source in self._gatherer.sources:
            source.forget(end - 8 * 24 * HOUR)


@dataclass
class Late:
    """Late data is looked for so often, so far back; not at the first look, which reads all of it anyway."""

    every: timedelta
    back: timedelta
    last: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether it is time, which it is not again then."""
        if self.last is not None and self.last <= now < self.last + self.every:
            return False
        first, self.last = self.last is None, now
        return not first


def _slice_of(tracker: Tracker) -> int:
    slices = tracker.stored.definition.slices
    return MINUTE if slices is None else int(slices.length.total_seconds())
