"""What objectives ask for."""

from __future__ import annotations

from watchkeeper.kernel.web.access import Permission, Scope

VIEW_SLOS = Permission("slo.view", Scope.READ)
CHANGE_SLOS = Permission("slo.change", Scope.WRITE)
RECORD_EXCLUSIONS = Permission("slo.record_exclusions", Scope.RESPOND)
DECIDE_ADJUSTMENTS = Permission("slo.decide_adjustments", Scope.WRITE)
SCHEDULE_REPORTS = Permission("slo.schedule_reports", Scope.WRITE)
CHANGE_DATA_SOURCES = Permission("slo.change_data_sources", Scope.ADMIN)
