"""Settings of sign-in, sessions and links."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from watchkeeper.kernel.settings import SettingsGroup
from watchkeeper.modules.identity.model import Limit, SessionPolicy


class IdentitySettings(SettingsGroup):
    """How long sessions and links live, and how many wrong passwords are answered."""

    section: ClassVar[str] = "identity"

    session_idle_hours: int = Field(12, ge=1, le=720, description="A session ends after this many hours without use.")
    session_absolute_days: int = Field(
        14, ge=1, le=90, description="A session ends this many days after sign-in, however much it is used."
    )
    setup_link_hours: int = Field(24, ge=1, le=168, description="The one-time set-up link works for this many hours.")
    login_link_minutes: int = Field(15, ge=1, le=60, description="A one-time sign-in link works for this many minutes.")
    failures_per_account: int = Field(
        10, ge=3, le=100, description="Wrong passwords answered per account in a window before sign-in pauses."
    )
    failures_per_address: int = Field(
        30, ge=3, le=1000, description="Wrong passwords answered per network address in a window before sign-in pauses."
    )
    failure_window_minutes: int = Field(
        15, ge=1, le=1440, description="The window in which wrong passwords are counted, and the longest pause."
    )

    @property
    def sessions(self) -> SessionPolicy:
        return SessionPolicy(
            idle=timedelta(hours=self.session_idle_hours), absolute=timedelta(days=self.session_absolute_days)
        )

    @property
    def setup_link(self) -> timedelta:
        return timedelta(hours=self.setup_link_hours)

    @property
    def login_link(self) -> timedelta:
        return timedelta(minutes=self.login_link_minutes)

    @property
    def account_limit(self) -> Limit:
        return Limit(self.failures_per_account, timedelta(minutes=self.failure_window_minutes), grows=True)

    @property
    def address_limit(self) -> Limit:
        return Limit(self.failures_per_address, timedelta(minutes=self.failure_window_minutes), grows=False)
