"""The verbs of the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.catalog import store, store_versions
from watchkeeper.modules.catalog.errors import (
    DescriptionInvalid,
    ServiceExists,
    ServiceIsAlive,
    ServiceIsManaged,
    ServiceNotFound,
)
from watchkeeper.modules.catalog.events import (
    EnvironmentDiscovered,
    OpsCaughtUp,
    ServiceArchived,
    ServiceChanged,
    ServiceDeclared,
    ServiceDiscovered,
    ServiceReturned,
    VersionSeen,
)
from watchkeeper.modules.catalog.model import (
    LONGEST_NAME,
    LONGEST_VERSION,
    MOST_VERSIONS_TOLD,
    SEEN_WITHIN,
    VERSION_SEEN_WITHIN,
    VERSIONS_TOLD_WITHIN,
    Description,
    ManagedBy,
    Running,
    Seen,
    Service,
    replaced_by,
)

DISCOVERY = "system:telemetry"


@dataclass(frozen=True)
class Catalog:
    """Services, on one session."""

    session: Session
    clock: Clock

    def service(self, name: str, *, lock: bool = False) -> Service:
        """Raises ServiceNotFound; an archived service is not found either."""
        found = store.by_name(self.session, name, lock=lock)
        if found is None or found.archived:
            raise ServiceNotFound(f"There is no service {name!r} in the catalog.")
        return found

    def discover(self, seen: Iterable[Seen]) -> None:
        """Note services and environments that telemetry named; the first sight of each is a fact.

        Idempotent, and three queries while nothing is new: telemetry calls it every few seconds. Names longer than 200
        characters, or with half a character in them, are left to telemetry: no address or fact could hold them.
        """
        now = self.clock.now()
        kept = [one for one in seen if _can_be_kept(one)]
        wanted = sorted({(one.service, one.environment) for one in kept})
        names = {service for service, _ in wanted}
        known = self._known(names, now)
        last = store.last_seen(self.session, names)
        for name, environment in wanted:
            before = last.get((name, environment))
            if before is not None and now - before < SEEN_WITHIN:
                continue
            if store.note_seen(self.session, known[name], environment, at=now):
                self._discovered(EnvironmentDiscovered(service_name=name, environment=environment))
        versioned = sorted({(one.service, one.environment, one.version) for one in kept if _names_version(one)})
        if versioned:
            self._note_versions(versioned, known, now)

    def _note_versions(self, named: Sequence[tuple[str, str, str]], known: Mapping[str, str], now: datetime) -> None:
        """Another version than before is a fact; the first one of a place is not, nor is one that runs on."""
        ran = store_versions.versions_of(self.session, {name for name, _, _ in named})
        for name, environment, version in named:
            here = ran[name, environment]
            replaced = replaced_by(version, here, now)
            place = (self.session, known[name], environment, version)
            last = next((one.last_seen for one in here if one.version == version), None)
            if last is not None and now - last < VERSION_SEEN_WITHIN:
                continue
            moved = (
                store_versions.note_seen(*place, before=last, at=now) if last else store_versions.add(*place, at=now)
            )
            here[:] = [*(one for one in here if one.version != version), Running(version, now)]
            if moved and replaced is not None and self._is_told(known[name], environment, now):
                self._discovered(
                    VersionSeen(
                        service_name=name,
                        environment=environment,
                        release=version,
                        replaced=replaced,
                    )
                )

    def _is_told(self, service_id: str, environment: str, now: datetime) -> bool:
        lately = store_versions.added_since(self.session, service_id, environment, now - VERSIONS_TOLD_WITHIN)
        return lately <= MOST_VERSIONS_TOLD

    def _known(self, names: set[str], now: datetime) -> dict[str, str]:
        """The id of each of these services, all of them live from now on."""
        known = store.ids_of(self.session, names)
        for name in sorted(names - set(known)):
            if store.add(self.session, name, Description(), managed_by="discovery", at=now):
                self._discovered(ServiceDiscovered(service_name=name))
        if len(known) < len(names):
            known = store.ids_of(self.session, names)
        for name, (service_id, archived) in sorted(known.items()):
            if archived and store.revive(self.session, service_id, at=now):
                self._discovered(ServiceReturned(service_name=name))
        return {name: service_id for name, (service_id, _) in known.items()}

    def declare(self, name: str, about: Description, *, by: str, source: str, reason: str = "") -> Service:
        """Add a service by hand. Raises ServiceExists or DescriptionInvalid."""
        _require_sound(name, about)
        existing = store.by_name(self.session, name, lock=True)
        if existing is not None and not existing.archived:
            raise ServiceExists(f"{name} is in the catalog already; change it instead.")
        self._write(existing, name, about, "people", by=by, source=source, reason=reason)
        return self.service(name)

    def change(self, name: str, about: Description, *, by: str, source: str, reason: str = "") -> Service:
        """Replace what is said of a service; of one from `ops/` too, where the next plan shows it as drift.

        Raises ServiceNotFound or DescriptionInvalid.
        """
        _require_sound(name, about)
        service = self.service(name, lock=True)
        if service.about.changes_to(about):
            managed_by: ManagedBy = "ops" if service.managed_by == "ops" else "people"
            self._write(service, name, about, managed_by, by=by, source=source, reason=reason)
        return self.service(name)

    def put(self, name: str, about: Description, *, by: str) -> None:
        """What `ops/` says of a service: added, changed, taken over from people and discovery, or caught up with."""
        _require_sound(name, about)
        existing = store.by_name(self.session, name, lock=True)
        self._write(existing, name, about, "ops", by=by, source="ops", reason="", applied=about)

    def archive(self, name: str, *, by: str, source: str, reason: str = "") -> None:
        """Hide a service; its facts and telemetry stay, and telemetry brings it back.

        Raises ServiceNotFound, ServiceIsManaged, or ServiceIsAlive for one that telemetry would bring back at once.
        """
        service = self.service(name, lock=True)
        if service.managed_by == "ops":
            raise ServiceIsManaged(f"{name} is described in ops/services: take it away there and apply.")
        if service.sends(self.clock.now()):
            raise ServiceIsAlive(f"{name} sends telemetry: stop it first, or it would be back within seconds.")
        self._archive(service, by=by, source=source, reason=reason)

    def remove(self, name: str, *, by: str) -> None:
        """It left `ops/`: archived, and what the files said of it is forgotten. Raises ServiceNotFound."""
        service = self.service(name, lock=True)
        store.forget_description(self.session, service.id)
        self._archive(service, by=by, source="ops", reason="no longer in ops/services")

    def _archive(self, service: Service, *, by: str, source: str, reason: str) -> None:
        store.archive(self.session, service.id, at=self.clock.now())
        before = {key: new for key, (_, new) in Description().changes_to(service.about).items()}
        self._tell(ServiceArchived(service_name=service.name, before=before, reason=reason), by=by, source=source)

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
        applied: Description | None = None,
    ) -> None:
        now = self.clock.now()
        self._tell(_event(existing, name, about, managed_by, reason), by=by, source=source)
        if existing is not None:
            applied = applied or (existing.applied if managed_by == "ops" else None)
            differs = managed_by == "ops" and applied is not None and applied.changes_to(about)
            since = (existing.differs_since or now) if differs else None
            store.change(
                self.session, existing.id, about, managed_by=managed_by, applied=applied, differs_since=since, at=now
            )
        elif not store.add(self.session, name, about, managed_by=managed_by, at=now):
            raise ServiceExists(f"{name} was added by somebody else just now.")

    def _discovered(self, event: Event) -> None:
        self._tell(event, by=DISCOVERY, source="telemetry")

    def _tell(self, event: Event, *, by: str, source: str) -> None:
        journal.append(self.session, event, by=by, source=source, at=self.clock.now())


def version_of(service: Service) -> Mapping[str, Any]:
    """What people edit of a service; its ETag is made from this, not from when telemetry last came."""
    return {
        "name": service.name,
        "managed_by": service.managed_by,
        "archived": service.archived,
        "updated_at": service.updated_at,
        **store.said(service.about),
    }


def _can_be_kept(seen: Seen) -> bool:
    try:
        (seen.service + seen.environment).encode()
    except UnicodeEncodeError:
        # Escapes in JSON can make one; it must not hold up all other telemetry.
        return False
    return 0 < len(seen.service) <= LONGEST_NAME and "\0" not in seen.service + seen.environment


def _names_version(seen: Seen) -> bool:
    version = seen.version
    return 0 < len(version) <= LONGEST_VERSION and version.isprintable()


def _event(existing: Service | None, name: str, about: Description, managed_by: ManagedBy, reason: str) -> Event:
    if existing is not None and existing.drift and managed_by == "ops" and not existing.about.changes_to(about):
        return OpsCaughtUp(service_name=name, fields=existing.drift)
    if existing is None or existing.archived:
        said = {key: new for key, (_, new) in Description().changes_to(about).items()}
        return ServiceDeclared(service_name=name, after=said, reason=reason)
    changes = existing.about.changes_to(about)
    if managed_by == "ops" and existing.managed_by != "ops":
        changes["managed_by"] = (existing.managed_by, managed_by)
    return ServiceChanged(
        service_name=name,
        before={key: old for key, (old, _) in changes.items()},
        after={key: new for key, (_, new) in changes.items()},
        reason=reason,
    )


def _require_sound(name: str, about: Description) -> None:
    complaints = []
    if name in about.dependencies:
        complaints.append(Complaint("dependencies", "other services; a service does not depend on itself"))
    for field, values in (("dependencies", about.dependencies), ("environments", about.environments)):
        if len(set(values)) != len(values):
            complaints.append(Complaint(field, "each name once"))
    if complaints:
        raise DescriptionInvalid(f"The description of {name} is not valid.", complaints=complaints)
