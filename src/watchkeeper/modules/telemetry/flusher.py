"""From sealed segments to Parquet parts: every few seconds, in one thread, again after any crash."""

from __future__ import annotations

import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

import duckdb
import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.telemetry import metrics
from watchkeeper.modules.telemetry import store
from watchkeeper.modules.telemetry.decoding import Decoder
from watchkeeper.modules.telemetry.engine import Engine
from watchkeeper.modules.telemetry.intake_log import IntakeLog, Segment, read_frames
from watchkeeper.modules.telemetry.model import DATASET_OF, HOUR, Batch, Dataset, Decoded, Part
from watchkeeper.modules.telemetry.parts import (
    UNREADABLE,
    PartFolder,
    arrow_table,
    part_name,
    write_batch,
    write_rollups,
)
from watchkeeper.modules.telemetry.red_from_metrics import RedFromMetrics

_log = structlog.get_logger("watchkeeper.telemetry")
_stored = metrics.counter("watchkeeper.telemetry.rows_stored", "Rows written to Parquet parts, by dataset.")
_pending = metrics.histogram(
    "watchkeeper.telemetry.flush_seconds", "Time from sealing a segment to its parts being listed."
)

# (service, environment, version) of each record that was stored; a record may name no version.
Seen = tuple[str, str, str | None]
SeenListener = Callable[[Session, frozenset[Seen], datetime], None]
_ATTEMPTS = 5
# The machine's trouble, not the segment's: a full disk, a database that is away, too little memory.
_TROUBLE = (Refusal, OSError, duckdb.IOException, duckdb.OutOfMemoryException)


@dataclass
class RouteCap:
    """Which routes are counted by name: the first `most` of a service in an hour."""

    most: int
    _known: dict[tuple[str, int], set[str]] = field(default_factory=dict)

    def overflowing(self, spans: Batch, hour: int) -> list[tuple[str, str]]:
        """(service, route) pairs among these spans that are past the cap."""
        pairs = {pair for pair in zip(spans.columns["service"], spans.columns["route"], strict=True) if pair[1]}
        past = []
        for service, route in sorted(pairs):
            known = self._known.setdefault((service, hour), set())
            if route not in known and len(known) >= self.most:
                past.append((service, route))
            else:
                known.add(route)
        for key in [key for key in self._known if key[1] < hour - 24 * HOUR]:
            del self._known[key]
        return past


