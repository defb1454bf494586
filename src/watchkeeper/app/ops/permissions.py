"""Who may look at plans, export and apply."""

from __future__ import annotations

from watchkeeper.kernel.web.access import Permission, Scope

PLAN_OPS = Permission("ops.plan", Scope.READ)
EXPORT_OPS = Permission("ops.export", Scope.READ)
APPLY_OPS = Permission("ops.apply", Scope.ADMIN)
