"""PostgreSQL's own programs: found, checked, and run without a password on any command line."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors, sql
from sqlalchemy import text
from sqlalchemy.orm import Session

from watchkeeper.app.backup.errors import StateUnreadable, ToolMissing
from watchkeeper.kernel.db import engines

_BLOCK = 1024 * 1024
_OWNER = "watchkeeper"
_DRILL = "watchkeeper_drill_"
_INSTALLED = Path("/usr/lib/postgresql")
_DIGITS = re.compile(r"(\d+)(?:\.\d+)?")


@dataclass(frozen=True)
class Tools:
    """One version's programs."""

    folder: Path
    major: int

    @classmethod
    def find(cls, *programs: str, least: int = 0) -> Tools:
        """The newest that has all programs. Raises ToolMissing when there is none, or none as new as `least`."""
        on_path = shutil.which(programs[0])
        folders = [Path(on_path).parent] if on_path else []
        # Those of a version before the wrappers on the path, which may choose by other rules.
        folders = [*_INSTALLED.glob("*/bin"), *folders]
        found = [cls(folder, _major(folder / programs[0])) for folder in folders if _has(folder, programs)]
        if not found:
            raise ToolMissing(f"{programs[0]} is not installed: it comes with PostgreSQL's client programs.")
        best = max(found, key=lambda one: one.major)
        if best.major < least:
            raise ToolMissing(f"{programs[0]} is of version {best.major}, the server of {least}: install the newer.")
        return best

    def run(self, program: str, *arguments: str, url: str | None = None, user: pwd.struct_passwd | None = None) -> None:
        """Run it to its end, as `user` if given. Raises StateUnreadable with the last line of what it said."""
        identity: dict[str, Any] = {"cwd": "/"}
        if user is not None:
            identity |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(  # noqa: S603 (a program that was found, and no shell)
                [self.folder / program, *arguments],
                env=environment_of(url) if url else _plain_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                check=False,
                **identity,
            )
            said.seek(0)
            if done.returncode != 0:
                raise StateUnreadable(f"{program} failed: {_last_line(said.read())}.")


def environment_of(url: str) -> dict[str, str]:
    """The variables by which PostgreSQL's programs reach a database: a command line could be read by anybody here."""
    plain = plain_url(url)
    names = {one.keyword.decode(): one.envvar.decode() for one in psycopg.pq.Conninfo.get_defaults() if one.envvar}
    wanted = psycopg.conninfo.conninfo_to_dict(plain)
    return _plain_environment() | {names[name]: str(value) for name, value in wanted.items() if name in names}


def plain_url(url: str) -> str:
    """The address as PostgreSQL's own library reads it. Raises Invalid."""
    return engines.postgresql_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def server_major(session: Session) -> int:
    """Version of the server."""
    return int(session.execute(text("SHOW server_version_num")).scalar_one()) // 10_000


def dump(tools: Tools, url: str, snapshot: str) -> Iterator[bytes]:
    """The database as it is in an exported snapshot, in pg_dump's own format. Raises StateUnreadable."""
    # Light compression: the encryption that follows leaves nothing to squeeze.
    options = ["--format=custom", "--compress=1", "--no-owner", "--no-privileges", "--no-password"]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 (a program that was found, and no shell)
            [tools.folder / "pg_dump", *options, f"--snapshot={snapshot}"],
            env=environment_of(url),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
        )
        assert process.stdout is not None  # noqa: S101 (for mypy: it is a pipe)
        try:
            while block := process.stdout.read(_BLOCK):
                yield block
            if process.wait() != 0:
                said.seek(0)
                raise StateUnreadable(f"pg_dump failed: {_last_line(said.read())}.")
        finally:
            process.stdout.close()
            process.kill()
            process.wait()


def load(file: Path, url: str) -> None:
    """Load a dump into an empty database, all or nothing. Raises StateUnreadable or ToolMissing."""
    with psycopg.connect(plain_url(url)) as connection:
        major = connection.info.server_version // 10_000
    tools = Tools.find("pg_restore", least=major)
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-password"]
    database = psycopg.conninfo.conninfo_to_dict(plain_url(url)).get("dbname") or "postgres"
    tools.run("pg_restore", *options, f"--dbname={database}", str(file.absolute()), url=url)


def is_empty(url: str) -> bool:
    """Whether a database has no tables of anybody's. Raises StateUnreadable when it can't be reached."""
    query = (
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') "
        "AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'"
    )
    try:
        with psycopg.connect(plain_url(url), connect_timeout=5) as connection:
            row = connection.execute(query).fetchone()
    except psycopg.OperationalError as error:
        raise StateUnreadable(f"The database can't be reached: {_last_line(str(error).encode())}.") from None
    return row == (0,)


@contextmanager
def temporary_database(url: str | None, now: datetime) -> Iterator[str]:
    """The URL of an empty database that is gone afterwards: next to the one at `url`, or of a server of its own.

    Raises ToolMissing when neither can be had.
    """
    if url is not None:
        name = f"{_DRILL}{now:%Y%m%d}_{secrets.token_hex(6)}"
        try:
            _drop_leftovers(url, now)
            _execute(url, sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        except errors.InsufficientPrivilege:
            pass  # a server of its own, then
        except psycopg.OperationalError as error:
            raise StateUnreadable(f"The database can't be reached: {_last_line(str(error).encode())}.") from None
        else:
            try:
                parsed = engines.postgresql_url(url).set(drivername="postgresql", database=name)
                yield parsed.render_as_string(hide_password=False)
            finally:
                _execute(url, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            return
    with _temporary_server() as own:
        yield own


@contextmanager
def _temporary_server() -> Iterator[str]:
    """A server for this process alone, reached by a socket in a folder that only its user may enter."""
    tools = Tools.find("initdb", "pg_ctl", "postgres")
    user = _unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="wk-drill-"))
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    data = str(folder / "data")
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    try:
        names = ["--auth=trust", f"--username={_OWNER}", "--encoding=UTF8"]
        tools.run("initdb", "-D", data, "--no-sync", *names, user=user)
        tools.run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start", user=user)
        try:
            yield f"postgresql://{_OWNER}@/postgres?host={folder}"
        finally:
            tools.run("pg_ctl", "-D", data, "-m", "immediate", "stop", user=user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Who runs it where this process is root's: PostgreSQL refuses to. Raises ToolMissing when there is nobody."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ToolMissing("A drill needs a role that may CREATE DATABASE, or a user other than root to run a server as.")


def _drop_leftovers(url: str, now: datetime) -> None:
    """What drills left whose process was killed; not those of today, which may be running."""
    with psycopg.connect(plain_url(url), connect_timeout=5) as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", (_DRILL,)
        ).fetchall()
    oldest = f"{_DRILL}{now - timedelta(days=1):%Y%m%d}"
    for (name,) in rows:
        if name < oldest:
            _execute(url, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _execute(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(plain_url(url), autocommit=True, connect_timeout=5) as connection:
        connection.execute(statement)


def _has(folder: Path, programs: tuple[str, ...]) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in programs)


def _major(program: Path) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, check=False)  # noqa: S603 (no shell)
    found = _DIGITS.search(said.stdout.decode(errors="replace"))
    return int(found[1]) if found else 0


def _plain_environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "PGPASSFILE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_MESSAGES": "C"}


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1].rstrip(".")[:300] if lines else "it said nothing"
