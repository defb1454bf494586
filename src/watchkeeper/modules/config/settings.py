"""Settings of runtime configuration."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from watchkeeper.kernel.settings import SettingsGroup


class ConfigSettings(SettingsGroup):
    """Runtime configuration of the product: parameters, flags, and who is served with them."""

    section: ClassVar[str] = "config"
    live: ClassVar[frozenset[str]] = frozenset({"usage_days"})

    default_environment: str = Field(
        "production",
        pattern=r"^[a-z][a-z0-9-]{0,63}$",
        description="The environment that is meant where none is named; made at the first start.",
    )
    variable_prefix: str = Field(
        "PARAMETER_",
        max_length=100,
        description="Where the server itself evaluates (OFREP, explanations), the layer of environment variables is "
        "read from variables with this prefix before the key. Only keys of the registry are read, so that nobody can "
        "ask for other secrets of the server's environment.",
    )
    usage_days: int = Field(90, ge=1, le=1200, description="Days that counts of evaluations are kept.")
    ofrep_origins: str = Field(
        "",
        description="Origins of web pages, such as `https://app.example.com`, separated by commas, whose browsers may "
        "evaluate flags by OFREP. Unset: none; clients that are no browsers need no origin.",
    )
    ofrep_requests_per_second: int = Field(
        0, ge=0, description="Most evaluations by OFREP in a second for each token; 0 for no limit."
    )
    ofrep_known_subjects: bool = Field(
        True,
        description="Whether OFREP adds what is known of a user (country, age, attributes) to what the client sends.",
    )

    @field_validator("ofrep_origins")
    @classmethod
    def _origins_are_origins(cls, text: str) -> str:
        for one in text.split(","):
            parts = urlsplit(one.strip().rstrip("/"))
            if one.strip() and (
                parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query or parts.fragment
            ):
                raise ValueError(f"{one.strip()!r} is no origin; expected one such as https://app.example.com")
        return text

    def origins(self) -> frozenset[str]:
        """`ofrep_origins`, each."""
        return frozenset(one.strip().rstrip("/").lower() for one in self.ofrep_origins.split(",") if one.strip())
