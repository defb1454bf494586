"""What schedules and policies ask for."""

from __future__ import annotations

from watchkeeper.kernel.web.access import Permission, Scope

VIEW_ONCALL = Permission("oncall.view", Scope.READ)
REPLAY_POLICIES = Permission("oncall.replay", Scope.READ)
USE_CALENDAR_LINKS = Permission("oncall.use_calendar_links", Scope.READ)
TAKE_SHIFTS = Permission("oncall.take_shifts", Scope.RESPOND)
CHANGE_ONCALL = Permission("oncall.change", Scope.WRITE)
