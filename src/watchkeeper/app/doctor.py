"""`watchkeeper doctor`: what could break a promise, found without starting or changing anything."""

from __future__ import annotations

import os
import shutil
import sqlite3
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from sqlalchemy import text

from watchkeeper.app.configuration import Configuration
from watchkeeper.app.console import out, print_json
from watchkeeper.app.server import SCRIPTS
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db import engines
from watchkeeper.kernel.db.database import DATABASE_FILE, Database
from watchkeeper.kernel.db.lock import read_running
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.kernel.errors import Refusal

Verdict = Literal["ok", "warning", "problem"]
_SIGNS = {"ok": "[green]ok      [/]", "warning": "[yellow]warning [/]", "problem": "[red]problem [/]"}
_WAL_RESET_FIXED = (3, 51, 3)
_LEAST_FREE = 1_000_000_000
_MOST_SKEW = timedelta(seconds=2)


@dataclass(frozen=True)
class Result:
    """One thing looked at."""

    verdict: Verdict
    what: str
    detail: str


def examine(configuration: Configuration) -> list[Result]:
    """Look at the machine, the data directory and the database. Nothing is written."""
    data = configuration.server.data
    return [
        _sqlite_library(configuration),
        _data_directory(data),
        _disk(data, configuration.telemetry.min_free_bytes),
        _server(data),
        *_database(configuration),
        _exposure(configuration),
    ]


def show(results: list[Result], *, as_json: bool) -> bool:
    """Print the results; False when any is a problem."""
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        for result in results:
            out.print(_SIGNS[result.verdict], end="")
            out.print(f"{result.what}: {result.detail}", markup=False)
    return all(result.verdict != "problem" for result in results)


def _sqlite_library(configuration: Configuration) -> Result:
    version = sqlite3.sqlite_version
    if configuration.server.database_url is not None:
        return Result("ok", "SQLite library", f"{version}, not used for state")
    if tuple(int(part) for part in version.split(".")) < _WAL_RESET_FIXED:
        detail = f"{version}; before 3.51.3 a log written by several connections can corrupt. Watchkeeper writes by one"
        return Result("ok", "SQLite library", detail)
    return Result("ok", "SQLite library", version)


def _data_directory(data: Path) -> Result:
    if not data.exists():
        return Result("warning", "data directory", f"{data} does not exist yet; `watchkeeper up` makes it")
    mode = data.stat().st_mode & 0o777
    if mode & 0o077:
        return Result(
            "problem", "data directory", f"{data} is open to other users (mode {mode:o}); run chmod 700 on it"
        )
    if not os.access(data, os.W_OK):
        return Result("problem", "data directory", f"{data} can't be written by this user")
    return Result("ok", "data directory", f"{data}, for this user only")


def _disk(data: Path, least: int) -> Result:
    place = next(path for path in (data, *data.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    text_free = f"{free / 1e9:.1f} GB free"
    if free < least:
        return Result("problem", "disk", f"{text_free}: telemetry is refused below telemetry.min_free_mb")
    return Result("ok" if free > max(_LEAST_FREE, 2 * least) else "warning", "disk", text_free)


def _server(data: Path) -> Result:
    running = read_running(data) if data.exists() else None
    if running is None:
        return Result("ok", "server", "none runs on this data directory")
    return Result("ok", "server", f"process {running.pid} at {running.url}")


def _database(configuration: Configuration) -> list[Result]:
    server = configuration.server
    if server.database_url is None and not (server.data / DATABASE_FILE).exists():
        return [Result("warning", "database", "none yet; `watchkeeper up` makes it")]
    try:
        db = _read_only(configuration)
    except Refusal as refusal:
        return [Result("problem", "database", refusal.detail)]
    try:
        return [_schema(db), _skew(db), *_durability(db)]
    except Refusal as refusal:
        return [Result("problem", "database", refusal.detail)]
    finally:
        db.close()


def _read_only(configuration: Configuration) -> Database:
    server = configuration.server
    if server.database_url is not None:
        engine = engines.postgresql(server.database_url, 2)
    else:
        engine = engines.sqlite_readers((server.data / DATABASE_FILE).absolute(), 1)
    # Both engines are the reading one: whoever asks here must not become a second writer.
    return Database(engine, engine, threads=1)


def _schema(db: Database) -> Result:
    pending = Migrations(SCRIPTS).pending(db.engine)
    if pending:
        return Result("warning", "schema", f"{len(pending)} migrations pending; `watchkeeper migrate` applies them")
    return Result("ok", "schema", Migrations(SCRIPTS).newest())


def _skew(db: Database) -> Result:
    with db.read() as session:
        skew = abs(db.database_now(session) - SystemClock().now())
    verdict: Verdict = "ok" if skew < _MOST_SKEW else "problem"
    return Result(verdict, "clock", f"{skew.total_seconds():.1f} s from the database's")


def _durability(db: Database) -> list[Result]:
    if db.dialect == "sqlite":
        with db.read() as session:
            mode = session.execute(text("PRAGMA journal_mode")).scalar()
        return [Result("ok" if mode == "wal" else "problem", "journal mode", f"{mode}; commits are synced (FULL)")]
    with db.read() as session:
        commit = session.execute(text("SHOW synchronous_commit")).scalar()
        fsync = session.execute(text("SHOW fsync")).scalar()
    safe = commit in ("on", "remote_apply", "remote_write") and fsync == "on"
    return [Result("ok" if safe else "problem", "durability", f"synchronous_commit={commit}, fsync={fsync}")]


def _exposure(configuration: Configuration) -> Result:
    server = configuration.server
    local = server.host in ("127.0.0.1", "::1", "localhost")
    if local:
        return Result("ok", "exposure", "listens on loopback only")
    if not (server.base_url or "").startswith("https://"):
        return Result(
            "problem", "exposure", f"listens on {server.host} without https in base_url: sign-ins can be read"
        )
    return Result("ok", "exposure", f"listens on {server.host}, reached by {server.base_url}")
