"""What `watchkeeper doctor` asks of the database: is it durable, is the record safe, are people and replicas?"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

from watchkeeper.app.audit.status import AuditStatus, audit_status
from watchkeeper.app.backup.model import BackupStatus
from watchkeeper.app.backup.status import backup_status
from watchkeeper.app.configuration import Configuration
from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.db import engines
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal.verifier import CheckpointsUnusable
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.oncall import public as oncall
from watchkeeper.modules.telemetry import public as telemetry

Verdict = Literal["ok", "warning", "problem"]
MOST_SKEW = timedelta(seconds=2)
# Checkpoints are made each minute: when the last is so much older than there are facts, they do not leave.
_CHECKPOINTS_LATE = timedelta(minutes=15)
_SYNCHRONOUS_FULL = 2


@dataclass(frozen=True)
class Result:
    """One thing looked at."""

    verdict: Verdict
    what: str
    detail: str


def safety_checks(db: Database, configuration: Configuration, clock: Clock) -> list[Result]:
    """Everything that needs a database of this version's schema."""
    with db.read() as session:
        record = _record(session, configuration, clock)
        return [
            *durability(db, session),
            record,
            _backups(session, configuration, clock),
            *_people(session),
            outside_watch(session, configuration, clock),
            _key(db, configuration),
            _places(session, clock),
        ]


def skew(db: Database, clock: Clock) -> Result:
    """Leases go by the database's clock, facts by ours."""
    with db.read() as session:
        found = abs(db.database_now(session) - clock.now())
    seconds = f"{found.total_seconds():.1f} s from the database's"
    if found < MOST_SKEW:
        return Result("ok", "clock", seconds)
    return Result("problem", "clock", f"{seconds}: let both follow the same time server")


def durability(db: Database, session: Session) -> list[Result]:
    """Whether what is acknowledged stays when the power goes, or the database server's machine."""
    return _of_sqlite(session) if db.dialect == "sqlite" else _of_postgresql(session)


def _of_sqlite(session: Session) -> list[Result]:
    mode = session.execute(text("PRAGMA journal_mode")).scalar()
    found = Result("ok", "journal mode", "wal")
    if mode != "wal":
        found = Result("problem", "journal mode", f"{mode}: another program changed it; the next start sets wal again")
    level = sqlite_synchronous()
    if level < _SYNCHRONOUS_FULL:
        return [found, Result("problem", "synchronous", f"{level}: this SQLite library does not sync commits")]
    return [found, Result("ok", "synchronous", "FULL: what is acknowledged survives a power cut")]


def sqlite_synchronous() -> int:
    """What the library really does when Watchkeeper's writer asks for FULL; tried on an empty file."""
    with tempfile.TemporaryDirectory(prefix="wk-doctor-") as folder:
        engine = engines.sqlite_writer(Path(folder) / "probe.db")
        try:
            with engine.connect() as connection:
                return int(connection.execute(text("PRAGMA synchronous")).scalar_one())
        finally:
            engine.dispose()


def _of_postgresql(session: Session) -> list[Result]:
    names = ("synchronous_commit", "fsync", "full_page_writes", "synchronous_standby_names")
    held = {
        name: str(session.execute(text("SELECT current_setting(:name)"), {"name": name}).scalar()) for name in names
    }
    commit = held["synchronous_commit"]
    safe = commit != "off" and held["fsync"] == "on" and held["full_page_writes"] == "on"
    said = ", ".join(f"{name}={held[name]}" for name in names[:3])
    said = said if safe else f"{said}: a crash loses acknowledged changes"
    rows = session.execute(text("SELECT sync_state FROM pg_stat_replication")).scalars().all()
    return [
        Result(
            "ok" if safe else "problem", "durability", said if safe else f"{said}: a crash loses acknowledged changes"
        ),
        standbys(rows, commit=commit, names=held["synchronous_standby_names"]),
    ]


def standbys(states: Sequence[str | None], *, commit: str, names: str) -> Result:
    """A standby that is not waited for lacks the newest changes when it has to take over."""
    what, count = "standby", len(states)
    followed = "one standby" if count == 1 else f"{count} standbys"
    if not states and names:
        return Result("problem", what, "synchronous_standby_names is set and none is connected: changes have to wait")
    if not states:
        return Result("ok", what, "none; backups are what is left when the database's machine is lost")
    if None in states and "sync" not in states and "quorum" not in states:
        detail = f"{followed}, and this role can't see whether they are synchronous: GRANT pg_monitor to it"
        return Result("warning", what, detail)
    if not {"sync", "quorum"} & set(states):
        detail = f"{followed}, asynchronous: a failover loses the newest acknowledged changes and forks the journal"
        return Result("warning", what, f"{detail}; set synchronous_standby_names")
    if commit not in ("on", "remote_apply", "remote_write"):
        return Result("warning", what, f"{followed}, but synchronous_commit={commit} does not wait for any")
    return Result("ok", what, f"{followed}, synchronous")


