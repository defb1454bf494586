"""The verbs of rules: what files say, and who lets a rule act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.recovery import store
from watchkeeper.modules.recovery.described import RecoveryRule
from watchkeeper.modules.recovery.errors import RuleInvalid, RuleNotFound
from watchkeeper.modules.recovery.events import RuleArmed, RuleDisarmed, RulePut, RuleRemoved
from watchkeeper.modules.recovery.model import Mode, Rule, opposite
from watchkeeper.modules.recovery.store import Held
from watchkeeper.modules.runbooks import public as runbooks
from watchkeeper.modules.runbooks.public import Confirmation, How

SYSTEM = "system:recovery"
SOURCE = "recovery"
REHEARSE = "recovery.rehearse"


@dataclass(frozen=True)
class Rules:
    """Rules, on one session."""

    session: Session
    clock: Clock

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def rule(self, name: str, *, lock: bool = False) -> Held:
        """Raises RuleNotFound."""
        found = store.rule(self.session, name, lock=lock)
        if found is None:
            raise RuleNotFound(f"There is no recovery rule {name[:100]!r}.")
        return found

    def put(self, said: RecoveryRule, *, by: str, source: str) -> None:
        """What files say of a rule; from now on it only says what it would do, until somebody arms it again."""
        before = store.rule(self.session, said.name, lock=True)
        content = said.model_dump(mode="json", exclude_defaults=True)
        store.put(self.session, said.name, content, by=by, at=self.now)
        told = dict(before.content) if before is not None else None
        self._tell(RulePut(rule=said.name, before=told, after=content), by, source)
        self.order_rehearsal(said.rule(), self.now)

    def remove(self, name: str, *, by: str, source: str) -> None:
        """It left the files. Raises RuleNotFound."""
        held = self.rule(name, lock=True)
        store.remove(self.session, name)
        self._tell(RuleRemoved(rule=name, before=dict(held.content)), by, source)

    def arm(self, name: str, mode: Mode, *, reason: str, by: str, source: str) -> Held:
        """Let it act from now on: by itself, or after it asked. Raises RuleNotFound, or RuleInvalid for one whose steps
        could not run without somebody beside them."""
        held = self.rule(name, lock=True)
        if mode is not Mode.DRY_RUN:
            self._require_ready(held.rule)
        store.save(self.session, name, armed=True, mode=mode.value)
        self._tell(RuleArmed(rule=name, mode=mode.value, reason=reason.strip()), by, source)
        return self.rule(name)

    def disarm(self, name: str, *, reason: str, by: str, source: str) -> Held:
        """Let it do nothing; what goes on goes on. Raises RuleNotFound."""
        self.rule(name, lock=True)
        store.save(self.session, name, armed=False)
        self._tell(RuleDisarmed(rule=name, reason=reason.strip()), by, source)
        return self.rule(name)

    def order_rehearsal(self, rule: Rule, at: datetime) -> None:
        """A row of due work for the next one, where its file wants any."""
        if rule.rehearse_every is not None:
            due = at + rule.rehearse_every
            key = f"{REHEARSE}:{rule.name}:{rfc3339(due)}"
            work.enqueue(self.session, kind=REHEARSE, key=key, due_at=due, payload={"rule": rule.name})

    def _require_ready(self, rule: Rule) -> None:
        complaints = self.problems(rule)
        if complaints:
            raise RuleInvalid(f"The rule {rule.name} can't act by itself.", complaints=complaints)

    def problems(self, rule: Rule) -> Sequence[Complaint]:
        """Why its steps could not run without somebody beside them."""
        found = runbooks.runbook(self.session, rule.runbook)
        if found is None:
            return [Complaint("runbook", f"a runbook that is there; {rule.runbook} is not")]
        if found.approved is None:
            return [Complaint("runbook", "one whose revision was signed off")]
        complaints = [*self._armed_against(rule)]
        for number, key in enumerate(rule.steps):
            step = found.content.step(key)
            if step is None:
                complaints.append(Complaint(f"steps.{number}", f"a step of {rule.runbook}; {key} is none"))
            elif step.how is How.MANUAL or step.confirm is Confirmation.SECOND:
                complaints.append(Complaint(f"steps.{number}", f"steps that need no person beside them; {key} does"))
        return complaints

    def _armed_against(self, rule: Rule) -> Sequence[Complaint]:
        mine, against = with_effects(self.session, rule), []
        for held in store.all_rules(self.session):
            acts = held.armed and held.rule.mode is not Mode.DRY_RUN
            thing = opposite(mine, with_effects(self.session, held.rule)) if acts else None
            if thing is not None:
                expected = f"what does not fight the armed rule {held.rule.name}: they do opposite things to {thing}"
                against.append(Complaint("steps", expected))
        return against

    def _tell(self, fact: Event, by: str, source: str) -> None:
        journal.append(self.session, fact, by=by, source=source, at=self.now)


def with_effects(session: Session, rule: Rule) -> Rule:
    """The rule, and what its steps do by what its runbook says today."""
    found = runbooks.runbook(session, rule.runbook)
    if found is None:
        return rule
    effects = runbooks.effects(found.content, rule.steps, rule.inputs)
    return replace(rule, sets=effects.sets, does=effects.does)
