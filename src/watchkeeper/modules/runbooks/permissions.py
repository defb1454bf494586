"""What runbooks ask for."""

from __future__ import annotations

from watchkeeper.kernel.web.access import Permission, Scope

VIEW_RUNBOOKS = Permission("runbooks.view", Scope.READ)
RUN_RUNBOOKS = Permission("runbooks.run", Scope.RESPOND)
APPROVE_RUNBOOKS = Permission("runbooks.approve", Scope.WRITE)
BE_A_RUNNER = Permission("runbooks.be_a_runner", Scope.RUNNER)
