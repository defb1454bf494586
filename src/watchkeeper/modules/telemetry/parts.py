"""Parts on disk: where they lie, how batches become files, and which files answer a question."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import arro3.io
import orjson
from arro3.core import Array, DataType, Table

from watchkeeper.kernel.clock import from_unix_nano
from watchkeeper.kernel.ids import is_id, new_id
from watchkeeper.modules.telemetry.engine import Engine, file_list
from watchkeeper.modules.telemetry.intake_log import sync_folder
from watchkeeper.modules.telemetry.model import (
    BUCKET_BASE,
    BUCKET_UNIT,
    COLUMNS,
    HOUR,
    LARGEST,
    LAST_BUCKET,
    MINUTE,
    OTHER_ROUTE,
    RED_KEY,
    RED_SUMS,
    Batch,
    Dataset,
    Kind,
    Part,
)

MOST_LISTED_SERVICES = 50
PLACE_FILE = "place.id"
UNREADABLE = ".unreadable"  # the ending of what was set aside
_TYPES: dict[Kind, DataType] = {
    "text": DataType.string(),
    "int": DataType.int64(),
    "small": DataType.int16(),
    "float": DataType.float64(),
    "bool": DataType.bool(),
    "numbers": DataType.string(),
}


@dataclass(frozen=True)
class PartFolder:
    """The folder of all parts: `<dataset>/<date>/<hour>/<id>.parquet`, so that a part's hour is in its path."""

    root: Path

    @cached_property
    def place_id(self) -> str:
        """What this folder is called in the list of parts: a random name that is kept in it, made on first use."""
        file = self.root / PLACE_FILE
        known = file.read_text(encoding="ascii", errors="replace").strip() if file.exists() else None
        if known is None or not is_id(known, "plc"):
            known = self._name_place(file, replace=known is not None)
        return known

    def _name_place(self, file: Path, *, replace: bool) -> str:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = file.with_name(new_id("plc"))
        beside.write_text(beside.name, encoding="ascii")
        try:
            if not replace:
                os.link(beside, file)
                return beside.name
        except FileExistsError:
            # Another replica on the same folder was first.
            return file.read_text(encoding="ascii").strip()
        except OSError:
            pass  # a file system without links
        else:
            beside.replace(file)
            return beside.name
        finally:
            beside.unlink(missing_ok=True)
        beside.write_text(beside.name, encoding="ascii")
        beside.replace(file)
        return file.read_text(encoding="ascii")

    def file(self, part: Part) -> Path:
        return self.root / part.path

    def place(self, dataset: Dataset, hour: int, part_id: str) -> tuple[str, Path]:
        """Relative and full path of a part of this hour; the folder is there afterwards."""
        at = from_unix_nano(hour).astimezone(UTC)
        relative = f"{dataset}/{at:%Y-%m-%d}/{at:%H}/{part_id}.parquet"
        full = self.root / relative
        full.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return relative, full

    def write(self, content: memoryview, unfinished: Path) -> None:
        """Write a whole file. Raises OSError."""
        with unfinished.open("wb") as file:
            file.write(content)

    def settle(self, written: Path, final: Path) -> int:
        """Give a finished file its name, durably, and answer its size; an earlier file of that name is replaced."""
        with written.open("rb") as file:
            os.fsync(file.fileno())
        size = written.stat().st_size
        written.replace(final)
        sync_folder(final.parent)
        return size

    def remove(self, relative: str) -> None:
        """Delete a part's file; one that is gone is fine."""
        (self.root / relative).unlink(missing_ok=True)

    def clean_up_unfinished(self, *, before: datetime) -> int:
        """Delete what crashed writers left, older than any that could still be writing."""
        removed = 0
        for path in self.root.glob("*/*/*/*.tmp"):
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < before - timedelta(hours=1):
                path.unlink(missing_ok=True)
                removed += 1
        return removed


def arrow_table(batch: Batch) -> Table:
    """The batch as an Arrow table."""
    kinds = COLUMNS[batch.dataset]
    arrays = [_array(values, kinds[name]) for name, values in batch.columns.items()]
    return Table.from_arrays(arrays, names=list(batch.columns))


def _array(values: list[Any], kind: Kind) -> Array:
    if kind == "numbers":
        values = [None if one is None else orjson.dumps(one).decode() for one in values]
    return Array(values, _TYPES[kind])


