"""The journal: what happened, written in the transaction that made it true. Audit log, outbox and timeline at once."""

from watchkeeper.kernel.journal.model import Event, Fact, Subject, describe_fact, event_kinds, undo_href
from watchkeeper.kernel.journal.store import FactFilter, append, head, read_facts, take_turn

__all__ = [
    "Event",
    "Fact",
    "FactFilter",
    "Subject",
    "append",
    "describe_fact",
    "event_kinds",
    "head",
    "read_facts",
    "take_turn",
    "undo_href",
]
