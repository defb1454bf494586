"""What every command of the CLI shares: where it prints, how it refuses, and its common options."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.settings import SettingsInvalid

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

DataOption = Annotated[
    Path | None, typer.Option("--data", help="Data directory (default: ./watchkeeper-data).", show_default=False)
]
DatabaseOption = Annotated[
    str | None,
    typer.Option("--database-url", help="PostgreSQL URL for state (default: SQLite in the data directory)."),
]
ServerOption = Annotated[
    str | None,
    typer.Option("--server", envvar="WATCHKEEPER_SERVER", help="URL of a running server elsewhere; needs --token."),
]
TokenOption = Annotated[
    str | None,
    typer.Option("--token", envvar="WATCHKEEPER_TOKEN", help="API token for --server.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def configuration_of(file: Path | None = None, **options: Any) -> Any:
    """Settings from the environment, the file and these command-line options."""
    from watchkeeper.app.configuration import load_configuration  # here, so that `--help` is quick

    return load_configuration(os.environ, file, **options)


class CommandRefused(Exception):
    """A command that ends with exit code 1 and these lines on standard error."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Unreachable(CommandRefused):
    """Nothing answers, or what answers has no database."""


@contextmanager
def refusals_end_the_command() -> Iterator[None]:
    """Turn a typed refusal into one clear line (plus one per complaint) and exit code 1."""
    try:
        yield
    except SettingsInvalid as refusal:
        _refuse(*refusal.lines)
    except CommandRefused as refusal:
        _refuse(*refusal.lines)
    except Refusal as refusal:
        _refuse(refusal.detail, *(f"  {c.where}: {c.expected}" for c in refusal.complaints))


def print_json(value: Any) -> None:
    """One JSON document on standard output, indented, sorted as given."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _refuse(*lines: str) -> None:
    for line in lines:
        err.print(line, markup=False)
    raise typer.Exit(1)
