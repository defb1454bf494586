"""`ops/services/*.yaml`: services as code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.journal import Subject
from watchkeeper.kernel.ops import Action, Change, Complaints, Drifted, Located, PlanOutdated
from watchkeeper.modules.catalog import store
from watchkeeper.modules.catalog.errors import ServiceExists
from watchkeeper.modules.catalog.model import Description, Service
from watchkeeper.modules.catalog.service import Catalog
from watchkeeper.modules.catalog.wire import Described, ServiceName

_PLAIN_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,78}[a-z0-9])?")
_EXAMPLE = """\
# A service. Take away the # before a field to say it; only the name is needed.
# A line with three dashes divides several services of one file.

#name: orders
#title: Orders
#description: Takes orders and tells the kitchen.
#owner: team-checkout
# How soon users notice when it fails: 1 critical, 2 important, 3 supporting, 4 internal.
#tier: 1
#repository: https://git.example.com/shop/orders
#links: [{title: Dashboard, url: "https://dash.example.com/orders"}]
# Names of the services that it calls; they need not be in the catalog yet.
#dependencies: [payments, stock]
# Where it runs, beside the environments that its telemetry names.
#environments: [staging, production]
"""


class ServiceFile(Described):
    """One service of the catalog; a file may hold several, divided by `---`."""

    name: ServiceName = Field(description="The `service.name` that its telemetry carries.")


@dataclass(frozen=True)
class ServiceKind:
    """Services in plan and apply."""

    name: str = "service"
    pattern: str = "services/*.yaml"
    model: type[BaseModel] = ServiceFile
    examples: Mapping[str, str] = field(default_factory=lambda: {"services/example.yaml": _EXAMPLE})

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:
        """Created, changed, adopted, unchanged, and those from files that no file names any more."""
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
        _require_unchanged(store.by_name(session, change.name, lock=True), change, desired)
        if desired is None:
            catalog.remove(change.name, by=by)
            return
        try:
            catalog.put(change.name, desired.about(), by=by)
        except ServiceExists as refusal:
            # Its telemetry came first, a moment ago.
            raise PlanOutdated(refusal.detail) from None

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        """One file a service; what is only known from telemetry is left out."""
        described = [one for one in store.all_services(session) if one.managed_by != "discovery"]
        return [(file_of(one.name), document_of(one)) for one in described]

    def drift(self, session: Session) -> list[Drifted]:
        """Services that were changed since the files were applied."""
        return [found for one in store.differing_services(session) if (found := drift_of(one)) is not None]

    def _change(self, service: Service | None, one: Located[Any]) -> Change:
        about, name, where = one.value.about(), one.value.name, str(one.document.at)
        if service is None or service.archived:
            note = "" if service is None else "it was archived and comes back"
            return Change("create", self.name, name, _said_of(about), where, note)
        changed: dict[str, tuple[Any, Any]] = service.about.changes_to(about)
        drift = tuple(said for said in service.drift if said in changed)
        if service.managed_by != "ops":
            adoption = {"managed_by": (service.managed_by, "ops")}
            note = "known already; from now on described in ops/"
            action: Action = "update" if changed else "adopt"
            return Change(action, self.name, name, {**changed, **adoption}, where, note, drift)
        if service.drift and not changed:
            return Change("adopt", self.name, name, {}, where, "was changed elsewhere; the files say so now too")
        return Change("update" if changed else "unchanged", self.name, name, changed, where, "", drift)

    def _deletion(self, service: Service) -> Change:
        fields = {name: (said, None) for name, (_, said) in _said_of(service.about).items()}
        note = "no file names it any more; it is archived until it sends telemetry"
        return Change("delete", self.name, service.name, fields, note=note, drift=service.drift)


OPS_KINDS = (ServiceKind(),)


def _said_of(about: Description) -> dict[str, tuple[Any, Any]]:
    return {name: (None, said) for name, (_, said) in Description().changes_to(about).items()}


def file_of(name: str) -> str:
    """The file below ops/ that an export puts a service into; it depends on the name alone."""
    if _PLAIN_NAME.fullmatch(name):
        return f"services/{name}.yaml"
    # Not every name can be a file's, and not every file system tells large letters from small ones.
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-") or "service"
    return f"services/{words}-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}.yaml"


def document_of(service: Service) -> dict[str, Any]:
    """What a file says of the service as it is now."""
    said = store.said(service.about)
    return {"name": service.name, **{name: value for name, value in said.items() if value not in (None, "", [])}}


def drift_of(service: Service) -> Drifted | None:
    """How the service differs from what the files said last."""
    if service.applied is None or service.differs_since is None or service.archived or not service.drift:
        return None
    fields = service.applied.changes_to(service.about)
    href = f"/services/{quote(service.name)}/about"
    return Drifted("service", service.name, service.differs_since, fields, Subject("service", service.name), href)


def _require_unchanged(service: Service | None, change: Change, desired: ServiceFile | None) -> None:
    live = service if service is not None and not service.archived else None
    if change.action == "create":
        same = live is None
    elif change.action == "adopt" and desired is not None:
        same = live is not None and not live.about.changes_to(desired.about())
    else:
        now = store.said(live.about) if live is not None else {}
        same = all(now.get(name) == before for name, (before, _) in change.fields.items() if name != "managed_by")
    if not same:
        raise PlanOutdated(f"{change.name} was changed by somebody else just now. Plan again.")


def _complain(one: Located[Any], complaints: Complaints) -> None:
    for listed in ("dependencies", "environments"):
        values = getattr(one.value, listed)
        for number, value in enumerate(values):
            if value in values[:number]:
                complaints.add(one.document.place((listed, number)), f"each name once, found {value!r} again")
    for number, dependency in enumerate(one.value.dependencies):
        if dependency == one.value.name:
            complaints.add(one.document.place(("dependencies", number)), f"another service than {dependency!r} itself")