def write_batch(folder: PartFolder, batch: Batch, part_id: str, hour: int, table: Table | None = None) -> Part:
    """Write the rows of one hour as a part of level 0. `table` is the batch as Arrow, where that was made before."""
    relative, final = folder.place(batch.dataset, hour, part_id)
    unfinished = final.with_suffix(".tmp")
    # Written by us: arro3 panics when the disk is full, and a panic is no OSError.
    content = io.BytesIO()
    arro3.io.write_parquet(table or arrow_table(batch), content, compression="zstd(1)")
    folder.write(content.getbuffer(), unfinished)
    times = batch.columns["time"]
    return Part(
        id=part_id,
        dataset=batch.dataset,
        level=0,
        min_time=min(times),
        max_time=max(times),
        rows=len(batch),
        bytes=folder.settle(unfinished, final),
        path=relative,
        services=listed(set(batch.columns["service"])),
    )


def write_rollups(
    folder: PartFolder, engine: Engine, spans: Table, like: Part, segment: str, past: Sequence[tuple[str, str]]
) -> list[Part]:
    """Count the served requests among the spans of the part `like`, by minute and then by hour, as parts of level 0.

    `past` are (service, route) pairs that are counted as `(other)`.
    """
    hour = like.min_time // HOUR * HOUR
    others = [f"{service}\x1f{route}" for service, route in past]
    found: list[Part] = []
    for dataset, step in ((Dataset.RED_MINUTE, MINUTE), (Dataset.RED_HOUR, HOUR)):
        part_id = part_name(segment, dataset, hour)
        relative, final = folder.place(dataset, hour, part_id)
        unfinished = final.with_suffix(".tmp")
        if not found:
            rows = engine.copy_from(_rollup_sql(step), spans, [others], unfinished)
        else:
            rows = engine.copy_from(_coarser_sql(step, folder.file(found[0])), None, [], unfinished)
        if rows == 0:
            unfinished.unlink()
            return []
        part = Part(
            id=part_id,
            dataset=dataset,
            level=0,
            min_time=like.min_time // step * step,
            max_time=like.max_time // step * step,
            rows=rows,
            bytes=folder.settle(unfinished, final),
            path=relative,
            services=like.services,
        )
        found.append(part)
    return found


def part_name(segment: str, dataset: Dataset, hour: int) -> str:
    """The id of a part: the same whenever its segment is replayed, so that a replay replaces and never doubles."""
    return f"{segment}-{dataset}-{hour // HOUR}"


def listed(services: set[Any]) -> tuple[str, ...] | None:
    """Services to list with a part; None where they are too many to be of use."""
    return tuple(sorted(services)) if len(services) <= MOST_LISTED_SERVICES else None


# Of a request's span: 5xx, or an error without a status code.
FAILED = "status_code >= 500 OR (status = 'error' AND coalesce(status_code, 500) >= 500)"


def added(column: str) -> str:
    """SQL that adds a column up and stops at the largest number there is, where a hostile sender got it that far."""
    return f"least(sum({column}), {LARGEST})::BIGINT"


def _rollup_sql(step: int) -> str:
    bucket = f"ceil(ln(greatest(duration, 1) / {BUCKET_UNIT}.0) / ln({BUCKET_BASE}) - 1e-9)"
    return f"""
        SELECT time // {step} * {step} AS time, service, environment,
            CASE WHEN list_contains(?::VARCHAR[], service || chr(31) || coalesce(route, '')) THEN '{OTHER_ROUTE}'
                 ELSE coalesce(route, '') END AS route,
            coalesce(method, '') AS method, 'spans' AS source,
            greatest(0, least({LAST_BUCKET}, {bucket}))::SMALLINT AS bucket,
            count(*)::BIGINT AS requests,
            count(*) FILTER (WHERE {FAILED}) AS errors,
            count(*) FILTER (WHERE status_code BETWEEN 400 AND 499) AS client_errors,
            {added("duration")} AS duration_sum, max(duration)::BIGINT AS duration_max
        FROM incoming WHERE kind IN ('server', 'consumer') GROUP BY ALL
    """  # noqa: S608 (only our own constants)


def _coarser_sql(step: int, file: Path) -> str:
    key = ", ".join(f"time // {step} * {step} AS time" if name == "time" else name for name in RED_KEY)
    sums = ", ".join(f"{added(name)} AS {name}" for name in RED_SUMS)
    source = f"read_parquet({file_list([file])})"
    return f"SELECT {key}, {sums}, max(duration_max) AS duration_max FROM {source} GROUP BY ALL"  # noqa: S608
