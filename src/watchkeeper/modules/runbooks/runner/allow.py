"""What a runner may run: its own list, which no server can change.

The list is a YAML file beside the runner. It names revisions (SHA-256 of files, or files that are here), of which any
step may run; or patterns of whole scripts.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import re2
from pydantic import AfterValidator, Field

from watchkeeper.kernel.ops import Complaints, OpsInvalid, Position
from watchkeeper.kernel.ops.directory import read_directory, read_file
from watchkeeper.kernel.ops.documents import check
from watchkeeper.kernel.ops.yaml_file import parse
from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.runbooks.reading import revision_of

_USUAL = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


def _is_pattern(value: str) -> str:
    try:
        re2.compile(value)
    except re2.error:
        raise ValueError("a regular expression of RE2") from None
    return value


class LimitsBody(StrictModel):
    """What each process of a step may use at most. Its time is the step's own."""

    memory_megabytes: int = Field(4_096, ge=16, le=1_000_000)
    file_megabytes: int = Field(4_096, ge=1, le=1_000_000, description="The largest file that it writes.")
    open_files: int = Field(1_024, ge=16, le=1_000_000)
    processes: int | None = Field(
        None, ge=8, le=1_000_000, description="Of the runner's user in all. It means nothing to root."
    )
    cpu_seconds: int | None = Field(None, ge=1, le=1_000_000, description="Of each process, on all cores together.")

    def by_resource(self) -> dict[str, int]:
        """By the names of the operating system."""
        mebi = 1024**2
        found = {
            "RLIMIT_CORE": 0,
            "RLIMIT_DATA": self.memory_megabytes * mebi,
            "RLIMIT_FSIZE": self.file_megabytes * mebi,
            "RLIMIT_NOFILE": self.open_files,
            "RLIMIT_NPROC": self.processes,
            "RLIMIT_CPU": self.cpu_seconds,
        }
        return {name: most for name, most in found.items() if most is not None}


class AllowFile(StrictModel):
    """What one runner may run."""

    revisions: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(default_factory=list, max_length=10_000)
    runbooks: list[str] = Field(
        default_factory=list, max_length=100, description="Files or folders here: every revision in them is allowed."
    )
    commands: list[Annotated[str, Field(max_length=2_000), AfterValidator(_is_pattern)]] = Field(
        default_factory=list, max_length=1_000, description="Patterns that a whole script has to fit."
    )
    environment: list[str] = Field(
        default_factory=list, max_length=200, description="Variables of the runner's own that scripts see."
    )
    secrets: list[str] = Field(
        default_factory=list, max_length=200, description="Such variables whose values are hidden in output."
    )
    folder: str | None = Field(None, description="Where scripts begin; unset: an empty folder for each.")
    limits: LimitsBody = Field(default_factory=lambda: LimitsBody.model_validate({}))


@dataclass(frozen=True)
class Allowed:
    """The list, read. `everything`: the server itself is the runner, and has looked already."""

    revisions: frozenset[str] = frozenset()
    commands: tuple[str, ...] = ()
    passed: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    folder: Path | None = None
    everything: bool = False
    limits: Mapping[str, int] = field(default_factory=lambda: LimitsBody.model_validate({}).by_resource())

    def __str__(self) -> str:
        return f"{len(self.revisions)} revisions and {len(self.commands)} patterns are allowed"

    def permits(self, revision: str, script: str) -> bool:
        """Whether a step of this revision, with this text, may run here."""
        if self.everything or revision in self.revisions:
            return True
        return any(re2.fullmatch(pattern, script.strip()) is not None for pattern in self.commands)


def read_allowed(path: Path, environ: Mapping[str, str]) -> Allowed:
    """The list of a file; what it names is read now. Raises OpsInvalid with the place of every mistake."""
    complaints = Complaints()
    if _anybody_may_write(path):
        complaints.add(Position(path.as_posix()), "a file that not everybody on this machine may write: chmod o-w")
    documents = parse(path.as_posix(), read_file(path), complaints)
    complaints.refuse_if_any()
    found = check(documents[0], AllowFile, complaints) if documents else None
    complaints.refuse_if_any()
    if found is None:
        raise OpsInvalid(f"{path} allows nothing: name revisions, runbooks or commands.")
    said = found.value
    texts = [text for one in said.runbooks for text in _texts(path.parent / one)]
    return Allowed(
        revisions=frozenset({*said.revisions, *map(revision_of, texts)}),
        commands=tuple(said.commands),
        passed=environment_of(environ, [*said.environment, *said.secrets]),
        # Output is looked at line by line, so a key of several lines is hidden by each of them.
        secrets=tuple(
            line for name in said.secrets for one in environ.get(name, "").splitlines() if len(line := one.strip()) > 3
        ),
        folder=(path.parent / said.folder).resolve() if said.folder else None,
        limits=said.limits.by_resource(),
    )


def environment_of(environ: Mapping[str, str], names: list[str]) -> dict[str, str]:
    """What scripts see of the runner's own variables: few, so that what it was started with stays with it."""
    return {name: environ[name] for name in (*_USUAL, *names) if name in environ}


def _anybody_may_write(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IWOTH)
    except OSError:
        return False  # that it can't be read is said by whoever reads it


def _texts(path: Path) -> list[str]:
    if path.is_dir():
        return [text for name, text in read_directory(path).items() if name.endswith(".md")]
    return [read_file(path)]


def is_root() -> bool:
    """Whether this process may do everything on this machine."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
