"""All settings of one Watchkeeper, read once at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watchkeeper.app.audit.settings import AuditSettings
from watchkeeper.app.backup.settings import BackupSettings
from watchkeeper.kernel.mail import MailSettings
from watchkeeper.kernel.outbound import OutboundSettings
from watchkeeper.kernel.settings import ServerSettings, SettingsGroup, SettingsSource
from watchkeeper.kernel.web.settings import WebSettings
from watchkeeper.modules.config.settings import ConfigSettings
from watchkeeper.modules.identity.settings import IdentitySettings
from watchkeeper.modules.telemetry.settings import TelemetrySettings

GROUPS: tuple[type[SettingsGroup], ...] = (
    ServerSettings,
    WebSettings,
    IdentitySettings,
    TelemetrySettings,
    ConfigSettings,
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
    audit: AuditSettings
    backup: BackupSettings
    mail: MailSettings
    outbound: OutboundSettings

    def groups(self) -> tuple[SettingsGroup, ...]:
        return (
            self.server,
            self.web,
            self.identity,
            self.telemetry,
            self.config,
            self.audit,
            self.backup,
            self.mail,
            self.outbound,
        )


def load_configuration(environ: Mapping[str, str], file: Path | None = None, **options: Any) -> Configuration:
    """Read environment, file and command-line `options` (which win). Raises SettingsInvalid with a line per mistake."""
    source = SettingsSource(environ, file)
    configuration = Configuration(
        server=source.load(ServerSettings, **options),
        web=source.load(WebSettings),
        identity=source.load(IdentitySettings),
        telemetry=source.load(TelemetrySettings),
        config=source.load(ConfigSettings),
        audit=source.load(AuditSettings),
        backup=source.load(BackupSettings),
        mail=source.load(MailSettings),
        outbound=source.load(OutboundSettings),
    )
    source.refuse_unknown()
    return configuration
