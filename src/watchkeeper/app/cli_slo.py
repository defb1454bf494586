"""`watchkeeper slo`: objectives."""

from __future__ import annotations

import typer

from watchkeeper.app import cli_slo_reports

slo_cli = typer.Typer(help="Objectives, error budgets and reports.", no_args_is_help=True)
cli_slo_reports.add_to(slo_cli)


@slo_cli.callback()
def slo() -> None:
    """Objectives, error budgets and reports."""
