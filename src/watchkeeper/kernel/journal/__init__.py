"""The journal: what happened, written in the transaction that made it true. Audit log, outbox and timeline at once."""

from watchkeeper.kernel.journal.model import (
    Effect,
    Event,
    Fact,
    Subject,
    describe_fact,
    effect_of,
    event_kinds,
    reach_of,
    undo_href,
)
from watchkeeper.kernel.journal.saying import Difference, differences
from watchkeeper.kernel.journal.store import FactFilter, append, head, read_facts, take_turn

__all__ = [
    "Difference",
    "Effect",
    "Event",
    "Fact",
    "FactFilter",
    "Subject",
    "append",
    "describe_fact",
    "differences",
    "effect_of",
    "event_kinds",
    "head",
    "reach_of",
    "read_facts",
    "take_turn",
    "undo_href",
]
