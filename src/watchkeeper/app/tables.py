"""Brings every table of every module onto the one MetaData."""

from importlib import import_module

from watchkeeper.kernel.db.metadata import metadata

_OWNERS = (
    "watchkeeper.kernel.db.shared_tables",
    "watchkeeper.kernel.journal.tables",
    "watchkeeper.kernel.work.tables",
    "watchkeeper.modules.identity.tables",
    "watchkeeper.modules.catalog.tables",
    "watchkeeper.modules.telemetry.tables",
    "watchkeeper.modules.subjects.tables",
    "watchkeeper.modules.runbooks.tables",
    "watchkeeper.modules.config.tables",
    "watchkeeper.modules.slo.tables",
    "watchkeeper.modules.slo.reports.tables",
    "watchkeeper.modules.oncall.tables",
    "watchkeeper.modules.oncall.paging.tables",
    "watchkeeper.modules.notify.tables",
    "watchkeeper.modules.alerts.tables",
    "watchkeeper.modules.incidents.tables",
    "watchkeeper.modules.status.tables",
    "watchkeeper.modules.postmortems.tables",
    "watchkeeper.modules.recovery.tables",
    "watchkeeper.app.audit.tables",
)

for owner in _OWNERS:
    import_module(owner)

__all__ = ["metadata"]