class Flusher:
    """Owns the way from the log to the list of parts."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        log: IntakeLog,
        folder: PartFolder,
        engine: Engine,
        decoder: Decoder,
        *,
        every_seconds: float,
        most_routes: int,
        on_seen: SeenListener | None = None,
        after_round: Callable[[], None] | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._log = log
        self._folder = folder
        self._engine = engine
        self._decoder = decoder
        self._every = every_seconds
        self._cap = RouteCap(most_routes)
        self._red_from_metrics = RedFromMetrics()
        self._on_seen = on_seen
        self._after_round = after_round
        self._waiting: list[Segment] = log.leftovers()
        self._stopping = False
        self._wake = threading.Event()
        log.on_large = self._wake.set
        self._thread: threading.Thread | None = None
        self._one_at_a_time = threading.Lock()
        self._failures = 0

    def start(self) -> None:
        """Flush every few seconds until `stop`."""
        self._thread = threading.Thread(target=self._run, name="telemetry-flush", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Flush what is there and stop; what can't be stored now stays in the log for the next start."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._try_flush()

    def flush(self) -> int:
        """Store all that was acknowledged; answers the rows. Raises OSError or Unavailable, and then keeps them."""
        with self._one_at_a_time:
            sealed = self._log.seal()
            if sealed is not None:
                self._waiting.append(sealed)
            rows = 0
            while self._waiting:
                rows += self._store_or_set_aside(self._waiting[0])
                del self._waiting[0]
            return rows

    @property
    def backlog(self) -> int:
        """Segments that could not be stored yet."""
        return len(self._waiting)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._every)
            self._wake.clear()
            self._try_flush()
            if self._after_round is not None:
                self._after_round()

    def _try_flush(self) -> None:
        try:
            self.flush()
        except _TROUBLE as error:
            _log.warning("telemetry is kept in the intake log", reason=str(error), segments=len(self._waiting))
        except BaseException:  # noqa: BLE001 (an edge: the thread must outlive even a panic of a library in Rust)
            _log.exception("telemetry could not be stored", segments=len(self._waiting))

    def _store_or_set_aside(self, segment: Segment) -> int:
        try:
            return self._store(segment)
        except _TROUBLE:
            raise  # it stays first in line
        except BaseException:
            # Our mistake. One request must not cost the others, and one segment not hold up all later ones; the file
            # is kept for a version that reads it.
            self._failures += 1
            if self._failures == 1 and self._leave_out_unstorable(segment):
                return self._store(segment)
            if self._failures < _ATTEMPTS:
                raise
            self._failures = 0
            _log.exception("a segment of the intake log can't be stored and was set aside", segment=segment.name)
            segment.path.replace(segment.path.with_suffix(UNREADABLE))
            self._decoder.release(segment.requests)
            return 0

    def _leave_out_unstorable(self, segment: Segment) -> int:
        """Empty those requests of a segment that can't be stored alone; answers how many that were."""
        segment.requests = segment.requests or self._replay(segment)
        found = [one for one in segment.requests if not is_storable(one)]
        if found:
            _log.error("requests can't be stored and were left out", segment=segment.name, requests=len(found))
            shutil.copyfile(segment.path, segment.path.with_suffix(UNREADABLE))
        for one in found:
            one.batch = Batch(one.batch.dataset)
        return len(found)

    def _store(self, segment: Segment) -> int:
        started = self._clock.monotonic()
        with self._db.read() as session:
            stored = store.is_stored(session, segment.name)
        rows = 0
        if not stored:
            batches = merged(segment.requests or self._replay(segment))
            with self._red_from_metrics.tentatively():
                listed = [part for batch in batches.values() for part in self._write(segment.name, batch)]
                self._list(segment.name, listed, batches)
            rows = sum(len(batch) for batch in batches.values())
        self._failures = 0
        # Listed and only then deleted: a crash in between finds the parts listed and deletes the rest.
        segment.path.unlink(missing_ok=True)
        self._decoder.release(segment.requests)
        _pending.observe(self._clock.monotonic() - started)
        return rows

    def _replay(self, segment: Segment) -> list[Decoded]:
        return [self._decoder.decode_frame(frame) for frame in read_frames(segment.path)]

    def _write(self, name: str, batch: Batch) -> list[Part]:
        found = []
        for hour, rows in batch.by_hour().items():
            table = arrow_table(rows)
            part = write_batch(self._folder, rows, part_name(name, batch.dataset, hour), hour, table)
            found.append(part)
            if batch.dataset is Dataset.SPANS:
                past = self._cap.overflowing(rows, hour)
                found += write_rollups(self._folder, self._engine, table, part, name, past)
            elif batch.dataset is Dataset.METRICS:
                for rollup in self._red_from_metrics.rollups(rows):
                    found.append(write_batch(self._folder, rollup, f"{part_name(name, rollup.dataset, hour)}-m", hour))
        return found

    def _list(self, name: str, listed: list[Part], batches: dict[Dataset, Batch]) -> None:
        seen = frozenset(
            one
            for batch in batches.values()
            for one in set(zip(*(batch.columns[name] for name in ("service", "environment", "version")), strict=True))
        )
        at = self._clock.now()
        with self._db.begin() as session:
            store.register(session, listed, segment=name, place=self._folder.place_id, at=at)
            if self._on_seen is not None and seen:
                self._on_seen(session, seen, at)
        for dataset, batch in batches.items():
            _stored.add(len(batch), dataset=dataset.value)


def is_storable(request: Decoded) -> bool:
    """Whether the rows of this request fit their columns."""
    try:
        arrow_table(request.batch)
    except BaseException:  # noqa: BLE001 (whatever it is, the other requests are to be stored)
        return False
    return True


def merged(requests: Iterable[Decoded]) -> dict[Dataset, Batch]:
    """One batch a dataset; a span that a sender repeated within the segment stands in it once."""
    grouped: dict[Dataset, Batch] = defaultdict()
    for decoded in requests:
        dataset = DATASET_OF[decoded.signal]
        if len(decoded.batch) == 0:
            continue
        if dataset not in grouped:
            grouped[dataset] = Batch(dataset)
        grouped[dataset].extend(decoded.batch)
    if Dataset.SPANS in grouped:
        grouped[Dataset.SPANS] = without_repeats(grouped[Dataset.SPANS])
    return grouped


def without_repeats(spans: Batch) -> Batch:
    """The first of each (trace_id, span_id, time)."""
    keys = list(zip(spans.columns["trace_id"], spans.columns["span_id"], spans.columns["time"], strict=True))
    if len(set(keys)) == len(keys):
        return spans
    places: dict[tuple[str, str, int], int] = {}
    for number, key in enumerate(keys):
        places.setdefault(key, number)
    return spans.take(sorted(places.values()))
