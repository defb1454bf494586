"""`ops/oncall/*.yaml`: integrations and heartbeats as code. Keys and addresses are secrets, and never in a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.errors import Invalid
from watchkeeper.kernel.journal import Subject
from watchkeeper.kernel.ops import Action, Change, Complaints, Drifted, Located, PlanOutdated, differences
from watchkeeper.modules.alerts import heartbeats, integrations, store_heartbeats, store_integrations
from watchkeeper.modules.alerts.from_files import FromFiles
from watchkeeper.modules.alerts.heartbeats import Heartbeats
from watchkeeper.modules.alerts.integrations import Integrations
from watchkeeper.modules.alerts.public import Alerting
from watchkeeper.modules.alerts.wire_ways import HeartbeatBody, IntegrationBody

FILES = "oncall/*.yaml"
_GONE = "no file names it any more"
_EXAMPLE = """\
# What alerts come through, and what has to be heard of regularly. Take away the # to say it. Keys are made afterwards,
# in the console under Alerts, and seen only there.

#integrations:
#  - name: alertmanager
#    kind: alertmanager
#    group_by: [service, environment, alertname]
#    group_minutes: 30
#  - name: shop-checks
#    kind: generic
#    service: shop
#    mapping: {title: "check.name", key: "check.id"}
#    severity_map: {bad: critical}

