"""Questions to the stored telemetry. User input only ever becomes a bound parameter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import duckdb

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.telemetry import store
from watchkeeper.modules.telemetry.engine import Engine, Rows, file_list
from watchkeeper.modules.telemetry.model import COLUMNS, Dataset
from watchkeeper.modules.telemetry.parts import PartFolder
from watchkeeper.modules.telemetry.quarantine import set_aside_unreadable
from watchkeeper.modules.telemetry.ranges import Range

T = TypeVar("T")
_THREADS = 4


class Telemetry:
    """The way to the data: finds the parts that may hold an answer and runs SQL over just those."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        engine: Engine,
        folder: PartFolder,
        *,
        raw_days: Callable[[], int] = lambda: 7,
    ) -> None:
        self._raw_days = raw_days
        self._db = db
        self._clock = clock
        self._engine = engine
        self._folder = folder
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="telemetry-query")

    @property
    def raw_days(self) -> int:
        """Days that raw data is kept now."""
        return self._raw_days()

    async def run(self, question: Callable[[Telemetry], T]) -> T:
        """Ask off the event loop; at most four questions run at once, and the others wait."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, question, self)

    def select(
        self,
        dataset: Dataset,
        span: Range,
        columns: Sequence[str],
        *,
        where: Sequence[str] = (),
        parameters: Sequence[Any] = (),
        columns_parameters: Sequence[Any] = (),
        service: str | None = None,
        tail: str = "",
    ) -> Rows:
        """Rows of a dataset with time in the range. `columns`, `where` and `tail` are SQL of ours, never of a user.

        `parameters` are those of `where`, `columns_parameters` those of `columns`.

        Raises QueryTooSlow or Unavailable.
        """
        for attempt in (1, 2, 3):
            with self._db.read() as session:
                parts = store.live(
                    session, dataset, span.since, span.until, service=service, place=self._folder.place_id
                )
            if not parts:
                return Rows(tuple(columns), [])
            conditions = ["time >= ?", "time < ?", *(["service = ?"] if service is not None else []), *where]
            values = [
                *columns_parameters,
                span.since,
                span.until,
                *([service] if service is not None else []),
                *parameters,
            ]
            files = file_list([self._folder.file(part) for part in parts])
            sql = f"SELECT {', '.join(columns)} FROM read_parquet({files}, union_by_name = true) WHERE "  # noqa: S608
            try:
                return self._engine.query(sql + " AND ".join(conditions) + " " + tail, values)
            except (duckdb.IOException, duckdb.InvalidInputException):
                # A part was merged away between asking for the list and opening the file: the new list has its heir.
                # If it fails again, a file is broken or gone.
                if attempt == 3:
                    raise
                if attempt == 2:
                    set_aside_unreadable(self._db, self._clock, self._engine, self._folder, parts)
        raise AssertionError("unreachable")

    def newest_time(self, dataset: Dataset) -> int | None:
        """Time of the newest stored row."""
        with self._db.read() as session:
            return store.newest_time(session, dataset, place=self._folder.place_id)

    def newest_first(
        self,
        dataset: Dataset,
        span: Range,
        columns: Sequence[str],
        *,
        limit: int,
        where: Sequence[str] = (),
        parameters: Sequence[Any] = (),
        service: str | None = None,
    ) -> list[dict[str, Any]]:
        """At most `limit` rows, newest first; older parts are opened only when newer ones have too few."""
        found: list[dict[str, Any]] = []
        for piece in span.backwards():
            tail = f"ORDER BY time DESC, {_tie(dataset)} LIMIT {limit - len(found)}"
            rows = self.select(dataset, piece, columns, where=where, parameters=parameters, service=service, tail=tail)
            found += rows.dicts()
            if len(found) >= limit:
                break
        return found

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


def _tie(dataset: Dataset) -> str:
    """What orders rows of the same instant: cursors need an order without ties."""
    return "span_id DESC" if dataset is Dataset.SPANS else "hash DESC"


def like(text: str) -> str:
    """A pattern that finds `text` anywhere, whatever characters it has; for `ILIKE ? ESCAPE '\\'`."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def json_path(key: str) -> str:
    """The JSON pointer of an attribute, whatever characters its name has. (In a `$.` path even a quoted `*` is any.)"""
    return "/" + key.replace("~", "~0").replace("/", "~1")


SPAN_COLUMNS = tuple(COLUMNS[Dataset.SPANS])
