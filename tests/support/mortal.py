"""`watchkeeper up` that can be made ill: a line on its standard input says what happens to it.

What it does to itself here is what a machine does: every thread of a lane is stuck, SQLite refuses to write, or it is
killed between two statements.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from typing import Any

from sqlalchemy import event

from watchkeeper.app.cli import main
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.work import Worker

_go_on = threading.Event()
_read_only = False


def _obey() -> None:
    for line in sys.stdin:
        match line.split():
            case ["block", lane]:
                _go_on.clear()
                _block(lane)
            case ["unblock"]:
                _go_on.set()
            case ["read-only", said]:
                _make_read_only(said == "on")
            case ["die", *words]:
                _die_before(" ".join(words))


def _block(lane: str) -> None:
    for worker in (one for one in gc.get_objects() if type(one) is Worker and one._lane == lane):
        for _ in range(worker._size):
            worker._threads.submit(_go_on.wait)


def _die_before(statement: str) -> None:
    """Killed, as by `kill -9`, right before the next statement that begins so."""

    def before(_connection: Any, _cursor: Any, text: str, *_rest: Any) -> None:
        if text.lstrip().startswith(statement):
            os.kill(os.getpid(), signal.SIGKILL)

    for database in (one for one in gc.get_objects() if type(one) is Database):
        event.listen(database.engine, "before_cursor_execute", before)


def _make_read_only(said: bool) -> None:
    global _read_only
    before, _read_only = _read_only, said
    if said is before:
        return
    for database in (one for one in gc.get_objects() if type(one) is Database and one._writing is not one._reading):
        if not event.contains(database.engine, "checkout", _on_checkout):
            event.listen(database.engine, "checkout", _on_checkout)  # before the write transaction begins


def _on_checkout(connection: Any, _record: object, _proxy: object) -> None:
    connection.execute(f"PRAGMA query_only={'ON' if _read_only else 'OFF'}")


if __name__ == "__main__":
    threading.Thread(target=_obey, daemon=True).start()
    main()
