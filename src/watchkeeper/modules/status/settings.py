"""Settings of status pages."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from watchkeeper.kernel.settings import SettingsGroup


class StatusSettings(SettingsGroup):
    """The status page: who sees it, who may subscribe, and when an address is given up."""

    section: ClassVar[str] = "status"
    live: ClassVar[frozenset[str]] = frozenset(
        {"refusals_until_inactive", "subscriptions_per_hour", "confirmation_hours"}
    )

    needs_sign_in: bool = Field(
        False, description="Show the status page, its feeds and its JSON to signed-in people and tokens only."
    )
    refusals_until_inactive: int = Field(
        3,
        ge=1,
        le=20,
        description="Refusals for good (SMTP 5xx of recipient or message, HTTP 404 or 410) one after the other, after "
        "which a subscriber gets nothing any more.",
    )
    subscriptions_per_hour: int = Field(
        10,
        ge=1,
        le=10_000,
        description="Subscriptions that one network address may ask for in an hour, counted by each replica.",
    )
    confirmation_hours: int = Field(
        48, ge=1, le=720, description="Hours in which a subscription has to be confirmed; then it is forgotten."
    )
