"""What the server takes of the record."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.app.audit import api
from watchkeeper.app.audit import pages as audit_pages
from watchkeeper.app.audit.delivery import KIND, CheckpointDelivery
from watchkeeper.app.audit.sealer import Sealer
from watchkeeper.app.audit.settings import AuditSettings
from watchkeeper.kernel.clock import Clock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal.store import forget_private
from watchkeeper.kernel.mail import Mailer, MailSettings
from watchkeeper.kernel.outbound import Outbound, OutboundSettings
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.kernel.work import Handler, Recurring, Task, Transactional

ROUTERS = (api.router, audit_pages.pages)
NAV = audit_pages.NAV


def audit_parts(
    db: Database, clock: Clock, data: Path, audit: AuditSettings, mail: MailSettings, outbound: OutboundSettings
) -> dict[Any, Any]:
    """The sealer, and what leaves the machine."""
    return {
        AuditSettings: audit,
        Sealer: Sealer(db, clock, audit, data),
        Outbound: Outbound.of(outbound),
        Mailer: Mailer(mail),
    }


def handlers(parts: Parts) -> dict[str, Handler]:
    """Due work of the record."""
    return {
        KIND: CheckpointDelivery(
            parts[Database], parts[SystemClock], parts[AuditSettings], parts[Outbound], parts[Mailer]
        )
    }


def recurring(parts: Parts) -> list[Recurring]:
    """Forgetting addresses when their time is over."""
    clock, settings = parts[SystemClock], parts[AuditSettings]

    def forget(session: Session, _task: Task) -> None:
        forget_private(session, before=clock.now() - settings.address_age)

    return [Recurring("audit.forget_addresses", timedelta(hours=6), Transactional(forget))]
