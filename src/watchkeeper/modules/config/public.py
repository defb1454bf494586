"""What other modules may ask of runtime configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.modules.config import store, store_changes
from watchkeeper.modules.config.authority import require_keys
from watchkeeper.modules.config.changes import Changes
from watchkeeper.modules.config.errors import NothingChanges
from watchkeeper.modules.config.hub import Hub
from watchkeeper.modules.config.model import OPEN_STATES, VALUE, ChangeSet, ChangeState, Operation
from watchkeeper.modules.config.permissions import CHANGE_CONFIG
from watchkeeper.modules.config.values import segments_in

__all__ = [
    "CHANGE_CONFIG",
    "ChangeSet",
    "ChangeState",
    "Hub",
    "NothingChanges",
    "change",
    "keys",
    "owned_by",
    "require_keys",
    "revert",
    "segment_uses",
    "set_value",
]


def change(session: Session, clock: Clock, change_id: str) -> ChangeSet:
    """A change. Raises ChangeNotFound."""
    return Changes(session, clock).change(change_id)


def revert(session: Session, clock: Clock, change_id: str, *, reason: str, by: str, source: str) -> ChangeSet:
    """Undo a change. Raises CannotBeReverted or whatever today's bounds refuse."""
    return Changes(session, clock).revert(change_id, reason=reason, by=by, source=source)


def set_value(
    session: Session,
    clock: Clock,
    environment: str,
    key: str,
    value: Any,
    *,
    reason: str,
    by: str,
    source: str,
    approved: bool = False,
) -> ChangeSet:
    """Give a parameter a value in an environment, at once or once somebody approved it: its `state` says which.

    `approved`: a second person agreed already. Whoever calls asks `require_keys` first. Raises what `propose` raises,
    NothingChanges where it has this value already.
    """
    operation = Operation(key, VALUE, value)
    return Changes(session, clock).propose(
        environment, [operation], reason=reason, by=by, source=source, approved=approved
    )


def keys(session: Session) -> list[str]:
    """Every parameter's key."""
    return [one.key for one in store.all_parameters(session)]


def segment_uses(session: Session, name: str) -> list[str]:
    """What asks for a segment, in words: overrides and rules of flags."""
    found = [
        f"an override of {one.key} in {environment}"
        for environment, one in store.settings_of_slot(session, f"segment:{name}")
    ]
    found += [
        f"a rule of {one.key} in {environment}"
        for environment, one in store.plain_values(session)
        if name in segments_in(one.value)
    ]
    return found + _scheduled_uses(session, name)


def owned_by(session: Session, owner: str) -> Sequence[str]:
    """Keys of the parameters of this owner."""
    return [one.key for one in store.all_parameters(session) if one.definition.owner == owner]


def _scheduled_uses(session: Session, name: str) -> list[str]:
    return [
        f"a change that is {one.state.replace('_', ' ')} in {one.environment}"
        for one in store_changes.find(session, limit=1_000, states=OPEN_STATES)
        if any(step.slot == f"segment:{name}" or name in segments_in(step.after) for step in one.steps)
    ]
