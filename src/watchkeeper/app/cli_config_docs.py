"""`watchkeeper config docs`: the page that documents parameters, written or compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from watchkeeper.app.cli_config_api import api
from watchkeeper.app.console import (
    CommandRefused,
    DatabaseOption,
    DataOption,
    ServerOption,
    TokenOption,
    err,
    refusals_end_the_command,
)

OpsOption = Annotated[
    Path | None,
    typer.Option(
        "--ops",
        help="Make the page from the files of this ops/ directory, without a server.",
        show_default=False,
        exists=True,
        file_okay=False,
    ),
]


def add_to(config_cli: typer.Typer) -> None:
    """Register the command."""
    config_cli.command("docs")(docs)


def docs(
    ops: OpsOption = None,
    own: Annotated[bool, typer.Option("--own", help="Watchkeeper's own settings instead.")] = False,
    check: Annotated[
        Path | None,
        typer.Option(
            help="Compare with this page instead of printing it; exit 1 with a diff when it differs.",
            show_default=False,
            dir_okay=False,
        ),
    ] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Print the page that documents all parameters: watchkeeper config docs > docs/configuration.md."""
    if ops is not None and own:
        raise typer.BadParameter("either --ops or --own: Watchkeeper's own settings are in no files")
    with refusals_end_the_command():
        text = _own() if own else _of_files(ops) if ops is not None else _of_server(data, database_url, server, token)
        if check is None:
            # As bytes: no terminal's width gets into the page.
            typer.echo(text, nl=False)
            return
        _compare(check, text, again=f"watchkeeper config docs{f' --ops {ops}' if ops else ' --own' if own else ''}")


def _compare(file: Path, expected: str, *, again: str) -> None:
    from watchkeeper.modules.config.documentation import difference

    try:
        found = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise CommandRefused(f"{file}: there is no such page; make it with `{again} > {file}`") from None
    lines = difference(found, expected, file.as_posix())
    if lines:
        typer.echo("\n".join(lines))
        raise CommandRefused(f"{file} is out of date; make it anew with `{again} > {file}`")
    err.print(f"{file} is up to date.", markup=False)


def _of_server(data: Any, database_url: Any, server: Any, token: Any) -> str:
    with api(data, database_url, server, token) as asked:
        return str(asked.get("/documentation")["text"])


def _own() -> str:
    from watchkeeper.app.configuration import GROUPS
    from watchkeeper.app.own_settings import settings_page

    return settings_page(GROUPS)


def _of_files(folder: Path) -> str:
    from watchkeeper.kernel.ops import Complaints, OpsInvalid, read_directory, read_files
    from watchkeeper.kernel.ops.kind import fits
    from watchkeeper.modules.config.documentation import Documented, parameters_page
    from watchkeeper.modules.config.ops import OPS_KINDS
    from watchkeeper.modules.config.ops_look import problems_of

    try:
        files = {file: text for file, text in read_directory(folder).items() if fits(OPS_KINDS[-1], file)}
        complaints = Complaints()
        rows = []
        for one in read_files(files, OPS_KINDS).objects["parameter"]:
            definition = one.value.definition()
            for path, expected in problems_of(definition):
                complaints.add(one.document.place(path), expected)
            rows.append(Documented(definition))
        complaints.refuse_if_any()
    except OpsInvalid as refusal:
        lines = [f"{(folder / one.where).as_posix()}: {one.expected}" for one in refusal.complaints]
        raise CommandRefused(*lines, "There are mistakes in the files; no page was made.") from None
    return parameters_page(rows)
