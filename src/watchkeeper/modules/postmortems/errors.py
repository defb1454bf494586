"""Refusals of postmortems."""

from __future__ import annotations

from watchkeeper.kernel.errors import Conflict, Invalid, NotFound


class PostmortemNotFound(NotFound):
    code = "postmortems.not_found"
    title = "There is no such postmortem"


class PostmortemNotNeeded(Conflict):
    code = "postmortems.not_needed"
    title = "This incident gets no postmortem"


class PostmortemInvalid(Invalid):
    code = "postmortems.invalid"
    title = "That is not possible"


class StateRefused(Conflict):
    code = "postmortems.state_refused"
    title = "It is not that far yet"


class MomentNotFound(NotFound):
    code = "postmortems.moment_not_found"
    title = "There is no such line"


class ActionNotFound(NotFound):
    code = "postmortems.action_not_found"
    title = "There is no such action item"


class ActionInvalid(Invalid):
    code = "postmortems.action_invalid"
    title = "The action item is not valid"


class ShareNotFound(NotFound):
    code = "postmortems.share_not_found"
    title = "This link opens nothing"


class ShareStale(Conflict):
    code = "postmortems.share_stale"
    title = "Look at the preview again"


class TrackerInvalid(Invalid):
    code = "postmortems.tracker_invalid"
    title = "The issue tracker is not valid"


class TrackerMissing(Conflict):
    code = "postmortems.tracker_missing"
    title = "There is no issue tracker yet"
