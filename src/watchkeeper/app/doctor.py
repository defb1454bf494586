"""`watchkeeper doctor`: what could break a promise, found without starting or changing anything."""

from __future__ import annotations

import os
import shutil
import sqlite3
from dataclasses import asdict
from pathlib import Path

from watchkeeper.app.configuration import Configuration
from watchkeeper.app.console import out, print_json
from watchkeeper.app.doctor_checks import Result, safety_checks, skew
from watchkeeper.app.server import SCRIPTS
from watchkeeper.kernel.clock import Clock, SystemClock
from watchkeeper.kernel.db.database import DATABASE_FILE, Database, open_for_reading
from watchkeeper.kernel.db.lock import read_running
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.kernel.errors import Refusal

_SIGNS = {"ok": "[green]ok      [/]", "warning": "[yellow]warning [/]", "problem": "[red]problem [/]"}
_WAL_RESET_FIXED = (3, 51, 3)
_LEAST_FREE = 1_000_000_000
_ACROSS_MACHINES = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "ceph", "glusterfs", "afs", "lustre")
_IN_MEMORY = ("tmpfs", "ramfs")


def examine(configuration: Configuration, clock: Clock | None = None) -> list[Result]:
    """Look at the machine, the data directory and the database. Nothing is written there."""
    data = configuration.server.data
    return [
        sqlite_library(configuration, sqlite3.sqlite_version),
        _data_directory(data),
        _file_system(configuration),
        _disk(data, configuration.telemetry.min_free_bytes),
        _server(data),
        *_database(configuration, clock or SystemClock()),
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


def sqlite_library(configuration: Configuration, version: str) -> Result:
    """Old libraries can corrupt a log that several connections write."""
    what = "SQLite library"
    if configuration.server.database_url is not None:
        return Result("ok", what, f"{version}, not used for state")
    if tuple(int(part) for part in version.split(".")) < _WAL_RESET_FIXED:
        detail = f"{version}: before 3.51.3 a log that several connections write can corrupt. Watchkeeper writes by one"
        return Result("warning", what, f"{detail}; let no other program write to the file")
    return Result("ok", what, version)


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


def _file_system(configuration: Configuration) -> Result:
    place = _existing(configuration.server.data).resolve()
    return file_system(place, Path("/proc/mounts"), state=configuration.server.database_url is None)


def file_system(place: Path, mounts: Path, *, state: bool) -> Result:
    """SQLite's log does not work across machines, and what lies in memory is gone with the power."""
    what = "file system"
    try:
        lines = [line.split()[1:3] for line in mounts.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return Result("ok", what, "not known on this system")
    under = [(Path(at), kind) for at, kind in lines if place.is_relative_to(at)]
    kind = max(under, key=lambda one: len(one[0].parts), default=(place, "unknown"))[1]
    if state and kind.startswith(_ACROSS_MACHINES):
        return Result("problem", what, f"{kind}: SQLite can't share its log there; use a local disk, or PostgreSQL")
    if kind in _IN_MEMORY:
        return Result("warning", what, f"{kind}: gone when the machine restarts")
    return Result("ok", what, kind)


def _existing(place: Path) -> Path:
    return next(path for path in (place, *place.absolute().parents) if path.exists())


def _disk(data: Path, least: int) -> Result:
    free = shutil.disk_usage(_existing(data)).free
    text_free = f"{free / 1e9:.1f} GB free"
    if free < least:
        return Result("problem", "disk", f"{text_free}: telemetry is refused below telemetry.min_free_mb")
    return Result("ok" if free > max(_LEAST_FREE, 2 * least) else "warning", "disk", text_free)


def _server(data: Path) -> Result:
    running = read_running(data) if data.exists() else None
    if running is None:
        return Result("ok", "server", "none runs on this data directory")
    return Result("ok", "server", f"process {running.pid} at {running.url}")


def _database(configuration: Configuration, clock: Clock) -> list[Result]:
    server = configuration.server
    if server.database_url is None and not (server.data / DATABASE_FILE).exists():
        return [Result("warning", "database", "none yet; `watchkeeper up` makes it")]
    try:
        with open_for_reading(server.database_url, server.data) as db:
            schema = _schema(db)
            found = [schema, skew(db, clock)]
            # Older schemas lack what the other checks read.
            return found + (safety_checks(db, configuration, clock) if schema.verdict == "ok" else [])
    except Refusal as refusal:
        return [Result("problem", "database", refusal.detail)]


def _schema(db: Database) -> Result:
    pending = Migrations(SCRIPTS).pending(db.engine)
    if pending:
        return Result("warning", "schema", f"{len(pending)} migrations pending; `watchkeeper migrate` applies them")
    return Result("ok", "schema", Migrations(SCRIPTS).newest())


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
