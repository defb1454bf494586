"""`ops/recovery/*.yaml`: rules as code. A rule that would fight another one is refused, or says so in the plan."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.ops import Change, Complaints, Drifted, Located, OpsKind, PlanOutdated, differences
from watchkeeper.modules.recovery import store
from watchkeeper.modules.recovery.described import NAME, RecoveryRule
from watchkeeper.modules.recovery.model import Rule, opposed, opposite
from watchkeeper.modules.recovery.rules import Rules, with_effects
from watchkeeper.modules.runbooks import public as runbooks

_GONE = "no file names it any more"
_PRODUCTION = "production"
_EXAMPLE = """\
# From an alert to steps of a runbook. A new or changed rule begins in dry run: `watchkeeper recovery arm` lets it act.
# Take away the # to say it.

#name: shop-bad-release
#description: Brings back the last release when the shop burns.
#match:
#  service: shop
#  severities: [critical]
#runbook: shop
#steps: [rollback]
#touches: {shop release: back}
#guards:
#  most_runs: 2
#  window: 1h
#  cooldown: 15m
#  verify_within: 10m
#rehearse:
#  every: 30d
#  environment: staging
"""


@dataclass(frozen=True)
class RuleKind:
    """Rules in plan, apply, export and drift."""

    name: str = "recovery"
    pattern: str = "recovery/*.yaml"
    model: type[BaseModel] = RecoveryRule
    examples: Mapping[str, str] = field(default_factory=lambda: {"recovery/rules.yaml": _EXAMPLE})

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:
        """Created, changed, unchanged, and those that no file names any more."""
        existing = {one.rule.name: one for one in store.all_rules(session)}
        rules = [with_effects(session, one.value.rule()) for one in desired]
        for one, rule in zip(desired, rules, strict=True):
            _complain(session, one, rule, rules, complaints)
        changes = [_change(one, rule, rules, existing) for one, rule in zip(desired, rules, strict=True)]
        named = {rule.name for rule in rules}
        gone = {name: held for name, held in existing.items() if name not in named}
        changes += [Change("delete", self.name, name, _away(held.content), note=_GONE) for name, held in gone.items()]
        return sorted(changes, key=lambda change: change.name)

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        """One change, if the rule still is what the plan saw."""
        kept = store.rule(session, change.name, lock=True)
        said = kept.content if kept is not None else {}
        same = all(said.get(name) == before for name, (before, _) in change.fields.items())
        if (kept is None) is not (change.action == "create") or not same:
            raise PlanOutdated(f"The rule {change.name} is another by now; plan again.")
        verbs = Rules(session, ManualClock(at))
        if desired is None:
            verbs.remove(change.name, by=by, source="ops")
        else:
            verbs.put(desired, by=by, source="ops")

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        """Each in a file of its own."""
        return [(f"recovery/{one.rule.name}.yaml", dict(one.content)) for one in store.all_rules(session)]

    def drift(self, session: Session) -> list[Drifted]:  # noqa: ARG002 (what a rule says is changed by files alone)
        """None: only files change what a rule says."""
        return []


OPS_KINDS: tuple[OpsKind, ...] = (RuleKind(),)


def _complain(session: Session, one: Located[Any], rule: Rule, rules: Sequence[Rule], complaints: Complaints) -> None:
    place = one.document.place
    if re.fullmatch(NAME, rule.name) is None:
        complaints.add(place(("name",)), "small letters, digits and dashes, such as shop-bad-release")
    if rule.match.says_nothing:
        complaints.add(place(("match",)), "at least a service, an slo or a label: a rule is not for every alert")
    if len(set(rule.steps)) != len(rule.steps):
        complaints.add(place(("steps",)), "each step once")
    found = runbooks.runbook(session, rule.runbook)
    for number, key in enumerate(rule.steps):
        if found is not None and found.content.step(key) is None:
            complaints.add(place(("steps", number)), f"a step of the runbook {rule.runbook}, found {key[:60]!r}")
    for other in rules:
        thing = opposite(rule, other)
        if thing is not None:
            where = "touches" if thing in rule.touches else "steps"
            why = f"they do opposite things to {thing}"
            complaints.add(place((where,)), f"what does not fight the rule {other.name}: {why}")
    home = rule.match.environment or _PRODUCTION
    if rule.rehearse_every is not None and rule.rehearse_in == home:
        complaints.add(place(("rehearse", "environment")), f"another environment than {home}: rehearsals act for real")


def _change(one: Located[Any], rule: Rule, rules: Sequence[Rule], existing: Mapping[str, store.Held]) -> Change:
    held = existing.get(rule.name)
    said = one.value.model_dump(mode="json", exclude_defaults=True)
    also = [other.name for other in rules if opposed(rule, other)]
    warning = f"for the same alerts as {', '.join(also)}: they never act at the same time" if also else ""
    where = str(one.document.at)
    if held is None:
        added = {name: (None, value) for name, value in said.items() if name != "name"}
        return Change("create", "recovery", rule.name, added, where, warning or "begins in dry run")
    changed = differences(held.content, said)
    if not changed:
        return Change("unchanged", "recovery", rule.name, {}, where, warning)
    return Change("update", "recovery", rule.name, changed, where, warning or "begins in dry run again")


def _away(content: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (value, None) for name, value in content.items() if name != "name"}
