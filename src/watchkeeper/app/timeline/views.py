"""A fact as people and programs read it: a sentence, who did it, what changed, and where to look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, Field

from watchkeeper.app.timeline.marks import mark_of
from watchkeeper.app.timeline.tail import Told
from watchkeeper.kernel.journal import Fact, describe_fact, differences, undo_href

# Which page shows a subject; a type that is not here has none.
_SUBJECTS: Mapping[str, Callable[[str], str]] = {
    "service": lambda name: f"/services/{quote(name)}/about",
    "token": lambda _: "/settings/tokens",
    "team": lambda name: f"/settings/teams/{quote(name)}",
    "parameter": lambda key: f"/config/parameters/{quote(key)}",
    "config_change": lambda change: f"/config/changes/{quote(change)}",
    "environment": lambda _: "/config/environments",
    "segment": lambda name: f"/segments/{quote(name)}",
    "slo": lambda name: f"/slos/{quote(name)}",
    "slo_exclusion": lambda _: "/slos/exclusions",
    "slo_policy": lambda _: "/slos/policies",
    "alert_group": lambda group: f"/alerts/{quote(group)}",
    "recovery_rule": lambda name: f"/recovery/rules/{quote(name)}",
    "recovery_attempt": lambda attempt: f"/recovery/attempts/{quote(attempt)}",
    "alert_silence": lambda _: "/alerts/silences",
    "alert_maintenance": lambda _: "/alerts/maintenance",
    "alert_integration": lambda _: "/alerts/integrations",
    "alert_heartbeat": lambda _: "/alerts/heartbeats",
    "incident": lambda incident: f"/incidents/{quote(incident)}",
    "postmortem": lambda postmortem: f"/postmortems/{quote(postmortem)}",
    "action_item": lambda _: "/postmortems/actions",
    "tracker": lambda _: "/postmortems/tracker",
    "slo_data_source": lambda _: "/slos/data-sources",
    "slo_source": lambda _: "/slos/data-sources",
}
# Facts whose changed fields are names that people gave: shown as they are.
_NAMES_AS_GIVEN = ("config.changed",)
# By kind, else by what comes before its dot: names in shell/icons.html.
_ICONS = {
    "identity.token_created": "key",
    "identity.token_revoked": "key",
    "identity.setup_link_made": "key",
    "identity.sign_in_refused": "warning",
    "identity.signed_out": "sign-out",
    "catalog.service_discovered": "traces",
    "catalog.environment_discovered": "traces",
    "catalog.service_returned": "traces",
    "slo.alert_fired": "warning",
    "alerts.change_recorded": "info",
    "alerts": "danger",
    "incidents": "danger",
    "postmortems": "postmortem",
    "slo": "metrics",
    "audit": "key",
    "catalog": "services",
    "config": "settings",
    "subjects": "team",
    "identity": "user",
    "ops": "settings",
    "recovery": "settings",
    "telemetry": "chart",
    "work": "warning",
}


class Difference(BaseModel):
    """One field that changed, in words."""

    field: str
    before: str
    after: str


class FactView(BaseModel):
    """Something that happened."""

    id: str = Field(description="Names the fact for good; a stream can be resumed from it.")
    at: datetime
    kind: str
    sentence: str
    service: str | None
    actor: str
    actor_name: str
    source: str = Field(description="Where it was done: `api`, `console`, `cli`, `ops`, `telemetry`, `worker`.")
    subject_type: str | None
    subject_id: str | None
    data: dict[str, Any]
    trace_id: str | None
    href: str = Field(description="Its place on the timeline's page.")
    subject_href: str | None = Field(description="The page of what it is about.")
    changes: list[Difference] = Field(description="Fields that changed, in words.")
    reason: str | None
    undo_href: str | None = Field(description="Where it can be undone, if it can.")

    @classmethod
    def of(cls, told: Told) -> FactView:
        fact, mark = told.fact, mark_of(told.fact)
        reason = fact.data.get("reason")
        return cls(
            id=mark,
            at=fact.at,
            kind=fact.kind,
            sentence=describe_fact(fact),
            service=fact.service,
            actor=fact.actor,
            actor_name=told.actor_name,
            source=fact.source,
            subject_type=fact.subject_type,
            subject_id=fact.subject_id,
            data=dict(fact.data),
            trace_id=fact.trace_id,
            href=f"/timeline/{mark}",
            subject_href=page_of(fact),
            changes=[
                Difference(field=one.field, before=one.before, after=one.after)
                for one in differences(fact.data, as_given=fact.kind in _NAMES_AS_GIVEN)
            ],
            reason=reason if isinstance(reason, str) and _is_words(fact.kind, reason) else None,
            undo_href=undo_href(fact),
        )


def icon_of(kind: str) -> str:
    """The name of the icon for a kind of fact."""
    return _ICONS.get(kind) or _ICONS.get(kind.partition(".")[0], "info")


def _is_words(kind: str, reason: str) -> bool:
    # A reason that is a code, such as identity's, is part of the sentence already.
    return bool(reason.strip()) and (not kind.startswith("identity.") or " " in reason.strip())


def page_of(fact: Fact) -> str | None:
    """The page of what a fact is about."""
    page = _SUBJECTS.get(fact.subject_type or "")
    return page(fact.subject_id) if page is not None and fact.subject_id else None
