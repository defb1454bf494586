"""Every kind of object that files can describe, in the order in which they are applied."""

from __future__ import annotations

from watchkeeper.kernel.ops import OpsKind
from watchkeeper.modules.alerts import wiring as alerts
from watchkeeper.modules.alerts.public import Alerting, GroupWatchers
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.catalog import wiring as catalog
from watchkeeper.modules.config import public as config
from watchkeeper.modules.config import wiring as config_wiring
from watchkeeper.modules.identity import wiring as identity
from watchkeeper.modules.incidents import wiring as incidents
from watchkeeper.modules.oncall import wiring as oncall
from watchkeeper.modules.oncall.paging.engine import Watcher
from watchkeeper.modules.recovery import wiring as recovery
from watchkeeper.modules.runbooks import wiring as runbooks
from watchkeeper.modules.slo import wiring as slo
from watchkeeper.modules.status import wiring as status
from watchkeeper.modules.subjects import wiring as subjects
from watchkeeper.modules.subjects.public import SegmentUses

SEGMENT_USES = SegmentUses((config.segment_uses,))
# A heartbeat that leaves the files ends its alert, and who was paged hears of it; no setting of alerts plays a part.
ALERTING = Alerting(AlertSettings.model_validate({}), GroupWatchers((Watcher(),)))

KINDS: tuple[OpsKind, ...] = (
    *identity.OPS_KINDS,
    *catalog.OPS_KINDS,
    *subjects.ops_kinds(SEGMENT_USES),
    *config_wiring.OPS_KINDS,
    *slo.OPS_KINDS,
    *oncall.OPS_KINDS,
    *alerts.ops_kinds(ALERTING),
    *incidents.OPS_KINDS,
    *runbooks.OPS_KINDS,
    *recovery.OPS_KINDS,
    *status.OPS_KINDS,
)
