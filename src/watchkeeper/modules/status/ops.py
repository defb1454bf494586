"""`ops/status.yaml`: what the page is called and its components, as code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.errors import Invalid
from watchkeeper.kernel.journal import Subject
from watchkeeper.kernel.ops import Action, Change, Complaints, Drifted, Located, OpsKind, PlanOutdated, differences
from watchkeeper.modules.status import store
from watchkeeper.modules.status.described import COMPONENT, PAGE, Described, plain
from watchkeeper.modules.status.service import FILES, NAME, StatusPage, require_sound_component, require_sound_page
from watchkeeper.modules.status.wire import ComponentBody, PageBody

FILE = "status.yaml"
_GONE = "no file names it any more"
_EXAMPLE = """\
# The public status page at /status: what it is called, and the parts of the product as its users know them.

#pages:
#  - name: public
#    title: Duet
#    url: https://status.example.org
#    support_url: https://example.org/help

#components:
#  - name: sign-in
#    title: Sign-in
#    group: Accounts
#    order: 10
#    description: Getting into the app.
#    services: [gateway]
#    slos: [gateway-availability]
"""


class StatusComponent(ComponentBody):
    """A part of the product on the status page."""

    name: str = Field(
        max_length=63,
        description="Small letters, digits and dashes; it stays when the title changes.",
        json_schema_extra={"pattern": f"^{NAME}$"},
    )


class StatusPageFile(PageBody):
    """What the status page is called; there is one."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    name: Literal["public"] = Field("public", description="`public`.")


@dataclass(frozen=True)
class _Kind:
    """What the page and its components have in common in plan and apply."""

    name: str
    model: type[BaseModel]
    listed_under: str
    row_kind: str
    require_sound: Callable[[Any], None]
    put: Callable[[StatusPage, Any, str], None]
    remove: Callable[[StatusPage, str, str], None]
    pattern: str = FILE
    examples: Mapping[str, str] = field(default_factory=dict)

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:
        """Created, changed, adopted, unchanged, and those from files that no file names any more."""
        existing = {one.name: one for one in store.all_described(session, self.row_kind)}
        for one in desired:
            try:
                self.require_sound(one.value)
            except Invalid as refusal:
                for complaint in refusal.complaints:
                    complaints.add(one.document.place((complaint.where,)), complaint.expected)
        changes = [self._change(one, existing.get(one.value.name)) for one in desired]
        named = {one.value.name for one in desired}
        gone = [one for one in existing.values() if one.from_files is not None and one.name not in named]
        changes += [Change("delete", self.name, one.name, _away(one.said), note=_GONE) for one in gone]
        return sorted(changes, key=lambda change: change.name)

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        """One change, if the object still is what the plan saw."""
        self._require_unchanged(store.one_described(session, self.row_kind, change.name), change, desired)
        page = StatusPage(session, ManualClock(at))
        if desired is not None:
            self.put(page, desired, by)
        else:
            self.remove(page, change.name, by)

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        """All in one file, without what is as if never said."""
        return [(FILE, self._document(one)) for one in store.all_described(session, self.row_kind)]

    def drift(self, session: Session) -> list[Drifted]:
        """What was changed since the files were applied."""
        return [
            Drifted(
                self.name,
                one.name,
                one.differs_since,
                differences(one.from_files, one.said),
                Subject("status_described", one.id),
                "/status-page/components",
            )
            for one in store.all_described(session, self.row_kind)
            if one.from_files is not None and one.differs_since is not None and one.from_files != one.said
        ]

    def _document(self, one: Described) -> dict[str, Any]:
        whole = self.model.model_validate({**one.said, "name": one.name})
        found = whole.model_dump(mode="json", exclude_defaults=True)
        return {"name": one.name, **{key: value for key, value in found.items() if key != "name"}}

    def _change(self, one: Located[Any], kept: Described | None) -> Change:
        name, where, said = one.value.name, str(one.document.place(("name",))), plain(one.value.parsed())
        if kept is None:
            fields = {key: (None, value) for key, (value, _) in _away(said).items()}
            return Change("create", self.name, name, fields, where)
        changed = differences(kept.said, said)
        if kept.from_files is None:
            action: Action = "update" if changed else "adopt"
            taken: dict[str, tuple[Any, Any]] = {**changed, "managed_by": ("console", "ops")}
            return Change(action, self.name, name, taken, where, "known already; from now on described in ops/")
        drift = tuple(key for key in differences(kept.from_files, kept.said) if key in changed)
        if kept.differs_since is not None and not changed:
            return Change("adopt", self.name, name, {}, where, "was changed elsewhere; the files say so now too")
        return Change("update" if changed else "unchanged", self.name, name, changed, where, "", drift)

    def _require_unchanged(self, kept: Described | None, change: Change, desired: Any | None) -> None:
        if kept is None:
            same = change.action == "create"
        elif change.action == "adopt":
            same = desired is not None and kept.said == plain(desired.parsed())
        else:
            fields = {key: before for key, (before, _) in change.fields.items() if key != "managed_by"}
            same = change.action != "create" and all(kept.said.get(key) == before for key, before in fields.items())
        if not same:
            raise PlanOutdated(f"{change.name} was changed by somebody else just now. Plan again.")


def _put_component(page: StatusPage, said: StatusComponent, by: str) -> None:
    page.put_component(said.name, said.parsed(), by=by, source=FILES)


def _remove_component(page: StatusPage, name: str, by: str) -> None:
    page.remove_component(name, reason=_GONE, by=by, source=FILES)


def _put_page(page: StatusPage, said: StatusPageFile, by: str) -> None:
    page.put_page(said.parsed(), by=by, source=FILES)


def _remove_page(page: StatusPage, _name: str, by: str) -> None:
    page.remove_page(by=by, source=FILES)


OPS_KINDS: tuple[OpsKind, ...] = (
    _Kind(
        "status_page",
        StatusPageFile,
        "pages",
        PAGE,
        require_sound=lambda said: require_sound_page(said.parsed()),
        put=_put_page,
        remove=_remove_page,
        examples={FILE: _EXAMPLE},
    ),
    _Kind(
        "status_component",
        StatusComponent,
        "components",
        COMPONENT,
        require_sound=lambda said: require_sound_component(said.name, said.parsed()),
        put=_put_component,
        remove=_remove_component,
    ),
)


def _away(said: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {key: (value, None) for key, value in said.items() if value not in (None, "", [], 0, False)}
