"""The command `watchkeeper`. Commands import what they need when they run, so that `--help` is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from watchkeeper import __version__
from watchkeeper.app import cli_backup, cli_incident_links, cli_ops, cli_ops_files, cli_runner, demo
from watchkeeper.app.cli_alert import alert_cli, heartbeat_cli
from watchkeeper.app.cli_audit import audit_cli
from watchkeeper.app.cli_config import config_cli
from watchkeeper.app.cli_incident import incident_cli
from watchkeeper.app.cli_oncall import oncall_cli
from watchkeeper.app.cli_person import person_cli
from watchkeeper.app.cli_postmortem import postmortem_cli
from watchkeeper.app.cli_recovery import recovery_cli
from watchkeeper.app.cli_runbook import runbook_cli
from watchkeeper.app.cli_segment import segment_cli
from watchkeeper.app.cli_slo import slo_cli
from watchkeeper.app.cli_status import status_cli
from watchkeeper.app.cli_token import token_cli
from watchkeeper.app.console import (
    DatabaseOption,
    DataOption,
    JsonOption,
    configuration_of,
    out,
    refusals_end_the_command,
)

cli = typer.Typer(
    name="watchkeeper",
    help="The operations side of a product, in one process.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals may hold secrets
    add_completion=False,
)
cli.add_typer(alert_cli, name="alert")
cli.add_typer(heartbeat_cli, name="heartbeat")
cli.add_typer(audit_cli, name="audit")
cli.add_typer(config_cli, name="config")
cli_incident_links.add_to(incident_cli)
cli.add_typer(incident_cli, name="incident")
cli.add_typer(oncall_cli, name="oncall")
cli.add_typer(person_cli, name="person")
cli.add_typer(postmortem_cli, name="postmortem")
cli.add_typer(runbook_cli, name="runbook")
cli.add_typer(segment_cli, name="segment")
cli.add_typer(recovery_cli, name="recovery")
cli.add_typer(slo_cli, name="slo")
cli.add_typer(status_cli, name="status")
cli.add_typer(token_cli, name="token")
cli_ops.add_to(cli)
cli_ops_files.add_to(cli)
cli_backup.add_to(cli)
cli_runner.add_to(cli)
demo.add_to(cli)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="TOML file with settings.", show_default=False, dir_okay=False)
]


def main() -> None:
    """Entry point of the command."""
    cli()


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"watchkeeper {__version__}")
        raise typer.Exit


@cli.callback()
def watchkeeper(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """The operations side of a product, in one process."""


@cli.command()
def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default: 8700; 0 picks a free one).")] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Start Watchkeeper: console, API, intake and workers. Ends on Ctrl-C or SIGTERM."""
    with refusals_end_the_command():
        from watchkeeper.app.serve import serve

        serve(configuration_of(config, host=host, port=port, data=data, database_url=database_url))


@cli.command()
def migrate(
    data: DataOption = None,
    database_url: DatabaseOption = None,
    config: ConfigOption = None,
    phase: Annotated[str, typer.Option(help="Which migrations: pre, post or all.")] = "all",
    check: Annotated[bool, typer.Option("--check", help="Only say what is pending; exit 1 if anything is.")] = False,
) -> None:
    """Bring the database to this version's schema. `up` does it too; this does it ahead of a rolling upgrade."""
    with refusals_end_the_command():
        from watchkeeper.app.migrate import run_migrations

        run_migrations(configuration_of(config, data=data, database_url=database_url), phase=phase, check=check)


@cli.command()
def doctor(
    data: DataOption = None, database_url: DatabaseOption = None, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Look for anything that breaks a promise: library versions, settings, disk, clock, database."""
    with refusals_end_the_command():
        from watchkeeper.app.doctor import examine, show

        healthy = show(examine(configuration_of(config, data=data, database_url=database_url)), as_json=json)
    raise typer.Exit(0 if healthy else 1)
