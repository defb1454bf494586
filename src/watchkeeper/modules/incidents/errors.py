"""Refusals of incidents."""

from __future__ import annotations

from watchkeeper.kernel.errors import Conflict, Invalid, NotFound, PreconditionFailed, TooLarge


class IncidentNotFound(NotFound):
    code = "incidents.not_found"
    title = "There is no such incident"


class IncidentInvalid(Invalid):
    code = "incidents.invalid"
    title = "That is not possible"


class IncidentClosed(Conflict):
    code = "incidents.closed"
    title = "It is resolved, or was merged"


class IncidentChanged(PreconditionFailed):
    code = "incidents.changed"
    title = "Somebody else changed it meanwhile"


class AlertsStillOpen(Conflict):
    code = "incidents.alerts_open"
    title = "Critical alerts are still open"


class RoleTaken(Conflict):
    code = "incidents.role_taken"
    title = "Somebody has this role"


class MergeRefused(Conflict):
    code = "incidents.merge_refused"
    title = "These can't be merged"


class EntryNotFound(NotFound):
    code = "incidents.entry_not_found"
    title = "There is no such entry"


class AttachmentRefused(Invalid):
    code = "incidents.attachment_refused"
    title = "The file is not taken"


class AttachmentTooLarge(TooLarge):
    code = "incidents.attachment_too_large"
    title = "The file is too large"
