"""Whether a group pages, and if not, why: maintenance, a silence, or something that its service depends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from sqlalchemy.orm import Session

from watchkeeper.kernel.journal import Event
from watchkeeper.modules.alerts import store, store_noise
from watchkeeper.modules.alerts.events import GroupOpened, GroupReopened, GroupSuppressed, GroupUnsuppressed
from watchkeeper.modules.alerts.model import GroupState, Severity, Suppression
from watchkeeper.modules.alerts.quiet import Quiet
from watchkeeper.modules.alerts.telling import fact_of
from watchkeeper.modules.catalog import public as catalog

Cause = tuple[Suppression | None, str | None]
PAGES: Cause = (None, None)
_EXPLAIN_NOTHING = ("own:heartbeat", "own:work")


class Suppressor:
    """Decides at one instant, over the groups of a board as they are and those of the database around them."""

    def __init__(self, session: Session, at: datetime, groups: Mapping[str, GroupState]) -> None:
        self._session, self._at, self._groups = session, at, groups

    @cached_property
    def quiet(self) -> Quiet:
        """Silences and windows that are active."""
        return store_noise.quiet_at(self._session, self._at)

    @cached_property
    def _calls(self) -> dict[str, tuple[str, ...]]:
        return {one.name: one.about.dependencies for one in catalog.services(self._session)}

    def _needed_by(self, service: str | None) -> set[str]:
        return set(catalog.reached([service], self._calls)) - {service} if service is not None else set()

    def called_first(self, groups: Iterable[GroupState]) -> list[GroupState]:
        """Those that others among them depend on come first, so that what is decided of a caller knows of its cause."""
        found = list(groups)
        services = {one.service for one in found}
        # The catalog is read only where one could be because of another.
        if len(services - {None}) < 2:
            return found
        return sorted(found, key=lambda one: len(self._needed_by(one.service) & services))

    def opened(self, group: GroupState, what: str) -> tuple[GroupState, Event]:
        """A group that begins, with whether it pages, and the fact of it."""
        # One that began and ended in the same transaction has nobody to keep quiet from.
        why, cause = self._cause(group, dependencies=True) if group.is_open else PAGES
        group = replace(group, suppressed=why, suppressed_by=cause)
        said = why.value if why else None
        if what == "opened":
            more = {"urgency": group.urgency.value, "family": group.key, "suppressed": said, "slo": group.slo}
            return group, fact_of(group, GroupOpened, **more)
        return group, fact_of(group, GroupReopened, suppressed=said)

    def reconsidered(self, group: GroupState) -> tuple[GroupState, str, Event] | None:
        """The group as it should be, what to tell of it, and the fact; None while all is as it should be."""
        # Who was paged already is not made quiet by what happens to a dependency later.
        why, cause = self._cause(group, dependencies=group.suppressed is Suppression.DEPENDENCY)
        if why is group.suppressed:
            if cause == group.suppressed_by:
                return None
            # Another silence, window or dependency has taken over: it stays quiet.
            changed = replace(group, suppressed_by=cause)
            return changed, "suppressed", fact_of(changed, GroupSuppressed, why=str(why), what=cause)
        changed = replace(group, suppressed=why, suppressed_by=cause)
        if why is None:
            before = group.suppressed.value if group.suppressed else ""
            return changed, "unsuppressed", fact_of(changed, GroupUnsuppressed, why=before)
        return changed, "suppressed", fact_of(changed, GroupSuppressed, why=why.value, what=cause)

    def _cause(self, group: GroupState, *, dependencies: bool) -> Cause:
        # It belongs to no service. Whether everything is quiet is looked at by itself (`muting.py`), in its own words.
        if group.is_synthetic:
            return PAGES
        window = self.quiet.window_of(group.service, group.environment)
        if window is not None:
            return Suppression.MAINTENANCE, window
        if group.firing_count and not group.loud_count:
            return Suppression.SILENCE, self._silence_of(group)
        root = self._root_of(group) if dependencies and group.service else None
        return (Suppression.DEPENDENCY, root) if root else PAGES

    def _silence_of(self, group: GroupState) -> str | None:
        """One of those that cover it; the one it was quiet by, as long as that holds."""
        active = {one.id for one in self.quiet.silences}
        if group.suppressed is Suppression.SILENCE and group.suppressed_by in active:
            return group.suppressed_by
        known = self.silence_by_group.get(group.id)
        if known is not None:
            return known
        of_alerts = (one.silence for one in store.firing_of(self._session, [group.id]))
        return next((one for one in of_alerts if one is not None), None)

    @cached_property
    def silence_by_group(self) -> dict[str, str]:
        """What the board found out about groups whose alerts are not written yet."""
        return {}

    def _root_of(self, group: GroupState) -> str | None:
        """The id of a group that pages for something this one's service depends on."""
        needed = self._needed_by(group.service)
        if not needed:
            return None
        stored = {one.id: one for one in store.roots(self._session, needed)}
        candidates = {
            **stored,
            **{one.id: one for one in self._groups.values() if one.id in stored or one.service in needed},
        }
        for one in sorted(candidates.values(), key=lambda found: (found.opened_at, found.id)):
            if self._can_be_blamed(one, group):
                return one.id
        return None

    def _can_be_blamed(self, one: GroupState, by: GroupState) -> bool:
        return (
            one.is_open
            and one.id != by.id
            and one.suppressed is None
            and one.firing_count > 0
            and one.severity.rank <= min(by.severity.rank, Severity.ERROR.rank)
            # A job of a database that did not run explains nothing about who calls the database.
            and not one.integration.startswith(_EXPLAIN_NOTHING)
            # Of an unknown environment nobody knows that it is another.
            and (one.environment is None or by.environment is None or one.environment == by.environment)
        )
