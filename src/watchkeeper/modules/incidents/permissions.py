"""What incidents ask for."""

from __future__ import annotations

from watchkeeper.kernel.web.access import Permission, Scope

VIEW_INCIDENTS = Permission("incidents.view", Scope.READ)
ACT_ON_INCIDENTS = Permission("incidents.act", Scope.RESPOND)
DRILL = Permission("incidents.drill", Scope.RESPOND)
