"""Keeping the parts few, small in sum, and no older than promised: merging, retention, sweeping."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb
import structlog

from watchkeeper.kernel.clock import Clock, to_unix_nano
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.ids import sort_key
from watchkeeper.modules.telemetry import store
from watchkeeper.modules.telemetry.engine import Engine, file_list
from watchkeeper.modules.telemetry.model import COLUMNS, DAY, HOUR, MINUTE, RED_KEY, RED_SUMS, Dataset, Part
from watchkeeper.modules.telemetry.parts import PartFolder, added, listed
from watchkeeper.modules.telemetry.quarantine import set_aside_unreadable
from watchkeeper.modules.telemetry.settings import TelemetrySettings

_log = structlog.get_logger("watchkeeper.telemetry")

# Eight parts of one level become one of the next, so a row is rewritten about log8(n) times and an hour never has
# more than a few dozen files.
MERGE_AT = 8
MOST_ROWS = 2_000_000
# A part this large is read quickly enough as it is; rewriting it while its hour goes on would cost intake its core.
LARGE = 100_000
_SETTLED_AFTER = 15 * MINUTE
_READERS_GONE_AFTER = timedelta(minutes=5)


@dataclass(frozen=True)
class Maintenance:
    """Runs on one replica of a place at a time, on the parts of that place."""

    db: Database
    clock: Clock
    folder: PartFolder
    engine: Engine
    settings: TelemetrySettings

    def run(self) -> None:
        """One round of everything."""
        self.apply_retention()
        self.sweep()
        self.merge()

    def merge(self) -> int:
        """Merge what has become many; answers how many merges that were."""
        now = to_unix_nano(self.clock.now())
        done = 0
        for dataset in Dataset:
            with self.db.read() as session:
                live = store.live(session, dataset, 0, 2**62, place=self.folder.place_id)
            for parts in chosen(live, now):
                self._merge(dataset, parts)
                done += 1
        return done

    def apply_retention(self) -> int:
        """Retire parts that are older than promised, and the oldest raw ones when the disk share is used up."""
        now = to_unix_nano(self.clock.now())
        place = self.folder.place_id
        with self.db.begin() as session:
            old = [
                part_id
                for dataset in Dataset
                for part_id in store.older_than(session, dataset, now - self._kept(dataset), place=place)
            ]
            excess = store.total_bytes(session, place=place) - int(self.settings.max_disk_gb * 1_000_000_000)
            for part in store.oldest_raw(session, 500, place=place) if excess > 0 else []:
                if excess <= 0:
                    break
                old.append(part.id)
                excess -= part.bytes
            return store.retire(session, old, at=self.clock.now()) if old else 0

    def sweep(self) -> int:
        """Delete the files of parts that were retired long enough ago for every query on them to have ended."""
        now = self.clock.now()
        with self.db.read() as session:
            gone = store.retired_before(session, now - _READERS_GONE_AFTER, place=self.folder.place_id)
        for _, path in gone:
            self.folder.remove(path)
        if gone:
            with self.db.begin() as session:
                store.forget(session, [part_id for part_id, _ in gone])
        self.folder.clean_up_unfinished(before=now)
        return len(gone)

    def _kept(self, dataset: Dataset) -> int:
        if dataset is Dataset.RED_MINUTE:
            return self.settings.minute_days * DAY
        if dataset is Dataset.RED_HOUR:
            return self.settings.hour_days * DAY
        return self.settings.raw_days * DAY

    def _merge(self, dataset: Dataset, parts: Sequence[Part]) -> None:
        name = sort_key(to_unix_nano(self.clock.now()))
        relative, final = self.folder.place(dataset, _hour(parts[0]), name)
        unfinished = final.with_suffix(".tmp")
        files = [self.folder.file(part) for part in parts]
        try:
            rows = self.engine.copy_from(_merge_sql(dataset, files), None, [], unfinished)
        except duckdb.Error as error:
            unfinished.unlink(missing_ok=True)
            set_aside_unreadable(self.db, self.clock, self.engine, self.folder, parts)
            _log.warning("parts could not be merged", error=type(error).__name__)
            return
        merged = Part(
            id=name,
            dataset=dataset,
            level=max(part.level for part in parts) + 1,
            min_time=min(part.min_time for part in parts),
            max_time=max(part.max_time for part in parts),
            rows=rows,
            bytes=self.folder.settle(unfinished, final),
            path=relative,
            services=_services(parts),
        )
        with self.db.begin() as session:
            if store.retire(session, [part.id for part in parts], at=self.clock.now()) != len(parts):
                # Somebody else took one of them meanwhile (retention, another replica): their rows must not come back.
                raise Unavailable("The parts changed while they were merged.")
            store.register(session, [merged], segment=name, place=self.folder.place_id, at=self.clock.now())


def chosen(live: Sequence[Part], now: int) -> list[list[Part]]:
    """Which parts to merge: eight of a level and an hour, or all of an hour that is over."""
    by_hour: dict[int, list[Part]] = defaultdict(list)
    for part in live:
        if part.rows < (MOST_ROWS if _hour(part) + HOUR + _SETTLED_AFTER < now else LARGE):
            by_hour[_hour(part)].append(part)
    found = []
    for hour, parts in by_hour.items():
        if len(parts) > 1 and hour + HOUR + _SETTLED_AFTER < now:
            found.append(_fitting(parts))
            continue
        by_level: dict[int, list[Part]] = defaultdict(list)
        for part in parts:
            by_level[part.level].append(part)
        found += [_fitting(same) for same in by_level.values() if len(same) >= MERGE_AT]
    return [parts for parts in found if len(parts) > 1]


def _fitting(parts: list[Part]) -> list[Part]:
    """The smallest of these that together stay under the limit of one part."""
    taken: list[Part] = []
    rows = 0
    for part in sorted(parts, key=lambda part: part.rows):
        rows += part.rows
        if rows > MOST_ROWS and taken:
            break
        taken.append(part)
    return taken


def _hour(part: Part) -> int:
    return part.min_time // HOUR * HOUR


def _services(parts: Sequence[Part]) -> tuple[str, ...] | None:
    if any(part.services is None for part in parts):
        return None
    return listed({service for part in parts for service in part.services or ()})


def _merge_sql(dataset: Dataset, files: Sequence[Path]) -> str:
    source = f"read_parquet({file_list(files)}, union_by_name = true)"
    if dataset.is_rollup:
        key = ", ".join(RED_KEY)
        sums = ", ".join(f"{added(name)} AS {name}" for name in RED_SUMS)
        rest = "max(duration_max) AS duration_max"
        return f"SELECT {key}, {sums}, {rest} FROM {source} GROUP BY {key} ORDER BY service, time"  # noqa: S608
    names = ", ".join(f'"{name}"' for name in COLUMNS[dataset])
    if dataset is Dataset.SPANS:
        # A sender that missed our answer sends again: the same span may be in two parts.
        unique = "QUALIFY row_number() OVER (PARTITION BY trace_id, span_id, time ORDER BY duration DESC) = 1"
        return f"SELECT {names} FROM {source} {unique} ORDER BY service, time"  # noqa: S608
    return f"SELECT {names} FROM {source} ORDER BY service, time"  # noqa: S608
