"""Settings of runbooks."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from watchkeeper.kernel.settings import SettingsGroup


class RunbookSettings(SettingsGroup):
    """Runbooks: whether this server runs shell steps itself, and how much of their output is kept."""

    section: ClassVar[str] = "runbooks"

    run_here: bool = Field(
        False,
        description="Whether this server runs steps of approved runbooks itself, as its own user. Otherwise "
        "`watchkeeper runner` does, from inside your network.",
    )
    run_here_as_root: bool = Field(False, description="Whether it does so even when it runs as root.")
    run_here_environment: str = Field(
        "",
        description="Variables of this server's own that such steps see besides `PATH`, `HOME` and the language, "
        "separated by commas.",
    )
    run_here_folder: Path | None = Field(
        None, description="Where such steps begin. Unset: an empty folder for each, gone when it ends."
    )
    output_kilobytes: int = Field(
        256, ge=4, le=4_096, description="How much of a step's output is kept: its beginning and its end."
    )
    lease_seconds: int = Field(
        30, ge=5, le=600, description="How long a runner may say nothing before its step counts as lost."
    )
    kept_days: int = Field(400, ge=7, le=4_000, description="Days that runs are kept after they ended.")
