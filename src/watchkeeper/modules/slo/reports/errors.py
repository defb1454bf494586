"""Refusals of reports."""

from __future__ import annotations

from watchkeeper.kernel.errors import Invalid, NotFound


class ReportInvalid(Invalid):
    code = "slo.report_invalid"
    title = "There is no such report"


class ScheduleInvalid(Invalid):
    code = "slo.schedule_invalid"
    title = "The schedule is not valid"


class ScheduleNotFound(NotFound):
    code = "slo.schedule_not_found"
    title = "There is no such schedule"
