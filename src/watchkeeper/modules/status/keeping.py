"""The last rendering, in memory and on disk: it is served whatever becomes of the database."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock, parse_rfc3339, rfc3339
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.modules.status import snapshot
from watchkeeper.modules.status.model import PageSaid
from watchkeeper.modules.status.showing import AGE, HTML, Document, Rendering, Where, render

FILE = "status-page.json"
EVERY_SECONDS = 60.0
LOOK_SECONDS = 1.0
# Two renewals were missed: from now on the page says how old it is.
OLD_SECONDS = 150.0
_log = structlog.get_logger("watchkeeper.status")


class Keeper:
    """Renders anew each minute and on every fact of status pages, of whichever replica.

    `where` says the addresses for what the page is called now.
    """

    def __init__(self, db: Database, clock: Clock, folder: Path, where: Callable[[PageSaid], Where]) -> None:
        self._db, self._clock, self._where = db.lane("status"), clock, where
        self._file = folder / FILE
        self._stopping = threading.Event()
        self._seen = 0
        self._tried = clock.monotonic() - EVERY_SECONDS
        self._renewed = clock.monotonic()
        self._failing = False
        self._beginning = threading.Lock()
        self.rendering: Rendering | None = None
        self._old: tuple[int, dict[str, Document]] = (0, {})

    def document(self, name: str) -> Document | None:
        """What is served under a name now; a page that could not be renewed says since when."""
        held = self.rendering
        if held is None:
            return None
        found = held.documents.get(name)
        age = self._clock.monotonic() - self._renewed
        if found is None or age <= OLD_SECONDS or found.media_type != HTML:
            return found
        minutes = int(age // 60)
        if self._old[0] != minutes:
            self._old = (minutes, {})
        if name not in self._old[1]:
            self._old[1][name] = _aged(found, held, minutes)
        return self._old[1][name]

    def renew(self) -> None:
        """Read and render now. Raises Unavailable, and keeps what is there, when the database is away."""
        self._tried = self._clock.monotonic()
        with self._db.read() as session:
            self._seen = max(self._seen, journal.head(session))
            taken = snapshot.take(session, self._clock.now())
        made = render(taken, self._where(taken.page))
        documents = {name: Document.of(kind, body) for name, (kind, body) in made.items()}
        self.rendering, self._renewed = Rendering(taken.at, documents), self._clock.monotonic()
        self._failing = False
        self._store(self.rendering)

    def recall(self) -> None:
        """Take what the disk holds, as old as it is; harmless when it holds nothing that can be read."""
        held = read_kept(self._file.parent)
        if held is not None:
            age = max(0.0, (self._clock.now() - held.at).total_seconds())
            self.rendering, self._renewed = held, self._clock.monotonic() - age

    def look(self) -> None:
        """Renew when that is due, or when something was published since; what fails is tried again in a minute."""
        try:
            if self._is_due() or self._has_news():
                self.renew()
        except Unavailable as refusal:
            if not self._failing:
                _log.warning("the status page can't be renewed; the last one is served", reason=refusal.detail)
            self._failing = True
        except Exception:  # noqa: BLE001 (an edge: the thread must outlive any surprise)
            _log.exception("the status page can't be rendered; the last one is served")

    def begin(self) -> None:
        """Render if nothing was rendered yet, as in a process that does no work besides answering."""
        with self._beginning:
            if self.rendering is None:
                self.look()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look again and again while the block lasts."""
        self.recall()
        await asyncio.to_thread(self.look)
        thread = threading.Thread(target=self._run, name="status-page", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            await asyncio.to_thread(thread.join, 10)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self.look()

    def _is_due(self) -> bool:
        return self._clock.monotonic() - self._tried >= EVERY_SECONDS

    def _has_news(self) -> bool:
        if self._failing:
            return False
        with self._db.read() as session:
            newest = journal.head(session)
            if newest <= self._seen:
                return False
            wanted = journal.FactFilter(kinds=("status.",), after_seq=self._seen)
            found = journal.read_facts(session, wanted, limit=1, newest_first=False)
        if not found:
            self._seen = newest
        return bool(found)

    def _store(self, made: Rendering) -> None:
        """Whole or not at all: a reader never sees half of it. A disk that is full costs only this copy."""
        files = {name: [one.media_type, one.body.decode()] for name, one in made.documents.items()}
        text = json.dumps({"at": rfc3339(made.at), "files": files}, ensure_ascii=False)
        beside = self._file.with_name(f"{FILE}.{os.getpid()}")
        try:
            beside.write_text(text, encoding="utf-8")
            beside.replace(self._file)
        except OSError as error:
            _log.warning("the status page is not kept on disk", reason=error.strerror)


def read_kept(data: Path) -> Rendering | None:
    """What a server rendered last and kept in its data directory; None where that can't be read."""
    try:
        held = json.loads((data / FILE).read_bytes())
        files = held["files"].items()
        made = {str(name): Document.of(str(kind), str(text).encode()) for name, (kind, text) in files}
        return Rendering(parse_rfc3339(held["at"]), made)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _aged(found: Document, held: Rendering, minutes: int) -> Document:
    notice = (
        f'<p class="stale" role="alert">This page could not be renewed for {minutes} minutes. It shows what was known '
        f"at {held.at:%Y-%m-%d %H:%M} UTC.</p>"
    )
    return Document.of(found.media_type, found.body.replace(AGE, notice.encode(), 1))
