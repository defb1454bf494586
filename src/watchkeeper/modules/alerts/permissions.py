"""What alerts ask for."""

from __future__ import annotations

from watchkeeper.kernel.web.access import Permission, Scope

VIEW_ALERTS = Permission("alerts.view", Scope.READ)
ACT_ON_ALERTS = Permission("alerts.act", Scope.RESPOND)
SILENCE_ALERTS = Permission("alerts.silence", Scope.RESPOND)
PLAN_MAINTENANCE = Permission("alerts.plan_maintenance", Scope.RESPOND)
MANAGE_INTEGRATIONS = Permission("alerts.manage_integrations", Scope.WRITE)
MANAGE_HEARTBEATS = Permission("alerts.manage_heartbeats", Scope.WRITE)