def _record(session: Session, configuration: Configuration, clock: Clock) -> Result:
    try:
        return outside_checkpoint(audit_status(session, configuration.audit, configuration.server.data), clock)
    except CheckpointsUnusable as error:
        return Result("problem", "checkpoints", f"{error}; `watchkeeper audit verify` says more")


def outside_checkpoint(status: AuditStatus, clock: Clock) -> Result:
    """Who owns this machine can rewrite a journal together with its checkpoints; not those that have left."""
    what = "checkpoints"
    if not status.outside:
        detail = "kept on this machine only: who can write here can rewrite the journal unseen"
        return Result("warning", what, f"{detail}; set audit.webhook_url, peer_url, email_to or checkpoint_directory")
    failing = [one for one in status.sinks if one.failing_since is not None]
    if failing:
        since = min(one.failing_since for one in failing if one.failing_since is not None)
        names = ", ".join(one.sink for one in failing)
        return Result("warning", what, f"don't reach {names} since {rfc3339(since)}: {failing[0].error}")
    exposed = status.exposed_outside or 0
    if exposed and (status.last_at is None or clock.now() - status.last_at > _CHECKPOINTS_LATE):
        return Result("warning", what, f"{exposed} facts are in none that left this machine")
    return Result("ok", what, f"leave this machine; {exposed} facts are newer than the last")


def _backups(session: Session, configuration: Configuration, clock: Clock) -> Result:
    status = backup_status(session, configuration.backup)
    return backup_age(status, clock, drill_every=timedelta(days=configuration.backup.drill_days))


def backup_age(status: BackupStatus, clock: Clock, *, drill_every: timedelta) -> Result:
    """No older than what may be lost, and known to be restorable."""
    what, now = "backup", clock.now()
    if status.last_good_at is None:
        hint = "the first is made by itself" if status.target_configured else "set backup.target"
        return Result("warning", what, f"there is none; {hint}, or run `watchkeeper backup`")
    age = f"the last good one is {(now - status.last_good_at).total_seconds() / 3600:.0f} h old"
    if status.last_failed_at is not None:
        return Result("warning", what, f"the last attempt failed: {status.last_failure}; {age}")
    if status.is_too_old(now):
        return Result("warning", what, age)
    if status.last_drill_ok is False:
        return Result("warning", what, f"{age}, and the last restore drill failed")
    if status.is_drill_overdue(now, drill_every):
        return Result(
            "warning", what, f"{age}, and nobody knows whether it can be restored: `watchkeeper restore --check`"
        )
    return Result("ok", what, f"{age}, and a restore was drilled")


def _people(session: Session) -> list[Result]:
    admins = identity.count_admins(session)
    unverified = identity.count_unverified(session)
    return [second_admin(admins), contacts(unverified)]


def second_admin(admins: int) -> Result:
    """One who is ill, gone or locked out must not be the only one."""
    what = "admins"
    if admins == 0:
        return Result("warning", what, "nobody is admin yet: open the set-up link that `watchkeeper up` prints")
    if admins == 1:
        return Result("warning", what, "there is one: without them nobody can let anybody in; make a second")
    return Result("ok", what, f"{admins}")


def contacts(unverified: int) -> Result:
    """An address with a typing mistake is found out when it is needed."""
    what = "contacts"
    if unverified:
        who = "one person's e-mail address was" if unverified == 1 else f"{unverified} people's e-mail addresses were"
        return Result("warning", what, f"{who} never confirmed: mail to them may reach nobody")
    return Result("ok", what, "every e-mail address is confirmed")


def outside_watch(session: Session, configuration: Configuration, clock: Clock) -> Result:
    """Who pages has somebody outside who notices when this server dies: before that, set-up is not done."""
    what, found = "outside watch", oncall.outside(session, configuration.oncall, clock.now())
    if not found.pages:
        return Result("ok", what, "nobody is paged yet: there is no policy and no schedule")
    if found.wrong is not None:
        return Result("problem", what, found.wrong)
    return Result("ok", what, f"told last at {rfc3339(found.told_at)}" if found.told_at else "told")


def _key(db: Database, configuration: Configuration) -> Result:
    what = "installation key"
    if configuration.server.key_file is not None:
        return Result("ok", what, f"in {configuration.server.key_file}")
    if db.dialect == "sqlite":
        return Result("ok", what, "in the data directory")
    detail = "in the database: who has a copy of the database can open what is sealed in it"
    return Result("warning", what, f"{detail}; set WATCHKEEPER_KEY_FILE on every replica")


def _places(session: Session, clock: Clock) -> Result:
    what, places = "telemetry", telemetry.places_in_use(session, clock)
    if places > 1:
        detail = f"replicas keep it in {places} folders, and each shows only its own"
        return Result("warning", what, f"{detail}; let them share WATCHKEEPER_TELEMETRY_DIRECTORY")
    return Result("ok", what, "in one folder")