#heartbeats:
#  - name: nightly-backup
#    cron: "15 3 * * *"
#    time_zone: Europe/Oslo
#    grace_seconds: 3600
#    service: shop
"""


@dataclass(frozen=True)
class _Known:
    """One as it is: `said` as a file would say it, but for the name."""

    id: str
    name: str
    said: Mapping[str, Any]
    files: FromFiles | None

    @property
    def drift(self) -> dict[str, tuple[Any, Any]]:
        """What differs from what the files said last."""
        return differences(self.files.said, self.said) if self.files is not None and self.files.differs_since else {}


@dataclass(frozen=True)
class _WayKind:
    """What integrations and heartbeats have in common in plan and apply."""

    model: type[BaseModel]
    name: str
    listed_under: str
    page: str
    all_of: Callable[[Session], list[_Known]]
    said_of: Callable[[Any], dict[str, Any]]
    require_sound: Callable[[Any], None]
    put: Callable[[Session, Any, str, datetime], None]
    remove: Callable[[Session, str, str, datetime], None]
    # What a change can't touch.
    stays: tuple[str, ...] = ()
    pattern: str = FILES
    examples: Mapping[str, str] = field(default_factory=dict)

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:
        """Created, changed, adopted, unchanged, and those from files that no file names any more."""
        existing = {one.name: one for one in self.all_of(session)}
        for one in desired:
            self._complain(one, existing.get(one.value.name), complaints)
        changes = [self._change(one, existing.get(one.value.name)) for one in desired]
        named = {one.value.name for one in desired}
        gone = [one for one in existing.values() if one.files is not None and one.name not in named]
        changes += [Change("delete", self.name, one.name, _away(one.said), note=_GONE) for one in gone]
        return sorted(changes, key=lambda change: change.name)

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        """One change, if the object still is what the plan saw."""
        kept = next((one for one in self.all_of(session) if one.name == change.name), None)
        self._require_unchanged(kept, change, desired)
        if desired is not None:
            self.put(session, desired, by, at)
        else:
            self.remove(session, change.name, by, at)

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        """All in one file, without what is as if never said."""
        path = f"oncall/{self.listed_under}.yaml"
        return [(path, self._document(one)) for one in self.all_of(session)]

    def drift(self, session: Session) -> list[Drifted]:
        """Those that were changed since the files were applied."""
        return [
            Drifted(
                self.name,
                one.name,
                one.files.differs_since,
                one.drift,
                Subject(f"alert_{self.name}", one.id),
                f"{self.page}/{quote(one.name)}",
            )
            for one in self.all_of(session)
            if one.files is not None and one.files.differs_since is not None and one.drift
        ]

    def _document(self, one: _Known) -> dict[str, Any]:
        whole = self.model.model_validate({"name": one.name, **one.said})
        found: dict[str, Any] = whole.model_dump(mode="json", exclude_defaults=True)
        return found

    def _complain(self, one: Located[Any], kept: _Known | None, complaints: Complaints) -> None:
        try:
            self.require_sound(one.value)
        except Invalid as refusal:
            for complaint in refusal.complaints:
                complaints.add(one.document.place(tuple(complaint.where.split("."))), complaint.expected)
        said = self.said_of(one.value)
        for name in self.stays:
            if kept is not None and kept.said[name] != said[name]:
                complaints.add(
                    one.document.place((name,)), f"{kept.said[name]}, which it is and stays: add another one"
                )

    def _change(self, one: Located[Any], kept: _Known | None) -> Change:
        name, where = one.value.name, str(one.document.place(("name",)))
        said = self.said_of(one.value)
        if kept is None:
            fields = {key: (None, value) for key, (value, _) in _away(said).items()}
            return Change("create", self.name, name, fields, where)
        changed = differences(kept.said, said)
        drift = tuple(key for key in kept.drift if key in changed)
        if kept.files is None:
            action: Action = "update" if changed else "adopt"
            taken: dict[str, tuple[Any, Any]] = {**changed, "managed_by": ("console", "ops")}
            return Change(action, self.name, name, taken, where, "known already; from now on described in ops/", drift)
        if kept.files.differs_since is not None and not changed:
            return Change("adopt", self.name, name, {}, where, "was changed elsewhere; the files say so now too")
        return Change("update" if changed else "unchanged", self.name, name, changed, where, "", drift)

    def _require_unchanged(self, kept: _Known | None, change: Change, desired: Any | None) -> None:
        if kept is None:
            same = change.action == "create"
        elif change.action == "adopt":
            same = desired is not None and kept.said == self.said_of(desired)
        else:
            fields = {key: before for key, (before, _) in change.fields.items() if key != "managed_by"}
            same = change.action != "create" and all(kept.said.get(key) == before for key, before in fields.items())
        if not same:
            raise PlanOutdated(f"{change.name} was changed by somebody else just now. Plan again.")


def ops_kinds(alerting: Alerting) -> tuple[_WayKind, ...]:
    """Integrations and heartbeats; what a change of these means for alerts is told by way of `alerting`."""

    def describe_integration(session: Session, said: IntegrationBody, by: str, at: datetime) -> None:
        Integrations(session, ManualClock(at)).describe(said.parsed(), by=by)

    def remove_integration(session: Session, name: str, by: str, at: datetime) -> None:
        Integrations(session, ManualClock(at)).remove(name, reason=_GONE, by=by, source="ops")

    def describe_heartbeat(session: Session, said: HeartbeatBody, by: str, at: datetime) -> None:
        Heartbeats(session, ManualClock(at), alerting).describe(said.parsed(), _said_of_heartbeat(said), by=by)

    def remove_heartbeat(session: Session, name: str, by: str, at: datetime) -> None:
        Heartbeats(session, ManualClock(at), alerting).remove(name, reason=_GONE, by=by, source="ops")

    return (
        _WayKind(
            IntegrationBody,
            "integration",
            "integrations",
            "/alerts/integrations",
            all_of=_integrations,
            said_of=lambda said: store_integrations.said_of(said.parsed()),
            require_sound=lambda said: integrations.require_sound(said.parsed()),
            put=describe_integration,
            remove=remove_integration,
            stays=("kind",),
            examples={"oncall/integrations.yaml": _EXAMPLE},
        ),
        _WayKind(
            HeartbeatBody,
            "heartbeat",
            "heartbeats",
            "/alerts/heartbeats",
            all_of=_heartbeats,
            said_of=_said_of_heartbeat,
            require_sound=lambda said: heartbeats.require_sound(said.parsed()),
            put=describe_heartbeat,
            remove=remove_heartbeat,
        ),
    )


def _integrations(session: Session) -> list[_Known]:
    found = store_integrations.all_integrations(session)
    known = [(one.integration, one.files) for one in found]
    return [_Known(one.id, one.name, store_integrations.said_of(one), files) for one, files in known]


def _heartbeats(session: Session) -> list[_Known]:
    found = store_heartbeats.all_heartbeats(session)
    return [_Known(one.id, one.name, store_heartbeats.content_of(one), one.files) for one in found]


def _said_of_heartbeat(said: HeartbeatBody) -> dict[str, Any]:
    return store_heartbeats.content_of(said.parsed())


def _away(said: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {key: (value, None) for key, value in said.items() if value not in (None, "", [], {})}
