"""Environments as code; files add them and say whether changes in them need approval, and never take one away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.ops import Change, Complaints, Drifted, Located, PlanOutdated
from watchkeeper.modules.config import store
from watchkeeper.modules.config.errors import EnvironmentExists
from watchkeeper.modules.config.model import Environment, is_own
from watchkeeper.modules.config.ops_wire import EnvironmentFile
from watchkeeper.modules.config.service import NAME_EXPECTED, Config, is_environment_name

_USUAL = "production"
_REASON = "as the files in ops/ say"


@dataclass(frozen=True)
class EnvironmentKind:
    """Environments in plan and apply."""

    pattern: str
    file: str
    name: str = "environment"
    listed_under: str = "environments"
    model: type[BaseModel] = EnvironmentFile
    examples: Mapping[str, str] = field(default_factory=dict)

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:
        """Created, changed or unchanged."""
        existing = {one.name: one for one in store.all_environments(session)}
        for one in desired:
            if not is_environment_name(one.value.name):
                complaints.add(one.document.place(("name",)), f"{NAME_EXPECTED} for name, found {one.value.name!r}")
        return [self._change(existing.get(one.value.name), one) for one in desired]

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        """One change and its fact."""
        assert desired is not None  # noqa: S101 (nothing is ever deleted)
        config = Config(session, ManualClock(at))
        if change.action == "create":
            approval = bool(desired.needs_approval)
            try:
                config.add_environment(
                    change.name, copy_from=None, needs_approval=approval, reason=_REASON, by=by, source="ops"
                )
            except EnvironmentExists as refusal:
                raise PlanOutdated(refusal.detail) from None
        else:
            config.set_needs_approval(change.name, desired.needs_approval, reason=_REASON, by=by, source="ops")

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        """All, in the file of the parameters; one that every installation begins with only when it is used."""
        used = {environment for environment, one in store.plain_values(session) if not is_own(one.key)}
        return [
            (self.file, {"name": one.name, "needs_approval": one.needs_approval})
            for one in store.all_environments(session)
            if one.name != _USUAL or one.needs_approval or one.name in used
        ]

    def drift(self, session: Session) -> list[Drifted]:  # noqa: ARG002 (the files' word is not kept)
        """None: whether approval is needed is the console's until the next apply."""
        return []

    def _change(self, before: Environment | None, one: Located[Any]) -> Change:
        where, said = str(one.document.at), one.value.needs_approval
        if before is None:
            fields: dict[str, tuple[Any, Any]] = {"needs_approval": (None, True)} if said else {}
            return Change("create", self.name, one.value.name, fields, where)
        if said is None or said == before.needs_approval:
            return Change("unchanged", self.name, before.name, {}, where)
        fields = {"needs_approval": (before.needs_approval, said)}
        return Change("update", self.name, before.name, fields, where)
