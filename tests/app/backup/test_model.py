"""When a backup is due and which may go: laws."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import NOON
from watchkeeper.app.backup.model import BackupStatus, Kept, backup_is_due, drill_is_due, last_due, outdated

instants = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))
times = st.times().map(lambda at: time(at.hour, at.minute))
AT = time(3, 15)


def kept(*days: float) -> list[Kept]:
    return [Kept(f"bak_{n}", f"name {n}", NOON - timedelta(days=age)) for n, age in enumerate(days)]


@given(instants, times)
def test_a_backup_was_due_within_the_last_day_at_its_time(now: datetime, at: time) -> None:
    due = last_due(now, at)
    assert timedelta(0) <= now - due < timedelta(days=1)
    assert due.time() == at


@given(instants, times)
def test_a_good_backup_makes_the_next_due_a_day_after_its_time_and_not_before(now: datetime, at: time) -> None:
    def is_due(later: timedelta) -> bool:
        return backup_is_due(now + later, at, last_good=now, last_failed=None)

    next_time = last_due(now, at) + timedelta(days=1) - now
    assert not is_due(timedelta(0))
    assert not is_due(next_time - timedelta(seconds=1))
    assert is_due(next_time)
    assert is_due(next_time + timedelta(days=9))


def test_the_first_backup_is_due_at_once() -> None:
    assert backup_is_due(NOON, AT, last_good=None, last_failed=None)


def test_a_failed_backup_is_due_again_after_an_hour() -> None:
    good = NOON - timedelta(days=2)
    assert not backup_is_due(NOON, AT, last_good=good, last_failed=NOON - timedelta(minutes=59))
    assert backup_is_due(NOON, AT, last_good=good, last_failed=NOON - timedelta(minutes=60))


def test_a_drill_is_due_after_a_month_and_after_a_failed_one_the_next_day() -> None:
    month, day = timedelta(days=30), timedelta(days=1)
    assert drill_is_due(NOON, month, last_good=None, last=None)
    assert not drill_is_due(NOON, month, last_good=NOON - month + day, last=NOON - month + day)
    assert drill_is_due(NOON, month, last_good=NOON - month, last=NOON - month)
    assert not drill_is_due(NOON, month, last_good=NOON - 2 * month, last=NOON - day / 2)
    assert drill_is_due(NOON, month, last_good=NOON - 2 * month, last=NOON - day)


ages = st.lists(st.floats(0, 400), max_size=40)


@given(ages, st.integers(1, 90))
def test_what_goes_is_older_than_kept_and_the_newest_never_goes(days: list[float], keep_days: int) -> None:
    backups = kept(*days)
    keep = timedelta(days=keep_days)
    gone = outdated(backups, NOON, keep)
    left = [one for one in backups if one not in gone]
    assert all(NOON - one.taken_at > keep for one in gone)
    assert not backups or max(one.taken_at for one in backups) in {one.taken_at for one in left}
    # All others that are too old go, and asking again finds nothing more.
    assert sum(1 for one in left if NOON - one.taken_at > keep) <= 1
    assert outdated(left, NOON, keep) == []


def test_a_single_old_backup_stays() -> None:
    assert outdated(kept(400), NOON, timedelta(days=30)) == []


def test_a_backup_is_too_old_when_the_next_one_should_be_there() -> None:
    def status(age: timedelta) -> BackupStatus:
        return BackupStatus(NOON - age, None, None, True)

    assert not status(timedelta(hours=24, minutes=30)).is_too_old(NOON)
    assert status(timedelta(hours=25, minutes=1)).is_too_old(NOON)
    assert BackupStatus(None, None, None, True).is_too_old(NOON)
