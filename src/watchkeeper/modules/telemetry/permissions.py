"""What telemetry asks for."""

from __future__ import annotations

from watchkeeper.kernel.web.access import Permission, Scope

VIEW_TELEMETRY = Permission("telemetry.view", Scope.READ)
