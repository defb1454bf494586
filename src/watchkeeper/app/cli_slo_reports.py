"""`watchkeeper slo report`: what was promised in a month or a quarter, and what was kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from watchkeeper.app.cli_api import connected
from watchkeeper.app.console import (
    CommandRefused,
    DatabaseOption,
    DataOption,
    ServerOption,
    TokenOption,
    err,
    refusals_end_the_command,
)

_PATH = "/api/v1/slo/reports"
_ENDINGS = {"text": ".txt", "json": "", "csv": ".csv", "pdf": ".pdf", "html": ".html"}
Format = Literal["text", "json", "csv", "pdf", "html"]


def add_to(group: typer.Typer) -> None:
    """Register the command."""
    group.command("report")(report)


def report(
    period: Annotated[
        str | None,
        typer.Option(help="A month (2026-10) or a quarter (2026-Q3); default: the last month.", show_default=False),
    ] = None,
    service: Annotated[str | None, typer.Option(help="Only the SLOs of this service.", show_default=False)] = None,
    form: Annotated[Format, typer.Option("--format", help="text, json, csv, pdf or html (the e-mail).")] = "text",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to this file.", show_default=False, dir_okay=False)
    ] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Print or save the SLO report of a month, or the SLA review of a quarter."""
    with refusals_end_the_command(), connected(data, database_url, server, token) as client:
        _write(_fetched(client, period or _last_month(client), service, form), form, output)


def _last_month(client: Any) -> str:
    from watchkeeper.app.local import result_of

    items = result_of(client.get("/api/v1/slo/report-periods"))["items"]
    label: str = items[1]["period"]  # the first is the month that runs
    return label


def _fetched(client: Any, period: str, service: str | None, form: Format) -> bytes:
    from watchkeeper.app.local import result_of

    asked = {"period": period, **({"service": service} if service else {})}
    answer = client.get(f"{_PATH}{_ENDINGS[form]}", params=asked)
    if not answer.is_success:
        result_of(answer)
    content: bytes = answer.content
    return content


def _write(content: bytes, form: Format, output: Path | None) -> None:
    if output is None:
        if form == "pdf" and sys.stdout.isatty():
            raise CommandRefused("a PDF is no text for a terminal: name a file with --output")
        sys.stdout.buffer.write(content if form == "pdf" or content.endswith(b"\n") else content + b"\n")
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise CommandRefused(f"can't write {output}: {error.strerror}") from None
    err.print(f"Wrote {output}.", markup=False)
