"""What recovery asks for."""

from __future__ import annotations

from watchkeeper.kernel.web.access import Permission, Scope

VIEW_RECOVERY = Permission("recovery.view", Scope.READ)
APPROVE_RECOVERY = Permission("recovery.approve", Scope.RESPOND)
REHEARSE_RECOVERY = Permission("recovery.rehearse", Scope.RESPOND)
DISARM_RECOVERY = Permission("recovery.disarm", Scope.RESPOND)
ARM_RECOVERY = Permission("recovery.arm", Scope.WRITE)
