"""The JSON of Statuspage's public API, v2: whoever reads that of others reads ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.modules.status.model import Maintenance, Progress, State, Update, worst
from watchkeeper.modules.status.snapshot import Shown, Snapshot, Told

PAGE_ID = "public"


def documents(snapshot: Snapshot, page_url: str) -> dict[str, dict[str, Any]]:
    """By the path below `/api/v2/`."""
    page = {
        "id": PAGE_ID,
        "name": snapshot.page.title,
        "url": page_url,
        "time_zone": "Etc/UTC",
        "updated_at": rfc3339(snapshot.at),
    }
    word, sentence = snapshot.indicator
    status = {"indicator": word, "description": sentence}
    components = _components(snapshot)
    shown = {one["id"]: one for one in components}
    incidents = [_incident(one, snapshot, shown, page_url) for one in snapshot.incidents[:50]]
    unresolved = [_incident(one, snapshot, shown, page_url) for one in snapshot.open_incidents]
    planned = sorted(snapshot.maintenances, key=lambda one: one.starts_at, reverse=True)
    by_progress = {
        progress: [_maintenance(one, snapshot, shown, page_url) for one in planned if _is(one, progress, snapshot.at)]
        for progress in Progress
    }
    active, upcoming = by_progress[Progress.IN_PROGRESS], by_progress[Progress.SCHEDULED]
    everything = [_maintenance(one, snapshot, shown, page_url) for one in planned[:50]]
    return {
        "summary.json": {
            "page": page,
            "components": components,
            "incidents": unresolved,
            "scheduled_maintenances": active + upcoming,
            "status": status,
        },
        "status.json": {"page": page, "status": status},
        "components.json": {"page": page, "components": components},
        "incidents.json": {"page": page, "incidents": incidents},
        "incidents/unresolved.json": {"page": page, "incidents": unresolved},
        "scheduled-maintenances.json": {"page": page, "scheduled_maintenances": everything},
        "scheduled-maintenances/active.json": {"page": page, "scheduled_maintenances": active},
        "scheduled-maintenances/upcoming.json": {"page": page, "scheduled_maintenances": upcoming},
    }


def _is(one: Maintenance, progress: Progress, now: datetime) -> bool:
    return one.progress(now) is progress


def _components(snapshot: Snapshot) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for group, members in snapshot.groups():
        group_id = f"grp_{sha256(group.encode()).hexdigest()[:26]}" if group else None
        if group_id is not None:
            found.append(_group(group_id, group, members, len(found) + 1))
        for one in members:
            found.append(
                {
                    "id": one.component.id,
                    "name": one.component.title,
                    "status": one.state.value,
                    "created_at": rfc3339(one.component.created_at),
                    "updated_at": rfc3339(one.component.updated_at),
                    "position": len(found) + 1,
                    "description": one.component.said.description or None,
                    "showcase": True,
                    "start_date": one.component.created_at.date().isoformat(),
                    "group_id": group_id,
                    "page_id": PAGE_ID,
                    "group": False,
                    "only_show_if_degraded": False,
                }
            )
    return found


def _group(group_id: str, name: str, members: list[Shown], position: int) -> dict[str, Any]:
    return {
        "id": group_id,
        "name": name,
        "status": worst(one.state for one in members).value,
        "created_at": rfc3339(min(one.component.created_at for one in members)),
        "updated_at": rfc3339(max(one.component.updated_at for one in members)),
        "position": position,
        "description": None,
        "showcase": False,
        "start_date": None,
        "group_id": None,
        "page_id": PAGE_ID,
        "group": True,
        "only_show_if_degraded": False,
        "components": [one.component.id for one in members],
    }


def _incident(told: Told, snapshot: Snapshot, shown: Mapping[str, Any], page_url: str) -> dict[str, Any]:
    one = told.incident
    touched = {component for update in told.updates for component in update.components}
    monitoring = [update.happened_at for update in told.updates if update.stage == "monitoring"]
    shown_as = {update.id: update for update in told.shown}
    said: dict[str, State] = {}
    before: list[dict[str, State]] = []
    for update in reversed(told.updates):
        before.append(dict(said))
        said |= update.components
    return {
        "id": one.id,
        "name": one.title,
        "status": one.stage.value if one.stage else None,
        "created_at": rfc3339(one.published_at or one.created_at),
        "updated_at": rfc3339(one.updated_at or one.created_at),
        "monitoring_at": rfc3339(min(monitoring)) if monitoring else None,
        "resolved_at": rfc3339(one.resolved_at) if one.resolved_at else None,
        "impact": told.impact.value,
        "shortlink": f"{page_url}#{one.id}",
        "started_at": rfc3339(one.started_at),
        "page_id": PAGE_ID,
        "incident_updates": [
            _update(shown_as[update.id], earlier, snapshot)
            for update, earlier in zip(told.updates, reversed(before), strict=True)
            if update.id in shown_as
        ],
        "components": [shown[component] for component in shown if component in touched],
    }


def _update(update: Update, earlier: Mapping[str, State], snapshot: Snapshot) -> dict[str, Any]:
    published = update.published_at or update.drafted_at
    return {
        "id": update.id,
        "status": update.stage.value,
        "body": update.body,
        "incident_id": update.incident,
        "created_at": rfc3339(published),
        "updated_at": rfc3339(update.edited_at or published),
        "display_at": rfc3339(update.happened_at),
        "affected_components": [
            {
                "code": component,
                "name": snapshot.names[component],
                "old_status": earlier.get(component, State.OPERATIONAL).value,
                "new_status": state.value,
            }
            for component, state in update.components.items()
            if component in snapshot.names
        ]
        or None,
    }


def _maintenance(one: Maintenance, snapshot: Snapshot, shown: Mapping[str, Any], page_url: str) -> dict[str, Any]:
    progress = one.progress(snapshot.at)
    return {
        "id": one.id,
        "name": one.title,
        "status": progress.value,
        "created_at": rfc3339(one.created_at),
        "updated_at": rfc3339(one.changed_at(snapshot.at)),
        "monitoring_at": None,
        "resolved_at": rfc3339(one.over_at) if progress is Progress.COMPLETED else None,
        "impact": "maintenance",
        "shortlink": f"{page_url}#{one.id}",
        "started_at": rfc3339(one.starts_at),
        "page_id": PAGE_ID,
        "scheduled_for": rfc3339(one.starts_at),
        "scheduled_until": rfc3339(one.ends_at),
        "incident_updates": _turns(one, snapshot.at),
        "components": [shown[component] for component in shown if component in one.components],
    }


def _turns(one: Maintenance, now: datetime) -> list[dict[str, Any]]:
    """What became of it so far, the newest first."""
    found = [("announced", "scheduled", one.body, one.created_at)]
    if not one.is_cancelled and one.starts_at <= now:
        found.append(("began", "in_progress", "The maintenance is in progress.", one.starts_at))
    if one.progress(now) is Progress.COMPLETED:
        body = "The maintenance was cancelled." if one.is_cancelled else "The maintenance is completed."
        at = one.ended_early_at if one.is_cancelled and one.ended_early_at else one.over_at
        found.append(("over", "completed", body, at))
    return [
        {
            "id": f"{one.id}-{name}",
            "status": status,
            "body": body,
            "incident_id": one.id,
            "created_at": rfc3339(at),
            "updated_at": rfc3339(at),
            "display_at": rfc3339(at),
            "affected_components": None,
        }
        for name, status, body, at in reversed(found)
    ]
