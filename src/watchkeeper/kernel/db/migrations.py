"""Bringing a database to this version's schema, by Alembic scripts that are marked pre or post.

`pre` scripts only add: the release that is still running elsewhere works on the new schema. `post` scripts take away,
and run when no older replica is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Engine, inspect, text

from watchkeeper.kernel.db.faults import faults_as_refusals
from watchkeeper.kernel.errors import Refusal

Phase = Literal["pre", "post", "all"]
_VERSION_TABLE = "alembic_version"
_ADVISORY_LOCK = 7_238_411_604  # any number, the same on every replica


class DatabaseTooNew(Refusal):
    code = "kernel.database_too_new"
    status = 409
    title = "The database is newer than this program"


@dataclass(frozen=True)
class Migration:
    """One script."""

    revision: str
    phase: Literal["pre", "post"]
    doc: str


class Migrations:
    """The scripts of one folder, applied to one database."""

    def __init__(self, scripts: Path) -> None:
        self._scripts = scripts

    def newest(self) -> str:
        """The revision this program expects, read from the file names: starting must not cost Alembic's import."""
        return max(path.stem.split("_", 1)[1] for path in (self._scripts / "versions").glob("*_[0-9]*.py"))

    def current(self, engine: Engine) -> str | None:
        """The revision the database is at; None when it is empty. Raises Unavailable when it can't be reached."""
        with faults_as_refusals(), engine.connect() as connection:
            return _current(connection)

    def pending(self, engine: Engine) -> list[Migration]:
        """What `migrate` would run, in order. Raises DatabaseTooNew for a revision this program does not know."""
        current = self.current(engine)
        return [] if current == self.newest() else self._after(current)

    def migrate(self, engine: Engine, phase: Phase = "all") -> list[Migration]:
        """Run what is pending and answer it; replicas that start together wait for each other.

        `pre` stops before the first post script, `post` runs only if everything pre is done. Raises DatabaseTooNew.
        """
        if self.current(engine) == self.newest():
            return []
        with faults_as_refusals(), engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            wanted = _of_phase(self._after(_current(connection)), phase)
            if wanted:
                self._upgrade(connection, wanted[-1].revision)
        return wanted

    def _after(self, current: str | None) -> list[Migration]:
        from alembic.script import ScriptDirectory

        scripts = list(ScriptDirectory(str(self._scripts)).walk_revisions())[::-1]
        known = [script.revision for script in scripts]
        if current is not None and current not in known:
            raise DatabaseTooNew(f"The database is at {current}, which this version does not know: start a newer one.")
        start = known.index(current) + 1 if current else 0
        return [Migration(one.revision, one.module.phase, (one.doc or "").strip()) for one in scripts[start:]]

    def _upgrade(self, connection: Connection, revision: str) -> None:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(self._scripts).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _of_phase(pending: list[Migration], phase: Phase) -> list[Migration]:
    if phase == "all":
        return pending
    first_post = next((n for n, one in enumerate(pending) if one.phase == "post"), len(pending))
    if phase == "pre":
        return pending[:first_post]
    return pending if first_post == 0 else []


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    revision: str | None = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()  # noqa: S608
    return revision
