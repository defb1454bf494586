"""What the catalog asks for."""

from __future__ import annotations

from watchkeeper.kernel.web.access import Permission, Scope

VIEW_CATALOG = Permission("catalog.view", Scope.READ)
EDIT_CATALOG = Permission("catalog.edit", Scope.WRITE)
