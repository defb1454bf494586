"""Refusals of alerts."""

from __future__ import annotations

from watchkeeper.kernel.errors import Conflict, Invalid, NotFound


class GroupNotFound(NotFound):
    code = "alerts.not_found"
    title = "There is no such alert"


class GroupResolved(Conflict):
    code = "alerts.resolved"
    title = "It is resolved already"


class AlertInvalid(Invalid):
    code = "alerts.invalid"
    title = "That is not possible"


class UnknownKey(NotFound):
    code = "alerts.unknown_key"
    title = "Nobody has this key"

    def __init__(self) -> None:
        super().__init__("No integration of this kind has this key. Keys are made and rotated at /alerts/integrations.")


class EventInvalid(Invalid):
    code = "alerts.event_invalid"
    status = 400
    title = "The event can't be read"


class SilenceNotFound(NotFound):
    code = "alerts.silence_not_found"
    title = "There is no such silence"


class SilenceInvalid(Invalid):
    code = "alerts.silence_invalid"
    title = "The silence is not valid"


class AlreadyEnded(Conflict):
    code = "alerts.already_ended"
    title = "It is over already"


class MaintenanceNotFound(NotFound):
    code = "alerts.maintenance_not_found"
    title = "There is no such maintenance window"


class MaintenanceInvalid(Invalid):
    code = "alerts.maintenance_invalid"
    title = "The maintenance window is not valid"


class IntegrationNotFound(NotFound):
    code = "alerts.integration_not_found"
    title = "There is no such integration"


class IntegrationExists(Conflict):
    code = "alerts.integration_exists"
    title = "There is an integration of that name"


class IntegrationInvalid(Invalid):
    code = "alerts.integration_invalid"
    title = "The integration is not valid"


class KeyNotFound(NotFound):
    code = "alerts.key_not_found"
    title = "There is no such key"


class HeartbeatNotFound(NotFound):
    code = "alerts.heartbeat_not_found"
    title = "There is no such heartbeat"


class HeartbeatExists(Conflict):
    code = "alerts.heartbeat_exists"
    title = "There is a heartbeat of that name"


class HeartbeatInvalid(Invalid):
    code = "alerts.heartbeat_invalid"
    title = "The heartbeat is not valid"
