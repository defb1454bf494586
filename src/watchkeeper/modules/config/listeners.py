"""What runtime configuration does when something happened below."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.journal import Fact
from watchkeeper.kernel.journal.listeners import Listener
from watchkeeper.modules.config import store
from watchkeeper.modules.config.changes import MOST_OPERATIONS, Changes
from watchkeeper.modules.config.errors import NothingChanges
from watchkeeper.modules.config.model import Operation
from watchkeeper.modules.subjects.events import SubjectErased


def listeners(clock: Clock) -> tuple[Listener, ...]:
    """An erased user's overrides go with them."""

    def forget(session: Session, fact: Fact) -> None:
        slot = f"user:{fact.data['subject_id']}"
        found: dict[str, list[Operation]] = defaultdict(list)
        for environment, one in store.settings_of_slot(session, slot):
            found[environment].append(Operation(one.key, slot, None))
        for environment, operations in sorted(found.items()):
            for start in range(0, len(operations), MOST_OPERATIONS):
                try:
                    Changes(session, clock).propose(
                        environment,
                        operations[start : start + MOST_OPERATIONS],
                        reason="the user was erased",
                        by="system:config",
                        source="worker",
                        approved=True,
                    )
                except NothingChanges:
                    # Heard a second time, or somebody was faster.
                    continue

    return (Listener("config.forget_erased_users", (SubjectErased.kind,), forget),)
