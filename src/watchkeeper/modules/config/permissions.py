"""What runtime configuration asks for."""

from __future__ import annotations

from watchkeeper.kernel.web.access import Permission, Scope

VIEW_CONFIG = Permission("config.view", Scope.READ)
READ_SNAPSHOT = Permission("config.read_snapshot", Scope.READ)
CHANGE_CONFIG = Permission("config.change", Scope.WRITE)
APPROVE_CONFIG = Permission("config.approve", Scope.WRITE)
CHANGE_OWN = Permission("config.change_own", Scope.ADMIN)
MANAGE_ENVIRONMENTS = Permission("config.manage_environments", Scope.ADMIN)
DECLARE_PARAMETERS = Permission("config.declare", Scope.INTAKE)
REPORT_USAGE = Permission("config.report", Scope.INTAKE)
