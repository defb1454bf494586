"""How runbooks say no."""

from __future__ import annotations

from watchkeeper.kernel.errors import Conflict, Forbidden, Invalid, NotFound


class RunbookNotFound(NotFound):
    code = "runbooks.not_found"
    title = "There is no such runbook"


class RunNotFound(NotFound):
    code = "runbooks.run_not_found"
    title = "There is no such run"


class StepNotFound(NotFound):
    code = "runbooks.step_not_found"
    title = "There is no such step"


class NotApproved(Conflict):
    code = "runbooks.not_approved"
    title = "This revision is not signed off"


class RevisionDiffers(Conflict):
    code = "runbooks.revision_differs"
    title = "The runbook changed meanwhile"


class InputsInvalid(Invalid):
    code = "runbooks.inputs_invalid"
    title = "The inputs are not valid"


class NothingToRun(Invalid):
    code = "runbooks.nothing_to_run"
    title = "There is nothing to run"


class StepIsElsewhere(Conflict):
    """The step is in a state in which this can't be done."""

    code = "runbooks.step_is_elsewhere"
    title = "The step is in another state"


class RunIsOver(Conflict):
    code = "runbooks.run_is_over"
    title = "The run is over"


class SecondPersonNeeded(Forbidden):
    code = "runbooks.second_person_needed"
    title = "A second person has to confirm this"


class LeaseIsGone(Conflict):
    """A report of a runner that was given up, or that never had the step."""

    code = "runbooks.lease_is_gone"
    title = "The step is not this runner's any more"


class ActionFailed(Conflict):
    code = "runbooks.action_failed"
    title = "The action could not be done"
