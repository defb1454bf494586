"""Refusals of schedules and policies."""

from __future__ import annotations

from watchkeeper.kernel.errors import Conflict, Forbidden, Invalid, NotFound


class ScheduleInvalid(Invalid):
    code = "oncall.schedule_invalid"
    title = "The schedule is not valid"


class ScheduleNotFound(NotFound):
    code = "oncall.schedule_not_found"
    title = "There is no such schedule"


class PolicyInvalid(Invalid):
    code = "oncall.policy_invalid"
    title = "The policy is not valid"


class PolicyNotFound(NotFound):
    code = "oncall.policy_not_found"
    title = "There is no such policy"


class NameTaken(Conflict):
    code = "oncall.name_taken"
    title = "The name is taken"


class ScheduleInUse(Conflict):
    code = "oncall.schedule_in_use"
    title = "A policy calls it"


class ChangedMeanwhile(Conflict):
    code = "oncall.changed_meanwhile"
    title = "Somebody changed it meanwhile"


class OverrideInvalid(Invalid):
    code = "oncall.override_invalid"
    title = "The override is not valid"


class OverrideNotFound(NotFound):
    code = "oncall.override_not_found"
    title = "There is no such override"


class NotYourShift(Forbidden):
    code = "oncall.not_your_shift"
    title = "This is somebody else's to say"


class SwapInvalid(Invalid):
    code = "oncall.swap_invalid"
    title = "The swap is not valid"


class SwapNotFound(NotFound):
    code = "oncall.swap_not_found"
    title = "There is no such swap"


class SwapDecided(Conflict):
    code = "oncall.swap_decided"
    title = "The swap was decided already"


class CalendarLinkNotFound(NotFound):
    code = "oncall.calendar_link_not_found"
    title = "There is no such calendar link"


class ImportInvalid(Invalid):
    code = "oncall.import_invalid"
    title = "The export can't be read"


class CalendarInvalid(Invalid):
    code = "oncall.calendar_invalid"
    title = "The calendar can't be read"
