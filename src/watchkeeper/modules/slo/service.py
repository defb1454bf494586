"""The verbs of objectives: what people say, each with its fact."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.slo import checks, store, store_counts
from watchkeeper.modules.slo.definition import DataSource, Definition, Policy
from watchkeeper.modules.slo.errors import (
    RecordInvalid,
    RecordNotFound,
    SloExists,
    SloInUse,
    SloInvalid,
    SloNotFound,
)
from watchkeeper.modules.slo.errors import SloChanged as ChangedMeanwhile
from watchkeeper.modules.slo.events import (
    RecordPut,
    RecordRemoved,
    SloChanged,
    SloDefined,
    SloRemoved,
)
from watchkeeper.modules.slo.store import ManagedBy, Record, Stored

LONGEST_EXCLUSION = timedelta(days=31)
LONGEST_WINDOW = timedelta(days=366)


def counted_as(definition: Definition) -> str:
    """What is measured, as a hash: while it stays, counts go on."""
    said = definition.model_dump(mode="json")
    measured = [said["indicator"], said["slices"], [(one["name"], one["threshold"]) for one in said["objectives"]]]
    return hashlib.sha256(orjson.dumps(measured, option=orjson.OPT_SORT_KEYS)).hexdigest()


def known(
    session: Session, *, instead: Mapping[str, Definition] | None = None, only_of: Definition | None = None
) -> checks.Known:
    """What a definition may refer to; `instead` are definitions that are about to be there. `only_of`: only what this
    one may, which is no SLO unless it is a composite."""
    refers = only_of is None or only_of.indicator.kind == "composite"
    slos = {one.name: one.definition for one in store.all_definitions(session)} if refers else {}
    return checks.Known(
        slos={**slos, **(instead or {})},
        data_sources=frozenset(one.name for one in store.data_sources(session)),
        longest_window=LONGEST_WINDOW,
    )


@dataclass(frozen=True)
class Slos:
    """Definitions and records, on one session."""

    session: Session
    clock: Clock

    def slo(self, name: str, *, lock: bool = False) -> Stored:
        """Raises SloNotFound."""
        found = store.by_name(self.session, name, lock=lock)
        if found is None:
            raise SloNotFound(f"There is no SLO {name[:63]!r}.")
        return found

    def put(
        self,
        definition: Definition,
        *,
        by: str,
        source: str,
        managed_by: ManagedBy = "console",
        if_version: int | None = None,
        only_new: bool = False,
        applied: Mapping[str, Any] | None = None,
        context: Mapping[str, Definition] | None = None,
    ) -> Stored:
        """Define an SLO, or change one; the same again changes nothing. `context` are others that come with it.

        Raises SloInvalid with what is wrong; SloExists with `only_new`; SloChanged when it is not of `if_version`.
        """
        before = store.by_name(self.session, definition.name, lock=True)
        if before is not None and only_new:
            raise SloExists(f"There is an SLO {definition.name} already.")
        if if_version is not None and (before is None or before.version != if_version):
            raise ChangedMeanwhile(f"{definition.name} is not as it was when you looked. Look again.")
        instead = {**(context or {}), definition.name: definition}
        complaints = checks.complaints_about(definition, known(self.session, instead=instead, only_of=definition))
        if complaints:
            raise SloInvalid(f"The SLO {definition.name} is not valid.", complaints=complaints)
        return self._write(before, definition, managed_by, applied, by=by, source=source)

    def _write(
        self,
        before: Stored | None,
        definition: Definition,
        managed_by: ManagedBy,
        applied: Mapping[str, Any] | None,
        *,
        by: str,
        source: str,
    ) -> Stored:
        kept = self._kept(before, definition, managed_by, applied, by)
        if before is None:
            if not store.add(self.session, kept):
                raise SloExists(f"There is an SLO {definition.name} already.")
            store_counts.forget_hours(self.session, slo=definition.name)
            said = definition.model_dump(mode="json")
            self._tell(SloDefined(slo=kept.name, service_name=definition.service, after=said), by=by, source=source)
        elif before.definition != definition:
            if before.counted_as != kept.counted_as:
                store_counts.forget_hours(self.session, slo=kept.name)
            store.change(self.session, kept)
            self._tell(_changed(before, kept), by=by, source=source)
        elif (before.managed_by, before.applied) != (kept.managed_by, kept.applied):
            store.change(self.session, kept)
        else:
            return before
        store.move_generation(self.session)
        return kept

    def _kept(
        self,
        before: Stored | None,
        definition: Definition,
        managed_by: ManagedBy,
        applied: Mapping[str, Any] | None,
        by: str,
    ) -> Stored:
        """What came from files stays theirs; what is changed elsewhere differs from them since then."""
        now = self.clock.now()
        of_files = managed_by == "ops" or (before is not None and before.managed_by == "ops")
        applied = applied if managed_by == "ops" else before.applied if before is not None else None
        differs = of_files and managed_by != "ops" and applied != definition.model_dump(mode="json")
        return Stored(
            id=before.id if before else new_id("slo"),
            definition=definition,
            version=before.version + 1 if before else 1,
            counted_as=counted_as(definition),
            managed_by="ops" if of_files else managed_by,
            created_at=before.created_at if before else now,
            updated_at=now,
            updated_by=by,
            applied=applied,
            differs_since=(before.differs_since if before and before.differs_since else now) if differs else None,
        )

    def remove(self, name: str, *, by: str, source: str, reason: str = "") -> None:
        """Delete an SLO. Raises SloNotFound, or SloInUse with the composites that it is a part of."""
        before = self.slo(name, lock=True)
        users = [
            one.name
            for one in store.all_definitions(self.session)
            if one.definition.indicator.kind == "composite"
            and any(part.slo == name for part in one.definition.indicator.parts)
        ]
        if users:
            raise SloInUse(f"{name} is a part of {', '.join(users)}; change or remove that first.")
        store.remove(self.session, name)
        store_counts.forget_hours(self.session, slo=name)
        store.move_generation(self.session)
        fact = SloRemoved(
            slo=name,
            service_name=before.definition.service,
            before=before.definition.model_dump(mode="json"),
            reason=reason,
        )
        self._tell(fact, by=by, source=source)

    def put_record(
        self,
        content: DataSource | Policy,
        *,
        by: str,
        source: str,
        managed_by: ManagedBy = "console",
        applied: Mapping[str, Any] | None = None,
    ) -> None:
        """Add or change a data source or a policy; the same again changes nothing. Raises RecordInvalid."""
        # Files were checked as a whole: a policy may take the place of one that leaves them.
        if managed_by != "ops":
            self._require_fitting(content)
        before = store.record(self.session, type(content), content.name, lock=True)
        said = content.model_dump(mode="json")
        of_files = managed_by == "ops" or (before is not None and before.managed_by == "ops")
        applied = applied if managed_by == "ops" else before.applied if before is not None else None
        differs = of_files and managed_by != "ops" and applied != said
        now = self.clock.now()
        since = before.differs_since if before is not None and before.differs_since else now
        kept = Record(content, "ops" if of_files else managed_by, now, by, applied, since if differs else None)
        if before is not None and (before.content, before.managed_by, before.applied) == (
            kept.content,
            kept.managed_by,
            kept.applied,
        ):
            return
        store.put_record(self.session, kept)
        store.move_generation(self.session)
        if before is None or before.content != content:
            earlier = before.content.model_dump(mode="json") if before is not None else None
            self._tell(
                RecordPut(name=content.name, type=_type_of(content), before=earlier, after=said), by=by, source=source
            )

    def _require_fitting(self, content: DataSource | Policy) -> None:
        if isinstance(content, DataSource):
            complaints = checks.complaints_about_data_source(content)
        else:
            others = [one for one in store.policies(self.session) if one.name != content.name]
            complaints = checks.complaints_about_policy(content, others)
        if complaints:
            raise RecordInvalid(f"{content.name} is not valid.", complaints=complaints)

    def remove_record(
        self, model: type[DataSource] | type[Policy], name: str, *, by: str, source: str, reason: str = ""
    ) -> None:
        """Delete a data source or a policy. Raises RecordNotFound, or SloInUse with the SLOs that ask the source."""
        before = store.record(self.session, model, name, lock=True)
        if before is None:
            raise RecordNotFound(f"There is none of the name {name[:63]!r}.")
        if model is DataSource:
            users = [one.name for one in store.all_definitions(self.session) if name in sources_of(one.definition)]
            if users:
                raise SloInUse(f"{name} is asked by {', '.join(users)}; change or remove that first.")
        store.remove_record(self.session, model, name)
        store.move_generation(self.session)
        said = before.content.model_dump(mode="json")
        fact = RecordRemoved(name=name, type=_type_of(before.content), before=said, reason=reason)
        self._tell(fact, by=by, source=source)

    def _tell(self, event: Event, *, by: str, source: str) -> None:
        journal.append(self.session, event, by=by, source=source, at=self.clock.now())


def _changed(before: Stored, kept: Stored) -> SloChanged:
    said, earlier = kept.definition.model_dump(mode="json"), before.definition.model_dump(mode="json")
    changed = [name for name in said if said[name] != earlier[name]]
    return SloChanged(
        slo=kept.name,
        service_name=kept.definition.service,
        before={name: earlier[name] for name in changed},
        after={name: said[name] for name in changed},
        counted_anew=before.counted_as != kept.counted_as,
    )


def sources_of(definition: Definition) -> frozenset[str]:
    """The data sources that an SLO asks."""
    indicator = definition.indicator
    if indicator.kind != "ratio":
        return frozenset()
    counted = (indicator.good, indicator.bad, indicator.total)
    return frozenset(one.data_source for one in counted if one is not None and one.data_source is not None)


def _type_of(content: DataSource | Policy) -> str:
    return "data_source" if isinstance(content, DataSource) else "policy"
