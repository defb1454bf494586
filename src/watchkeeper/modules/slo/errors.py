"""Refusals of objectives."""

from __future__ import annotations

from watchkeeper.kernel.errors import Conflict, Forbidden, Invalid, NotFound


class SloInvalid(Invalid):
    code = "slo.invalid"
    title = "The SLO is not valid"


class SloExists(Conflict):
    code = "slo.exists"
    title = "There is an SLO of that name"


class SloNotFound(NotFound):
    code = "slo.not_found"
    title = "There is no such SLO"


class SloInUse(Conflict):
    code = "slo.in_use"
    title = "Something else is made of it"


class SloChanged(Conflict):
    code = "slo.changed"
    title = "Somebody changed it meanwhile"


class RecordNotFound(NotFound):
    code = "slo.record_not_found"
    title = "There is no such record"


class RecordInvalid(Invalid):
    code = "slo.record_invalid"
    title = "The record is not valid"


class AlreadyDecided(Conflict):
    code = "slo.already_decided"
    title = "It was decided already"


class OwnAdjustment(Forbidden):
    code = "slo.own_adjustment"
    title = "A second person decides"
