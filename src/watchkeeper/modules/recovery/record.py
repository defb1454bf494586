"""What the journal knows of a rule: who let it act, and how its last rehearsal went."""

from __future__ import annotations

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.journal import Fact, FactFilter
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.recovery.events import Rehearsed, RuleArmed
from watchkeeper.modules.recovery.model import Mode
from watchkeeper.modules.recovery.store import Held


def armed_by(session: Session, held: Held) -> str | None:
    """The name of whoever let it act; None while it may not."""
    if not held.armed or held.rule.mode is Mode.DRY_RUN:
        return None
    fact = _last(session, RuleArmed.kind, held.rule.name)
    return identity.names(session, {fact.actor}).get(fact.actor, fact.actor) if fact is not None else None


def rehearsal_detail(session: Session, held: Held) -> str:
    """Why its last rehearsal ended as it did, as far as there is more to say than its state."""
    fact = _last(session, Rehearsed.kind, held.rule.name) if held.rehearsed_at is not None else None
    return str(fact.data.get("detail", "")) if fact is not None else ""


def _last(session: Session, kind: str, rule: str) -> Fact | None:
    found = journal.read_facts(session, FactFilter(kinds=(kind,), subjects=(rule,)), limit=1)
    return found[0] if found else None
