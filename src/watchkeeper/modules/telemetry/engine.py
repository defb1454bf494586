"""DuckDB in memory over Parquet files: bounded in memory, threads and time, and never able to fetch anything."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from watchkeeper.kernel.errors import Unavailable
from watchkeeper.modules.telemetry.errors import QueryTooSlow


@dataclass(frozen=True)
class Rows:
    """An answer: column names and rows."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Engine:
    """One DuckDB for the process. Safe to use from several threads; each query has a cursor of its own."""

    def __init__(self, *, memory_mb: int, threads: int, seconds: float, scratch: Path) -> None:
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._seconds = seconds
        self._connection = duckdb.connect(
            config={
                "memory_limit": f"{memory_mb}MB",
                "threads": threads,
                "temp_directory": str(scratch),
                "max_temp_directory_size": "4GB",
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "enable_object_cache": True,
                "preserve_insertion_order": False,
            }
        )

    def query(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = (), *, seconds: float | None = None) -> Rows:
        """All rows of a query. Values only ever come in as parameters. Raises QueryTooSlow or Unavailable."""
        cursor = self._connection.cursor()
        watch = threading.Timer(seconds or self._seconds, cursor.interrupt)
        watch.daemon = True
        watch.start()
        try:
            cursor.execute(sql, parameters)
            names = tuple(column[0] for column in cursor.description or ())
            return Rows(names, cursor.fetchall())
        except duckdb.InterruptException:
            raise QueryTooSlow(
                f"Stopped after {seconds or self._seconds:.0f} s: ask for a shorter time range or one service."
            ) from None
        except duckdb.OutOfMemoryException:
            raise Unavailable("The query needs more memory than telemetry.query_memory_mb allows.") from None
        finally:
            watch.cancel()
            cursor.close()

    def copy_from(self, select: str, table: Any, parameters: Sequence[Any], target: Path) -> int:
        """Write the rows of `select`, which reads the Arrow table `incoming`, to a Parquet file; answers how many."""
        cursor = self._connection.cursor()
        try:
            if table is not None:
                cursor.register("incoming", table)
            found = cursor.execute(f"COPY ({select}) TO '{quoted(target)}' ({_FORMAT})", parameters).fetchone()
            return int(found[0]) if found else 0
        finally:
            cursor.close()

    def close(self) -> None:
        self._connection.close()


_FORMAT = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3, ROW_GROUP_SIZE 40960"


def quoted(path: Path) -> str:
    """A path inside a quoted SQL text. Paths are ours, but a data directory may have an apostrophe in its name."""
    return str(path).replace("'", "''")


def file_list(paths: Sequence[Path]) -> str:
    """A list of files for `read_parquet`."""
    return "[" + ", ".join(f"'{quoted(path)}'" for path in paths) + "]"
