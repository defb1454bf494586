"""Refusals of status pages."""

from __future__ import annotations

from watchkeeper.kernel.errors import Conflict, Invalid, NotFound, TooManyRequests


class StatusInvalid(Invalid):
    code = "status.invalid"
    title = "That is not possible"


class ComponentNotFound(NotFound):
    code = "status.component_not_found"
    title = "There is no such component"


class ComponentIsManaged(Conflict):
    code = "status.component_is_managed"
    title = "Files describe it"


class UpdateNotFound(NotFound):
    code = "status.update_not_found"
    title = "There is no such update"


class UpdateDiscarded(Conflict):
    code = "status.update_discarded"
    title = "It was discarded"


class UpdateWithdrawn(Conflict):
    code = "status.update_withdrawn"
    title = "It was withdrawn"


class NothingToWithdraw(Conflict):
    code = "status.nothing_to_withdraw"
    title = "Nothing of it is public"


class UpdatePublished(Conflict):
    code = "status.update_published"
    title = "It is public already"


class UpdateChanged(Conflict):
    """Somebody changed the text between its review and its publication."""

    code = "status.update_changed"
    title = "It is not what was reviewed"


class IncidentNotFound(NotFound):
    code = "status.incident_not_found"
    title = "There is no such incident on the status page"


class MaintenanceNotFound(NotFound):
    code = "status.maintenance_not_found"
    title = "There is no such maintenance"


class MaintenanceOver(Conflict):
    code = "status.maintenance_over"
    title = "It is over already"


class LinkUnusable(NotFound):
    code = "status.link_unusable"
    title = "This link can't be used"


class AskedTooOften(TooManyRequests):
    code = "status.asked_too_often"
    title = "Too many subscriptions were asked for"


class ExportRefused(Conflict):
    code = "status.export_refused"
    title = "The export is not written there"
