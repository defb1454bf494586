"""`ops/services/*.yaml`: services as code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.ops import Change, Complaints, Located, PlanOutdated
from watchkeeper.modules.catalog import store
from watchkeeper.modules.catalog.model import Description, Service
from watchkeeper.modules.catalog.service import Catalog
from watchkeeper.modules.catalog.wire import Described, ServiceName


class ServiceFile(Described):
    """One service of the catalog; a file may hold several, divided by `---`."""

    name: ServiceName = Field(description="The `service.name` that its telemetry carries.")


@dataclass(frozen=True)
class ServiceKind:
    """Services in plan and apply."""

    name: str = "service"
    pattern: str = "services/*.yaml"
    model: type[BaseModel] = ServiceFile

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:
        """Created, changed, unchanged, and those from files that no file names any more."""
        existing = {one.name: one for one in store.all_services(session, archived=True)}
        for one in desired:
            _complain(one, complaints)
        changes = [self._change(existing.get(one.value.name), one) for one in desired]
        named = {one.value.name for one in desired}
        gone = [one for one in existing.values() if one.managed_by == "ops" and one.name not in named]
        deletions = [self._deletion(one) for one in gone if not one.archived]
        return sorted([*changes, *deletions], key=lambda change: change.name)

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        """One change, if the service still is what the plan saw."""
        # The whole apply happens at one instant.
        catalog = Catalog(session, ManualClock(at))
        _require_unchanged(store.by_name(session, change.name, lock=True), change)
        if desired is None:
            catalog.remove(change.name, by=by)
        else:
            catalog.put(change.name, desired.about(), by=by)

    def _change(self, service: Service | None, one: Located[Any]) -> Change:
        about, where = one.value.about(), str(one.document.at)
        if service is None or service.archived:
            note = "" if service is None else "it was archived and comes back"
            return Change("create", self.name, one.value.name, _said_of(about), where, note)
        changed: dict[str, tuple[Any, Any]] = service.about.changes_to(about)
        note = ""
        if service.managed_by != "ops":
            changed["managed_by"] = (service.managed_by, "ops")
            note = "known already; from now on described in ops/"
        drift = tuple(name for name in service.drift if name in changed)
        return Change("update" if changed else "unchanged", self.name, service.name, changed, where, note, drift)

    def _deletion(self, service: Service) -> Change:
        fields = {name: (said, None) for name, (_, said) in _said_of(service.about).items()}
        note = "no file names it any more; it is archived until it sends telemetry"
        return Change("delete", self.name, service.name, fields, note=note, drift=service.drift)


OPS_KINDS = (ServiceKind(),)


def _said_of(about: Description) -> dict[str, tuple[Any, Any]]:
    return {name: (None, said) for name, (_, said) in Description().changes_to(about).items()}


def _require_unchanged(service: Service | None, change: Change) -> None:
    if change.action == "create":
        same = service is None or service.archived
    else:
        now = store.said(service.about) if service is not None and not service.archived else {}
        same = all(now.get(name) == before for name, (before, _) in change.fields.items() if name != "managed_by")
    if not same:
        raise PlanOutdated(f"{change.name} was changed by somebody else just now. Plan again.")


def _complain(one: Located[Any], complaints: Complaints) -> None:
    for field in ("dependencies", "environments"):
        values = getattr(one.value, field)
        for number, value in enumerate(values):
            if value in values[:number]:
                complaints.add(one.document.place((field, number)), f"each name once, found {value!r} again")
    for number, dependency in enumerate(one.value.dependencies):
        if dependency == one.value.name:
            complaints.add(one.document.place(("dependencies", number)), f"another service than {dependency!r} itself")
