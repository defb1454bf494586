"""Refusals of recovery."""

from __future__ import annotations

from watchkeeper.kernel.errors import Conflict, Invalid, NotFound


class RuleNotFound(NotFound):
    code = "recovery.rule_not_found"
    title = "There is no such rule"


class AttemptNotFound(NotFound):
    code = "recovery.attempt_not_found"
    title = "There is no such attempt"


class RuleInvalid(Invalid):
    code = "recovery.rule_invalid"
    title = "That is no sound rule"


class NotWaiting(Conflict):
    code = "recovery.not_waiting"
    title = "It does not wait for an approval"


class MayNotAct(Conflict):
    code = "recovery.may_not_act"
    title = "The rule may not act now"
