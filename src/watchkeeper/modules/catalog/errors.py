"""How the catalog says no."""

from __future__ import annotations

from watchkeeper.kernel.errors import Conflict, Invalid, NotFound


class ServiceNotFound(NotFound):
    code = "catalog.service_not_found"
    title = "No such service"


class ServiceExists(Conflict):
    code = "catalog.service_exists"
    title = "The service is in the catalog already"


class ServiceIsManaged(Conflict):
    code = "catalog.service_is_managed"
    title = "The service is described in ops/"


class ServiceIsAlive(Conflict):
    code = "catalog.service_is_alive"
    title = "The service sends telemetry"


class DescriptionInvalid(Invalid):
    code = "catalog.description_invalid"
