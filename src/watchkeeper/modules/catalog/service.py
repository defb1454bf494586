"""The verbs of the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.catalog import store
from watchkeeper.modules.catalog.errors import (
    DescriptionInvalid,
    ServiceExists,
    ServiceIsManaged,
    ServiceNotFound,
)
from watchkeeper.modules.catalog.events import (
    EnvironmentDiscovered,
    ServiceArchived,
    ServiceChanged,
    ServiceDeclared,
    ServiceDiscovered,
)
from watchkeeper.modules.catalog.model import Description, ManagedBy, Seen, Service, plain

DISCOVERY = "system:telemetry"


@dataclass(frozen=True)
class Catalog:
    """Services, on one session."""

    session: Session
    clock: Clock

    def service(self, name: str) -> Service:
        """Raises ServiceNotFound; an archived service is not found either."""
        found = store.by_name(self.session, name)
        if found is None or found.archived:
            raise ServiceNotFound(f"There is no service {name!r} in the catalog.")
        return found

    def discover(self, seen: Iterable[Seen]) -> None:
        """Note services and environments that telemetry named; the first sight of each is a fact. Idempotent."""
        now = self.clock.now()
        wanted = sorted({(one.service, one.environment) for one in seen})
        known = store.ids_of(self.session, {service for service, _ in wanted})
        for name in sorted({service for service, _ in wanted} - set(known)):
            if store.add(self.session, name, Description(), managed_by="discovery", at=now):
                self._tell(ServiceDiscovered(service_name=name), by=DISCOVERY, source="telemetry")
        known = store.ids_of(self.session, {service for service, _ in wanted})
        for name, environment in wanted:
            service_id, archived = known[name]
            if archived:
                # What sends telemetry runs, whatever was said of it.
                store.revive(self.session, service_id, at=now)
            if store.touch_environment(self.session, service_id, environment, at=now):
                event = EnvironmentDiscovered(service_name=name, environment=environment)
                self._tell(event, by=DISCOVERY, source="telemetry")

    def declare(self, name: str, about: Description, *, by: str, source: str, reason: str = "") -> Service:
        """Add a service by hand. Raises ServiceExists or DescriptionInvalid."""
        _require_sound(name, about)
        existing = store.by_name(self.session, name)
        if existing is not None and not existing.archived:
            raise ServiceExists(f"{name} is in the catalog already; change it instead.")
        self._write(existing, name, about, "people", by=by, source=source, reason=reason)
        return self.service(name)

    def change(
        self, name: str, about: Description, *, by: str, source: str, reason: str = "", managed_by: ManagedBy = "people"
    ) -> Service:
        """Replace what is said of a service. Raises ServiceNotFound, ServiceIsManaged or DescriptionInvalid."""
        _require_sound(name, about)
        service = self.service(name)
        if service.managed_by == "ops" and managed_by != "ops":
            raise ServiceIsManaged(f"{name} is described in ops/services: change it there and apply.")
        if service.about.changes_to(about) or service.managed_by != managed_by:
            self._write(service, name, about, managed_by, by=by, source=source, reason=reason)
        return self.service(name)

    def put(self, name: str, about: Description, *, by: str, source: str) -> None:
        """What `ops/` says of a service: added, changed, or taken over from people and discovery."""
        _require_sound(name, about)
        self._write(store.by_name(self.session, name), name, about, "ops", by=by, source=source, reason="")

    def archive(self, name: str, *, by: str, source: str, reason: str = "", from_ops: bool = False) -> None:
        """Hide a service until it sends telemetry again. Raises ServiceNotFound or ServiceIsManaged."""
        service = self.service(name)
        if service.managed_by == "ops" and not from_ops:
            raise ServiceIsManaged(f"{name} is described in ops/services: take its file away and apply.")
        store.archive(self.session, service.id, at=self.clock.now())
        self._tell(ServiceArchived(service_name=name, reason=reason), by=by, source=source)

    def _write(
        self,
        existing: Service | None,
        name: str,
        about: Description,
        managed_by: ManagedBy,
        *,
        by: str,
        source: str,
        reason: str,
    ) -> None:
        now = self.clock.now()
        before = existing.about if existing else Description()
        changes = before.changes_to(about)
        after = {key: new for key, (_, new) in changes.items()}
        event: Event
        if existing is None or existing.archived:
            event = ServiceDeclared(service_name=name, after=after, reason=reason)
        else:
            old = {key: value for key, (value, _) in changes.items()}
            event = ServiceChanged(service_name=name, before=old, after=after, reason=reason)
        if existing is not None:
            store.change(self.session, existing.id, about, managed_by=managed_by, at=now)
        elif not store.add(self.session, name, about, managed_by=managed_by, at=now):
            raise ServiceExists(f"{name} was added by somebody else just now.")
        self._tell(event, by=by, source=source)

    def _tell(self, event: Event, *, by: str, source: str) -> None:
        journal.append(self.session, event, by=by, source=source, at=self.clock.now())


def version_of(service: Service) -> Mapping[str, Any]:
    """What people edit of a service; its ETag is made from this, not from when telemetry last came."""
    return {
        "name": service.name,
        "managed_by": service.managed_by,
        "updated_at": service.updated_at,
        **{key: plain(value) for key, value in vars(service.about).items()},
    }


def _require_sound(name: str, about: Description) -> None:
    complaints = []
    if name in about.dependencies:
        complaints.append(Complaint("dependencies", "other services; a service does not depend on itself"))
    if len(set(about.dependencies)) != len(about.dependencies):
        complaints.append(Complaint("dependencies", "each service once"))
    if complaints:
        raise DescriptionInvalid(f"The description of {name} is not valid.", complaints=complaints)
