"""All settings of one Watchkeeper, read once at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from watchkeeper.app.audit.settings import AuditSettings
from watchkeeper.app.backup.settings import BackupSettings
from watchkeeper.kernel.mail import MailSettings
from watchkeeper.kernel.outbound import OutboundSettings
from watchkeeper.kernel.settings import ServerSettings, SettingsGroup, SettingsSource, live
from watchkeeper.kernel.web.settings import WebSettings
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.config.settings import ConfigSettings
from watchkeeper.modules.identity.settings import IdentitySettings
from watchkeeper.modules.incidents.settings import IncidentSettings
from watchkeeper.modules.notify.settings import NotifySettings
from watchkeeper.modules.oncall.settings import OncallSettings
from watchkeeper.modules.postmortems.settings import PostmortemSettings
from watchkeeper.modules.runbooks.settings import RunbookSettings
from watchkeeper.modules.slo.settings import SloSettings
from watchkeeper.modules.status.settings import StatusSettings
from watchkeeper.modules.telemetry.settings import TelemetrySettings

GROUPS: tuple[type[SettingsGroup], ...] = (
    ServerSettings,
    WebSettings,
    IdentitySettings,
    TelemetrySettings,
    ConfigSettings,
    SloSettings,
    NotifySettings,
    OncallSettings,
    AlertSettings,
    IncidentSettings,
    RunbookSettings,
    StatusSettings,
    PostmortemSettings,
    AuditSettings,
    BackupSettings,
    MailSettings,
    OutboundSettings,
)


@dataclass(frozen=True)
class Configuration:
    """The settings of every part, checked."""

    server: ServerSettings
    web: WebSettings
    identity: IdentitySettings
    telemetry: TelemetrySettings
    config: ConfigSettings
    slo: SloSettings
    notify: NotifySettings
    oncall: OncallSettings
    alerts: AlertSettings
    incidents: IncidentSettings
    runbooks: RunbookSettings
    status: StatusSettings
    postmortems: PostmortemSettings
    audit: AuditSettings
    backup: BackupSettings
    mail: MailSettings
    outbound: OutboundSettings
    # By variable: where each setting that is set was set.
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    def groups(self) -> tuple[SettingsGroup, ...]:
        return (
            self.server,
            self.web,
            self.identity,
            self.telemetry,
            self.config,
            self.slo,
            self.notify,
            self.oncall,
            self.alerts,
            self.incidents,
            self.runbooks,
            self.status,
            self.postmortems,
            self.audit,
            self.backup,
            self.mail,
            self.outbound,
        )


def with_live_settings(configuration: Configuration) -> Configuration:
    """The same, in which the live settings may change while the server runs."""
    groups = (
        "identity",
        "telemetry",
        "config",
        "slo",
        "notify",
        "oncall",
        "alerts",
        "incidents",
        "status",
        "postmortems",
        "audit",
        "backup",
    )
    return replace(configuration, **{name: live(getattr(configuration, name)) for name in groups})


def load_configuration(environ: Mapping[str, str], file: Path | None = None, **options: Any) -> Configuration:
    """Read environment, file and command-line `options` (which win). Raises SettingsInvalid with a line per mistake."""
    source = SettingsSource(environ, file)
    configuration = Configuration(
        server=source.load(ServerSettings, **options),
        web=source.load(WebSettings),
        identity=source.load(IdentitySettings),
        telemetry=source.load(TelemetrySettings),
        config=source.load(ConfigSettings),
        slo=source.load(SloSettings),
        notify=source.load(NotifySettings),
        oncall=source.load(OncallSettings),
        alerts=source.load(AlertSettings),
        incidents=source.load(IncidentSettings),
        runbooks=source.load(RunbookSettings),
        status=source.load(StatusSettings),
        postmortems=source.load(PostmortemSettings),
        audit=source.load(AuditSettings),
        backup=source.load(BackupSettings),
        mail=source.load(MailSettings),
        outbound=source.load(OutboundSettings),
        origins=source.origins,
    )
    source.refuse_unknown()
    return configuration
