"""`ops/incidents.yaml`: the rules by which alerts open incidents. They are said in files only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.ops import Change, Complaints, Drifted, Located, PlanOutdated, differences
from watchkeeper.modules.incidents.events import RuleChanged
from watchkeeper.modules.incidents.rules import Rule, all_rules, put_rule, remove_rule

_FILE = "incidents.yaml"
_EXAMPLE = """\
# Which alerts open an incident by themselves. The first rule that fits holds; what is left out fits all.
# Alerts of a service that has an open incident join it.

#rules:
#  - {name: not-in-staging, environments: [staging], open: nothing, priority: 1}
#  - {name: critical, severities: [critical], open: SEV-1}
#  - {name: payments, labels: {team: payments}, open: SEV-2}
"""


@dataclass(frozen=True)
class RuleKind:
    """Rules in plan and apply."""

    name: str = "incident_rule"
    pattern: str = _FILE
    listed_under: str = "rules"
    model: type[BaseModel] = Rule
    examples: Mapping[str, str] = field(default_factory=lambda: {_FILE: _EXAMPLE})

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:  # noqa: ARG002
        """Created, changed, unchanged, and those that no file names any more."""
        existing = {one.name: one for one in all_rules(session)}
        changes = [self._change(existing.get(one.value.name), one) for one in desired]
        named = {one.value.name for one in desired}
        gone = [self._deletion(one) for one in existing.values() if one.name not in named]
        return sorted([*changes, *gone], key=lambda change: change.name)

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        """One change and its fact."""
        known = next((one for one in all_rules(session) if one.name == change.name), None)
        if (known is None) is not (change.action == "create"):
            raise PlanOutdated(f"{change.name} was changed by somebody else just now. Plan again.")
        if desired is None:
            remove_rule(session, change.name)
        else:
            put_rule(session, desired, by=by, at=at)
        opens = str(desired.open) if desired is not None else None
        fact = RuleChanged(name=change.name, opens=opens, before=_said(known), after=_said(desired))
        journal.append(session, fact, by=by, source="ops", at=at)

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        """Every rule, all in one file."""
        return [(_FILE, one.model_dump(mode="json", exclude_defaults=True)) for one in all_rules(session)]

    def drift(self, session: Session) -> list[Drifted]:  # noqa: ARG002 (only files say rules)
        """None: nothing but files changes a rule."""
        return []

    def _change(self, known: Rule | None, one: Located[Any]) -> Change:
        where, said = str(one.document.place(("name",))), _said(one.value)
        if known is None:
            fields = {key: (None, value) for key, value in said.items() if value not in (None, "", [], {}, False)}
            return Change("create", self.name, one.value.name, fields, where)
        changed = differences(_said(known), said)
        return Change("update" if changed else "unchanged", self.name, known.name, changed, where)

    def _deletion(self, known: Rule) -> Change:
        fields = {key: (value, None) for key, value in _said(known).items() if value not in (None, "", [], {}, False)}
        return Change("delete", self.name, known.name, fields, note="no file names it any more")


OPS_KINDS = (RuleKind(),)


def _said(rule: Any | None) -> dict[str, Any]:
    found: dict[str, Any] = rule.model_dump(mode="json") if rule is not None else {}
    return found
