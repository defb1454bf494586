"""Parts that can't be read: taken off the list, so that one broken file stops no question, and kept for a look."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import structlog

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.telemetry import store
from watchkeeper.modules.telemetry.engine import Engine, file_list
from watchkeeper.modules.telemetry.model import Part
from watchkeeper.modules.telemetry.parts import UNREADABLE, PartFolder

_log = structlog.get_logger("watchkeeper.telemetry")


def set_aside_unreadable(
    db: Database, clock: Clock, engine: Engine, folder: PartFolder, parts: Sequence[Part]
) -> list[Part]:
    """Retire those of `parts` whose file is gone or broken, and answer them. Each is an error in the log."""
    found = []
    for part in parts:
        file = folder.file(part)
        try:
            engine.query(f"SELECT count(*) FROM read_parquet({file_list([file])}) WHERE time IS NULL")  # noqa: S608
        except duckdb.Error:
            _log.error("a part can't be read and was set aside", part=part.id, dataset=part.dataset, rows=part.rows)
            if file.exists():
                file.rename(file.with_suffix(UNREADABLE))
            found.append(part)
    if found:
        with db.begin() as session:
            store.retire(session, [part.id for part in found], at=clock.now())
    return found
