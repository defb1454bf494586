"""What of every module the console shows: navigation, templates, files."""

from __future__ import annotations

from pathlib import Path

from watchkeeper.app import pages as app_pages
from watchkeeper.app import responding
from watchkeeper.app.audit import wiring as audit_wiring
from watchkeeper.app.backup import wiring as backup_wiring
from watchkeeper.app.ops import wiring as ops_wiring
from watchkeeper.app.timeline import routes as timeline_routes
from watchkeeper.modules.alerts import wiring as alerts_wiring
from watchkeeper.modules.catalog import wiring as catalog_wiring
from watchkeeper.modules.config import wiring as config_wiring
from watchkeeper.modules.identity import wiring as identity_wiring
from watchkeeper.modules.incidents import wiring as incidents_wiring
from watchkeeper.modules.notify import wiring as notify_wiring
from watchkeeper.modules.oncall import wiring as oncall_wiring
from watchkeeper.modules.runbooks import wiring as runbooks_wiring
from watchkeeper.modules.slo import wiring as slo_wiring
from watchkeeper.modules.status import wiring as status_wiring
from watchkeeper.modules.subjects import wiring as subjects_wiring
from watchkeeper.modules.telemetry import wiring as telemetry_wiring

NAV = (
    *identity_wiring.NAV,
    *catalog_wiring.NAV,
    *subjects_wiring.NAV,
    *config_wiring.NAV,
    *slo_wiring.NAV,
    *notify_wiring.NAV,
    *alerts_wiring.NAV,
    *oncall_wiring.NAV,
    *incidents_wiring.NAV,
    *status_wiring.NAV,
    *responding.NAV,
    *runbooks_wiring.NAV,
    *telemetry_wiring.NAV,
    *timeline_routes.NAV,
    *audit_wiring.NAV,
    *backup_wiring.NAV,
    *ops_wiring.NAV,
    *app_pages.NAV,
)
TEMPLATES = {
    **identity_wiring.TEMPLATES,
    **catalog_wiring.TEMPLATES,
    **subjects_wiring.TEMPLATES,
    **config_wiring.TEMPLATES,
    **telemetry_wiring.TEMPLATES,
    **slo_wiring.TEMPLATES,
    **notify_wiring.TEMPLATES,
    **alerts_wiring.TEMPLATES,
    **oncall_wiring.TEMPLATES,
    **responding.TEMPLATES,
    "app": Path(__file__).parent / "templates",
}
STATIC = {
    **identity_wiring.STATIC,
    **config_wiring.STATIC,
    **slo_wiring.STATIC,
    **alerts_wiring.STATIC,
    **oncall_wiring.STATIC,
    **responding.STATIC,
    **telemetry_wiring.STATIC,
}
