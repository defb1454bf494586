"""Makes checkpoints while the server runs: every 60 s or 100 facts, to the file first, then on their way out."""

from __future__ import annotations

import base64
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from watchkeeper.app.audit.delivery import KIND
from watchkeeper.app.audit.events import CheckpointKeyAdded, CheckpointsRestarted, MismatchFound
from watchkeeper.app.audit.settings import AuditSettings
from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Conflict, Unavailable
from watchkeeper.kernel.journal.checkpoints import (
    CheckpointFile,
    CheckpointsUnusable,
    SigningKey,
    fits,
    next_checkpoint,
)
from watchkeeper.kernel.journal.verifier import Checkpoint
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import Banner

KEY_FILE = "checkpoint.key"
_POLL_SECONDS = 1.0
_BY = "system:audit"
_log = structlog.get_logger("watchkeeper.audit")


class NothingToRestart(Conflict):
    code = "audit.nothing_to_restart"
    title = "The checkpoints fit the journal"


@dataclass(frozen=True)
class SealState:
    """How things stand: the last checkpoint, and why there are no new ones where there are none."""

    last: Checkpoint | None
    trouble: str | None
    mismatch: bool
    key: str


class Sealer:
    """One per server, with a key of its own: replicas are witnesses to each other.

    It never seals a journal that does not go on from its last checkpoint: that is told to everybody until somebody with
    the right to do so says why it is all right (`restart`).
    """

    def __init__(self, db: Database, clock: Clock, settings: AuditSettings, data: Path) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._key = SigningKey.kept_in(data / KEY_FILE)
        self._file = CheckpointFile(settings.folder(data), self._key)
        self._last: Checkpoint | None = None
        self._opened = False
        self._mismatch = False
        self._trouble: str | None = None
        self._waiting_since: float | None = None
        self._busy = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> SealState:
        return SealState(self._last, self._trouble, self._mismatch, self._key.id)

    def banners(self, actor: Actor) -> list[Banner]:  # noqa: ARG002 (everybody has to know)
        """A BannerSource."""
        if self._mismatch:
            text = "The journal is not the one that was sealed: facts were changed, or an older copy was put in place."
            return [Banner("danger", text, "/audit/seal")]
        if self._trouble:
            return [Banner("warning", f"No checkpoints of the journal are made: {self._trouble}", "/audit/seal")]
        return []

    def start(self) -> None:
        """Seal in a thread until `stop`."""
        self._thread = threading.Thread(target=self._run, name="sealer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Seal what is there, and end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def seal(self, *, now: bool = False) -> Checkpoint | None:
        """Look once, and make a checkpoint where it is time for one; `now`: whatever the time.

        Never raises: what is wrong is kept in `state`.
        """
        with self._busy:
            try:
                self._open()
                if not self._mismatch and (now or self._is_time()):
                    self._seal_all()
                self._trouble = None
            except (CheckpointsUnusable, OSError) as error:
                self._say(f"{type(error).__name__}: {error}")
            except Unavailable as refusal:
                _log.warning("checkpoints wait for the database", reason=refusal.detail)
            return self._last

    def restart(self, session: Session, *, by: str, source: str, reason: str) -> None:
        """Trust the journal as it is: earlier checkpoints are set aside, with a fact that says who and why.

        Raises NothingToRestart when nothing is wrong.
        """
        if not self._mismatch:
            raise NothingToRestart("The last checkpoint fits the journal; there is nothing to begin anew.")
        now = self._clock.now()
        seq = self._last.seq if self._last else None
        fact = CheckpointsRestarted(reason=reason, checkpoint_seq=seq)
        journal.append(session, fact, by=by, source=source, at=now)
        self._file.set_aside(rfc3339(now).replace(":", ""))
        self._last, self._mismatch = None, False

    def _run(self) -> None:
        while not self._stopping.wait(_POLL_SECONDS):
            self._seal_and_survive()
        self._seal_and_survive(now=True)

    def _seal_and_survive(self, *, now: bool = False) -> None:
        try:
            self.seal(now=now)
        except Exception:  # noqa: BLE001 (an edge: the thread must outlive any surprise)
            _log.exception("sealing failed")

    def _open(self) -> None:
        """Read what was sealed before, once, and see whether the journal still goes on from there."""
        if self._opened:
            return
        self._last = self._file.open()
        if self._last is not None:
            with self._db.read() as session:
                ours, head = fits(session, self._last), journal.head(session)
            if not ours:
                self._mismatch = True
                self._tell(MismatchFound(checkpoint_seq=self._last.seq, journal_seq=head))
        else:
            public = base64.b64encode(self._key.public).decode()
            self._tell(CheckpointKeyAdded(key=self._key.id, public_key=public))
        self._opened = True

    def _is_time(self) -> bool:
        """Whether enough facts wait, or one has waited long enough."""
        with self._db.read() as session:
            waiting = journal.head(session) - (self._last.seq if self._last else 0)
        if waiting <= 0:
            self._waiting_since = None
            return waiting < 0
        moment = self._clock.monotonic()
        if self._waiting_since is None:
            self._waiting_since = moment
        return (
            waiting >= self._settings.checkpoint_rows
            or moment - self._waiting_since >= self._settings.checkpoint_seconds
        )

    def _seal_all(self) -> None:
        while True:
            since = self._last.seq if self._last else 0
            with self._db.read() as session:
                # The row that the last checkpoint was made of must still be the same one each time.
                if self._last is not None and not fits(session, self._last):
                    self._mismatch, head = True, journal.head(session)
                    made = None
                else:
                    made = next_checkpoint(session, self._key, since, self._clock.now())
            if self._mismatch:
                self._tell(MismatchFound(checkpoint_seq=since, journal_seq=head))
            if made is None:
                break
            self._file.append(made)
            self._last = made
        self._waiting_since = None
        if self._last is not None and not self._mismatch:
            self._send_out(self._last)

    def _send_out(self, made: Checkpoint) -> None:
        """The newest covers all before it, so one row of due work a sink is enough."""
        sinks = self._settings.sinks()
        if not sinks:
            return
        with self._db.begin() as session:
            now = self._db.database_now(session)
            for sink in sinks:
                payload = {"sink": sink, "checkpoint": made.line(), "public_key": self._key.public.hex()}
                key = f"{KIND}:{sink}:{self._key.id}:{self._slot(sink, made, now)}"
                work.enqueue(session, kind=KIND, key=key, due_at=now, payload=payload)

    def _slot(self, sink: str, made: Checkpoint, now: datetime) -> str:
        if sink != "email":
            return str(made.seq)
        length = timedelta(minutes=self._settings.email_minutes)
        return str(int(now.timestamp() // length.total_seconds()))

    def _tell(self, event: journal.Event) -> None:
        with self._db.begin() as session:
            journal.append(session, event, by=_BY, source="server", at=self._clock.now())

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            _log.error("no checkpoints are made", reason=trouble)
        self._trouble = trouble
