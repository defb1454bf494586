"""Settings of the audit record."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from watchkeeper.kernel.settings import SettingsGroup


class AuditSettings(SettingsGroup):
    """Where checkpoints of the journal go, and how long addresses are kept beside it."""

    section: ClassVar[str] = "audit"
    live: ClassVar[frozenset[str]] = frozenset(
        {"checkpoint_seconds", "checkpoint_rows", "email_minutes", "address_days"}
    )

    checkpoint_directory: Path | None = Field(
        None,
        description="Folder for signed checkpoints. Unset: `checkpoints` in the data directory, which protects only "
        "against somebody who can change the database and not this folder.",
    )
    checkpoint_seconds: int = Field(60, ge=1, le=3600, description="Longest time from a fact to its checkpoint.")
    checkpoint_rows: int = Field(100, ge=1, le=1000, description="A checkpoint is made after this many facts.")
    webhook_url: str | None = Field(None, description="URL that each checkpoint is sent to (POST, JSON).")
    webhook_secret_file: Path | None = Field(
        None, description="File with a secret; `X-Watchkeeper-Signature` is then the body's HMAC-SHA-256."
    )
    peer_url: str | None = Field(None, description="Address of a second Watchkeeper that keeps this one's checkpoints.")
    peer_token_file: Path | None = Field(
        None, description="File with an API token of that Watchkeeper with the scope intake."
    )
    email_to: str | None = Field(None, description="Address that checkpoints are e-mailed to; needs mail.host.")
    email_minutes: int = Field(60, ge=1, le=1440, description="At most one e-mail with a checkpoint in this time.")
    address_days: int = Field(
        90, ge=1, le=3650, description="Days after which network addresses beside facts are forgotten; the chain holds."
    )

    def folder(self, data: Path) -> Path:
        """Where checkpoints are kept for this data directory."""
        return self.checkpoint_directory or data / "checkpoints"

    @property
    def address_age(self) -> timedelta:
        return timedelta(days=self.address_days)

    def sinks(self) -> tuple[str, ...]:
        """The ways by which checkpoints leave this machine."""
        named = {"email": self.email_to, "webhook": self.webhook_url, "peer": self.peer_url}
        return tuple(name for name, set_up in named.items() if set_up)
