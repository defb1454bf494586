"""`ops/oncall/*.yaml`: schedules and escalation policies as code. People are written as e-mail addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.journal import Subject
from watchkeeper.kernel.ops import Action, Change, Complaints, Drifted, Located, PlanOutdated, differences
from watchkeeper.modules.oncall import store
from watchkeeper.modules.oncall.checks import Known, Wrong, wrong_with_policy, wrong_with_schedule
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.ops_examples import EXAMPLE
from watchkeeper.modules.oncall.people import Addresses, called
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.service import Definitions, known
from watchkeeper.modules.oncall.store import ContentT, Stored

FILES = "oncall/*.yaml"


@dataclass(frozen=True)
class _OncallKind(Generic[ContentT]):
    """What schedules and policies have in common in plan and apply."""

    model: type[ContentT]
    name: str
    listed_under: str
    page: str
    pattern: str = FILES
    examples: Mapping[str, str] = field(default_factory=dict)

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:
        """Created, changed, adopted, unchanged, and those from files that no file names any more."""
        addresses = Addresses.read(session)
        existing = {one.name: one for one in store.all_of(session, self.model)}
        self._complain(session, desired, addresses, complaints)
        changes = [self._change(one, existing.get(one.value.name), addresses) for one in desired]
        named = {one.value.name for one in desired}
        gone = [one for one in existing.values() if one.managed_by == "ops" and one.name not in named]
        changes += [self._deletion(one, addresses) for one in gone]
        return sorted(changes, key=lambda change: change.name)

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        """One change, if the object still is what the plan saw."""
        addresses = Addresses.read(session)
        verbs = Definitions(session, ManualClock(at))
        kept = store.by_name(session, self.model, change.name, lock=True)
        _require_unchanged(kept, change, _written(desired, addresses), addresses)
        if desired is not None:
            content = addresses.kept(desired)
            applied = content.model_dump(mode="json")
            verbs.put(content, by=by, source="ops", managed_by="ops", applied=applied, checked=True)
        elif self.model is Schedule:
            verbs.remove_schedule(change.name, by=by, source="ops")
        else:
            verbs.remove_policy(change.name, by=by, source="ops")

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        """Each in a file of its own, with addresses where people have one."""
        addresses = Addresses.read(session)
        return [
            (self.file_of(one.name), document_of(addresses.written(one.content)))
            for one in store.all_of(session, self.model)
        ]

    def file_of(self, name: str) -> str:
        """The file below ops/ that an export puts one into."""
        return f"oncall/{self.listed_under}-{name}.yaml"

    def drift(self, session: Session) -> list[Drifted]:
        """Objects that were changed since the files were applied."""
        return [found for one in store.all_of(session, self.model) if (found := self._drift_of(one)) is not None]

    def _drift_of(self, kept: Stored[ContentT]) -> Drifted | None:
        if kept.applied is None or kept.differs_since is None:
            return None
        fields = differences(kept.applied, kept.content.model_dump(mode="json"))
        if not fields:
            return None
        about = Subject(f"oncall_{'schedule' if self.model is Schedule else 'policy'}", kept.name)
        return Drifted(self.name, kept.name, kept.differs_since, fields, about, f"{self.page}/{kept.name}")

    def _complain(
        self, session: Session, desired: Sequence[Located[Any]], addresses: Addresses, complaints: Complaints
    ) -> None:
        there = known(session)
        coming = complaints.named.get("schedule", frozenset())
        contents = {one.value.name: addresses.kept(one.value) for one in desired}
        for one in desired:
            for wrong in self._wrong(contents[one.value.name], there, coming, contents.values()):
                complaints.add(one.document.place(wrong.path), wrong.expected)

    def _wrong(
        self, content: Schedule | Policy, there: Known, coming: frozenset[str], others: Iterable[Any]
    ) -> list[Wrong]:
        if isinstance(content, Schedule):
            return wrong_with_schedule(content, there)
        # What came from files and is in none now will be gone.
        stay: list[Policy] = [one for one in there.policies if one.name not in there.of_files]
        together = Known(there.staff, there.rosters, (*stay, *others), coming)
        return wrong_with_policy(content, together)

    def _change(self, one: Located[Any], kept: Stored[ContentT] | None, addresses: Addresses) -> Change:
        name, where = one.value.name, str(one.document.place(("name",)))
        said = _said(_written(one.value, addresses))
        if kept is None:
            fields = {key: (None, value) for key, value in said.items() if value not in (None, "", [], False)}
            return Change("create", self.name, name, fields, where)
        changed = differences(_said(addresses.written(kept.content)), said)
        drifted = self._drift_of(kept)
        drift = tuple(key for key in (drifted.fields if drifted else ()) if key in changed)
        if kept.managed_by != "ops":
            action: Action = "update" if changed else "adopt"
            taken: dict[str, tuple[Any, Any]] = {**changed, "managed_by": (kept.managed_by, "ops")}
            return Change(action, self.name, name, taken, where, "known already; from now on described in ops/", drift)
        if kept.differs_since is not None and not changed:
            return Change("adopt", self.name, name, {}, where, "was changed elsewhere; the files say so now too")
        return Change("update" if changed else "unchanged", self.name, name, changed, where, "", drift)

    def _deletion(self, kept: Stored[ContentT], addresses: Addresses) -> Change:
        said = _said(addresses.written(kept.content))
        fields = {key: (value, None) for key, value in said.items() if value not in (None, "", [], False)}
        return Change("delete", self.name, kept.name, fields, note="no file names it any more")


def document_of(content: Schedule | Policy) -> dict[str, Any]:
    """What a file says of it: what is as if never said is left out."""
    found: dict[str, Any] = content.model_dump(mode="json", exclude_defaults=True)
    return found


def _said(content: Schedule | Policy | None) -> dict[str, Any]:
    return content.model_dump(mode="json") if content is not None else {}


def _written(desired: Any | None, addresses: Addresses) -> Any | None:
    """Ids that files name, and addresses in other spellings, as the address that is kept."""
    if desired is None:
        return None
    return called(desired, lambda who: addresses.address_of(addresses.id_of(who)))


def _require_unchanged(kept: Stored[Any] | None, change: Change, desired: Any | None, addresses: Addresses) -> None:
    now = _said(addresses.written(kept.content)) if kept is not None else {}
    if kept is None:
        same = change.action == "create"
    elif change.action == "adopt":
        same = now == _said(desired)
    else:
        same = change.action in ("update", "delete") and all(
            now.get(key) == before for key, (before, _) in change.fields.items() if key != "managed_by"
        )
    if not same:
        raise PlanOutdated(f"{change.name} was changed by somebody else just now. Plan again.")


OPS_KINDS = (
    _OncallKind(Schedule, "schedule", "schedules", "/oncall/schedules", examples={"oncall/example.yaml": EXAMPLE}),
    _OncallKind(Policy, "escalation_policy", "policies", "/oncall/policies"),
)
