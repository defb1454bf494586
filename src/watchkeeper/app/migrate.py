"""`watchkeeper migrate`: the schema, ahead of a rolling upgrade."""

from __future__ import annotations

from contextlib import ExitStack
from typing import cast

from watchkeeper.app.configuration import Configuration
from watchkeeper.app.console import CommandRefused, out
from watchkeeper.app.server import SCRIPTS
from watchkeeper.kernel.db.database import open_database
from watchkeeper.kernel.db.lock import ServerLock
from watchkeeper.kernel.db.migrations import Migrations, Phase


def run_migrations(configuration: Configuration, *, phase: str, check: bool) -> None:
    """Apply pending migrations, or only list them. Raises CommandRefused when `check` finds any."""
    if phase not in ("pre", "post", "all"):
        raise CommandRefused(f"--phase is pre, post or all, not {phase!r}")
    server = configuration.server
    with ExitStack() as stack:
        if server.database_url is None:
            stack.enter_context(ServerLock(server.data))  # SQLite has one writer: not beside a running server
        db = open_database(server.database_url, server.data)
        stack.callback(db.close)
        migrations = Migrations(SCRIPTS)
        if check:
            pending = migrations.pending(db.engine)
            for one in pending:
                out.print(f"pending  {one.phase:4}  {one.revision}  {one.doc}", markup=False)
            if pending:
                raise CommandRefused(f"{len(pending)} migrations are pending")
        else:
            for one in migrations.migrate(db.engine, cast(Phase, phase)):
                out.print(f"applied  {one.phase:4}  {one.revision}  {one.doc}", markup=False)
        out.print(f"The schema is at {migrations.current(db.engine)}.", markup=False)
