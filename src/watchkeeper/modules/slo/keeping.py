"""Stores what was counted, hour by hour, and notices when late data changes what had been told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import rfc3339
from watchkeeper.modules.slo import store_counts
from watchkeeper.modules.slo.events import HoursRevised
from watchkeeper.modules.slo.model import Counts, Revision, added
from watchkeeper.modules.slo.series import HOUR
from watchkeeper.modules.slo.store_counts import ALL, HourRow
from watchkeeper.modules.slo.tracker import WRITTEN_KEPT, Tracker

SETTLED_AFTER = timedelta(minutes=10)  # after an hour's end; what changes it later is a revision
_RUNNING_EVERY = 5  # minutes between two times that the running hour is stored


def dirty_rows(trackers: Iterable[Tracker], now: datetime) -> list[tuple[str, list[HourRow]]]:
    """(service, rows) of what changed since it was last stored; the hour that runs only every five minutes."""
    found = []
    running = int(now.timestamp()) // HOUR * HOUR
    for tracker in trackers:
        rows: list[HourRow] = []
        for hour in sorted(tracker.dirty):
            if (
                hour == running
                and tracker.stored_at is not None
                and now - tracker.stored_at < timedelta(minutes=_RUNNING_EVERY)
            ):
                continue
            settled = now.timestamp() >= hour + HOUR + SETTLED_AFTER.total_seconds()
            of_hour = tracker.rows(hour, settled=settled)
            said = tuple((one.part, one.counts, one.settled) for one in of_hour)
            if tracker.written.get(hour) != said:
                rows += of_hour
                if hour >= running - WRITTEN_KEPT:
                    tracker.written[hour] = said
            tracker.dirty.discard(hour)
            if hour == running:
                tracker.stored_at = now
            elif not settled:
                tracker.dirty.add(hour)
        if rows:
            found.append((tracker.stored.definition.service, rows))
    return found


def not_kept(trackers: Mapping[tuple[str, str], Tracker], found: Iterable[tuple[str, list[HourRow]]]) -> None:
    """They could not be stored: they are tried again."""
    for one in (row for _, rows in found for row in rows):
        tracker = trackers.get((one.slo, one.objective))
        if tracker is not None:
            tracker.written.pop(one.hour, None)
            tracker.dirty.add(one.hour)


def keep(session: Session, found: Iterable[tuple[str, list[HourRow]]], now: datetime) -> None:
    """Store rows; where a settled hour is another than it was, note the revision."""
    for service, rows in found:
        slo, objective = rows[0].slo, rows[0].objective
        hours = sorted({one.hour for one in rows})
        before = store_counts.read_hours(session, hours[0], hours[-1] + HOUR, slo=slo, objective=objective)
        stored = before.get((slo, objective), {})
        revised = [
            Revision(slo, objective, _instant(one.hour), stored[one.hour][ALL].counts, one.counts, now)
            for one in rows
            if one.part == ALL
            and one.hour in stored
            and ALL in stored[one.hour]
            and stored[one.hour][ALL].settled
            and _differ(stored[one.hour][ALL].counts, one.counts)
        ]
        _clear_parts(session, rows, stored)
        store_counts.put_hours(session, rows)
        if revised:
            store_counts.add_revisions(session, revised)
            _tell(session, service, revised, now)


def _clear_parts(session: Session, rows: list[HourRow], stored: dict[int, dict[str, HourRow]]) -> None:
    """What no exclusion holds any more is nothing."""
    said: dict[int, set[str]] = defaultdict(set)
    for one in rows:
        said[one.hour].add(one.part)
    gone = [
        HourRow(one.slo, one.objective, hour, part, Counts(), one.settled)
        for hour, parts in said.items()
        for part, one in stored.get(hour, {}).items()
        if part not in parts
    ]
    if gone:
        store_counts.put_hours(session, gone)


def _differ(one: Counts, other: Counts) -> bool:
    return not replace(one, measured=0.0).is_near(replace(other, measured=0.0))


def _tell(session: Session, service: str, revised: list[Revision], now: datetime) -> None:
    before, after = added(one.before for one in revised), added(one.after for one in revised)
    fact = HoursRevised(
        slo=revised[0].slo,
        service_name=service,
        objective=revised[0].objective,
        hours=len(revised),
        first_hour=rfc3339(revised[0].hour),
        last_hour=rfc3339(revised[-1].hour),
        before={"good": before.good, "total": before.total},
        after={"good": after.good, "total": after.total},
    )
    journal.append(session, fact, by="watchkeeper", source="worker", at=now)


def _instant(hour: int) -> datetime:
    return datetime.fromtimestamp(hour, UTC)
