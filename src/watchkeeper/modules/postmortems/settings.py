"""Settings of postmortems."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from watchkeeper.kernel.settings import SettingsGroup


class PostmortemSettings(SettingsGroup):
    """Postmortems: by when they are written, who reads them first, and what may leave the house."""

    section: ClassVar[str] = "postmortems"
    live: ClassVar[frozenset[str]] = frozenset(
        {"sev1_due_hours", "sev2_due_hours", "least_reviewers", "draft_drills", "public_hosts", "read_back_minutes"}
    )

    sev1_due_hours: float = Field(
        24, gt=0, le=2_000, description="Hours after the end of a SEV-1 incident until its postmortem leaves the draft."
    )
    sev2_due_hours: float = Field(
        48, gt=0, le=2_000, description="Hours after the end of a SEV-2 incident until its postmortem leaves the draft."
    )
    least_reviewers: int = Field(
        1, ge=1, le=20, description="How many people must have read a postmortem before it counts as reviewed."
    )
    draft_drills: bool = Field(
        True, description="Whether a rehearsed incident gets a draft too. It is marked as a drill and never overdue."
    )
    public_hosts: str = Field(
        "",
        description="Hosts that links in a shared postmortem may name, separated by commas (`status.example.com`). "
        "Every other link and host name is taken out.",
    )
    read_back_minutes: float = Field(
        15, ge=1, le=1_440, description="Minutes between two looks at whether an action item's issue was closed."
    )

    def due_hours(self, severity: str) -> float | None:
        """Hours after the end of an incident; None where nobody waits for it."""
        return {"SEV-1": self.sev1_due_hours, "SEV-2": self.sev2_due_hours}.get(severity)

    def hosts(self) -> frozenset[str]:
        """The hosts of `public_hosts`."""
        return frozenset(one.strip().lower() for one in self.public_hosts.split(",") if one.strip())
