"""Incidents that are one, one that is two, and one that is not over."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.incidents import store, store_records
from watchkeeper.modules.incidents.checking import invalid
from watchkeeper.modules.incidents.desk import Desk, about_it
from watchkeeper.modules.incidents.errors import IncidentClosed, MergeRefused
from watchkeeper.modules.incidents.events import Merged, Reopened, Split
from watchkeeper.modules.incidents.groups import call_loudly, groups_of, is_own
from watchkeeper.modules.incidents.model import EntryKind, Incident, LinkKind, Severity, Status


def merge(desk: Desk, incident_id: str, into: str, expected: int | None) -> Incident:
    """As `Incidents.merge`: alert groups, links and responders go on in the other; the record stays where it is."""
    one, other = desk.load(incident_id, expected), desk.load(into)
    if one.merged_into == other.id:
        return other
    _require_mergeable(one, other)
    for link in store_records.links_of(desk.session, one.id):
        if not _is_own_group(desk, link.kind, link.target) and link.target != other.id:
            store_records.move_link(desk.session, link, other.id)
    for who in store.responders_of(desk.session, [one.id])[one.id]:
        store.join(desk.session, replace(who, incident_id=other.id))
    desk.link(other, LinkKind.INCIDENT, one.id, one.title)
    desk.note(other, f"{one.name} ({one.severity}) was merged into this incident")
    desk.save(replace(one, merged_into=other.id), Merged(**about_it(one), into=other.id))
    users = [count for count in (one.users_affected, other.users_affected) if count is not None]
    joined = replace(
        other,
        services=tuple(dict.fromkeys((*other.services, *one.services))),
        started_at=min(one.started_at, other.started_at),
        detected_at=min(one.detected_at, other.detected_at),
        users_affected=max(users, default=None),
        settled_at=None,
    )
    if one.severity.rank < other.severity.rank:
        desk.note(joined, f"What was merged was {one.severity}: look whether this is as bad")
    if one.paged is not None and other.paged is None:
        # The alert that called people for the one that was merged ends with it.
        loud = call_loudly(groups_of(desk.session, joined), joined.severity)
        joined = joined if loud else desk.page(joined)
    return desk.save(joined)


def split(
    desk: Desk,
    incident_id: str,
    said: dict[str, Any],
    link_ids: Collection[str],
    severity: Severity | None,
    expected: int | None,
    opening: Callable[..., Incident],
) -> Incident:
    """As `Incidents.split`."""
    one = desk.load_open(incident_id, expected)
    mine = {link.id: link for link in store_records.links_of(desk.session, one.id)}
    unknown = sorted(set(link_ids) - mine.keys())
    if unknown:
        raise invalid("links", f"ids of links of this incident; {unknown[0][:60]} is none")
    chosen = [mine[link_id] for link_id in dict.fromkeys(link_ids)]
    if any(_is_own_group(desk, link.kind, link.target) for link in chosen):
        raise invalid("links", "others than the alert by which this incident calls people")
    for link in chosen:
        store_records.move_link(desk.session, link, _NOWHERE)
    moved = [link.target for link in chosen if link.kind is LinkKind.ALERT_GROUP]
    made = opening(
        said["title"],
        by=desk.by,
        source=desk.source,
        severity=severity or one.severity,
        services=said["services"] or (one.services if not moved else ()),
        environment=one.environment,
        groups=moved,
        drill=one.drill,
    )
    for link in chosen:
        store_records.move_link(desk.session, replace(link, incident_id=_NOWHERE), made.id)
    desk.link(made, LinkKind.INCIDENT, one.id, one.title)
    desk.link(one, LinkKind.INCIDENT, made.id, made.title)
    desk.enter(made, EntryKind.SYSTEM, f"It was a part of {one.name}", about=f"it was a part of {one.name}")
    desk.note(one, f"A part of it became {made.name}")
    desk.save(one, Split(**about_it(one), made=made.id))
    return made


def reopen(desk: Desk, incident_id: str, reason: str, expected: int | None) -> Incident:
    """As `Incidents.reopen`."""
    one = desk.load(incident_id, expected)
    if one.merged_into is not None:
        raise IncidentClosed(f"{one.title} was merged into {one.merged_into}: go on there.")
    if one.is_open:
        return one
    after = replace(
        one,
        status=Status.INVESTIGATING,
        resolved_at=None,
        resolved_reason="",
        reopened=one.reopened + 1,
        clocks_from=desk.now,
        settled_at=None,
    )
    if not call_loudly(groups_of(desk.session, after), after.severity):
        after = desk.page(after)
    if reason.strip():
        desk.enter(after, EntryKind.NOTE, f"Opened again: {reason.strip()[:2_000]}")
    return desk.save(desk.joined(after, "opened it again"), Reopened(**about_it(after), times=after.reopened))


_NOWHERE = "(moving)"


def _require_mergeable(one: Incident, other: Incident) -> None:
    if one.id == other.id:
        raise MergeRefused("It can't be merged into itself.")
    if one.merged_into is not None:
        raise MergeRefused(f"{one.title} was merged into {one.merged_into} already.")
    if other.merged_into is not None:
        raise MergeRefused(f"{other.title} was merged into {other.merged_into}: merge into that one.")
    if one.drill is not other.drill:
        raise MergeRefused("A drill and what is real stay apart.")
    if not other.is_open:
        raise MergeRefused(f"{other.title} is resolved: open it again first, or merge the other way.")


def _is_own_group(desk: Desk, kind: LinkKind, target: str) -> bool:
    group = alerts.group(desk.session, target) if kind is LinkKind.ALERT_GROUP else None
    return group is not None and is_own(group)
