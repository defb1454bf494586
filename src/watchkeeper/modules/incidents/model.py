"""What an incident is, and what is decided about it: no I/O, no clock."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

LONGEST_NAME = 80
_ALERTS: tuple[Literal["critical"], Literal["error"], Literal["warning"], Literal["info"]] = (
    "critical",
    "error",
    "warning",
    "info",
)
_DESCRIPTION = 45


class Severity(StrEnum):
    """How bad it is: SEV-1 is the worst."""

    SEV1 = "SEV-1"
    SEV2 = "SEV-2"
    SEV3 = "SEV-3"
    SEV4 = "SEV-4"

    @property
    def rank(self) -> int:
        """1 is the worst."""
        return int(self.value[-1])

    @property
    def word(self) -> str:
        """Such as `critical`."""
        return ("critical", "high", "medium", "low")[self.rank - 1]

    @property
    def alert(self) -> Literal["critical", "error", "warning", "info"]:
        """The severity of alerts that call people for it."""
        return _ALERTS[self.rank - 1]

    @property
    def worse(self) -> Severity:
        """The next worse one; SEV-1 has none."""
        return Severity(f"SEV-{max(1, self.rank - 1)}")


class Status(StrEnum):
    """How far it is."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


class Role(StrEnum):
    """What somebody does in it; each role is one person's."""

    COMMANDER = "commander"
    INVESTIGATOR = "investigator"
    COMMUNICATOR = "communicator"
    FIXER = "fixer"


class EntryKind(StrEnum):
    """What a line of its record is."""

    NOTE = "note"
    DECISION = "decision"
    LINK = "link"
    ATTACHMENT = "attachment"
    SYSTEM = "system"


class LinkKind(StrEnum):
    """What an incident has to do with. The target is an id, except of a url."""

    ALERT_GROUP = "alert_group"
    CHANGE = "change"
    DEPLOYMENT = "deployment"
    RUNBOOK_RUN = "runbook_run"
    INCIDENT = "incident"
    URL = "url"


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One incident. `version` grows with each change.

    `started_at` is the first symptom, `detected_at` when an alert or a person noticed it. `clocks_from`: since when its
    clocks run, which is anew after it became worse or was opened again. `told`: the marks of clocks that were told.
    `paged`: the severity of the alert by which it calls people itself; None where its alerts do. `settled_at`: since
    when none of its alerts is open.
    """

    id: str
    name: str
    title: str
    severity: Severity
    status: Status = Status.INVESTIGATING
    services: tuple[str, ...] = ()
    environment: str | None = None
    started_at: datetime
    detected_at: datetime
    opened_at: datetime
    opened_by: str
    acknowledged_at: datetime | None = None
    responded_at: datetime | None = None
    identified_at: datetime | None = None
    monitoring_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_reason: str = ""
    summary: str = ""
    impact: str = ""
    users_affected: int | None = None
    roles: Mapping[str, str] = field(default_factory=dict)
    merged_into: str | None = None
    reopened: int = 0
    drill: bool = False
    version: int = 1
    clocks_from: datetime
    updated_at: datetime
    last_update_at: datetime | None = None
    settled_at: datetime | None = None
    paged: str | None = None
    told: tuple[str, ...] = ()
    channel: str | None = None

    @property
    def is_open(self) -> bool:
        return self.status is not Status.RESOLVED and self.merged_into is None

    @property
    def service(self) -> str | None:
        """The service whose timeline its facts stand on, and whose policy calls people."""
        return self.services[0] if self.services else None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of the record: a note, a decision, a link, a file, or something that Watchkeeper noticed."""

    id: str
    incident_id: str
    kind: EntryKind
    text: str
    at: datetime
    by: str
    pinned: bool = False
    url: str | None = None
    # Of a file: its name, type and size.
    file_name: str | None = None
    media_type: str | None = None
    size: int | None = None


@dataclass(frozen=True, kw_only=True)
class Update:
    """What was told about it. Public ones are for the status page."""

    id: str
    incident_id: str
    text: str
    status: Status
    severity: Severity
    public: bool
    at: datetime
    by: str


@dataclass(frozen=True, kw_only=True)
class Link:
    """Something that an incident has to do with."""

    id: str
    incident_id: str
    kind: LinkKind
    target: str
    label: str
    at: datetime
    by: str


@dataclass(frozen=True, kw_only=True)
class Responder:
    """Somebody who worked on it, since when, and what they did first."""

    incident_id: str
    person_id: str
    joined_at: datetime
    how: str


def slug(title: str) -> str:
    """A few words of a title as Slack takes them in a channel's name: `checkout-is-down`."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().casefold()
    words = re.findall(r"[a-z0-9]+", plain)
    found = ""
    for word in words:
        longer = f"{found}-{word}" if found else word[:_DESCRIPTION]
        if len(longer) > _DESCRIPTION:
            break
        found = longer
    return found or "no-description"


def name_of(day: date, title: str, number: int = 1) -> str:
    """`incident-2026-11-30-checkout-is-down`; the second of that name on a day ends in `-2`."""
    end = f"-{number}" if number > 1 else ""
    return f"incident-{day:%Y-%m-%d}-{slug(title)}"[: LONGEST_NAME - len(end)].rstrip("-") + end


def severity_of_alert(severity: str) -> Severity:
    """What an incident of an alert of this severity is called where nobody says it."""
    found = {"critical": Severity.SEV1, "error": Severity.SEV2, "warning": Severity.SEV3}
    return found.get(severity, Severity.SEV4)
