"""`watchkeeper plan` and `watchkeeper apply`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from watchkeeper.app.console import (
    DatabaseOption,
    DataOption,
    JsonOption,
    ServerOption,
    TokenOption,
    err,
    out,
    print_json,
    refusals_end_the_command,
)

_SIGNS = {"create": "[green]+[/]", "update": "[yellow]~[/]", "delete": "[red]-[/]", "unchanged": " "}
DirectoryArgument = Annotated[Path, typer.Argument(help="The ops/ directory.", show_default=False)]


def add_to(cli: typer.Typer) -> None:
    """Register the commands."""
    cli.command("plan")(plan)
    cli.command("apply")(apply)


def plan(
    directory: DirectoryArgument,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what applying the files in a directory would change. Changes nothing."""
    with refusals_end_the_command():
        found = _ask("plan", directory, data, database_url, server, token)
        _show(found, as_json=as_json, done=False)


def apply(
    directory: DirectoryArgument,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before changing anything.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make everything as the files in a directory say, all or nothing."""
    with refusals_end_the_command():
        fingerprint = None
        if not yes and not as_json:
            planned = _ask("plan", directory, data, database_url, server, token)
            _show(planned, as_json=False, done=False)
            if all(change["action"] == "unchanged" for change in planned["changes"]):
                return
            if not typer.confirm("Apply these changes?"):
                raise typer.Exit(1)
            fingerprint = planned["fingerprint"]
        found = _ask("apply", directory, data, database_url, server, token, fingerprint=fingerprint)
        _show(found, as_json=as_json, done=True)


def _ask(
    verb: str,
    directory: Path,
    data: Path | None,
    database_url: str | None,
    server: str | None,
    token: str | None,
    **order: Any,
) -> Any:
    from watchkeeper.app.cli import configuration_of
    from watchkeeper.app.local import Elsewhere, connect, connect_to_nothing, result_of
    from watchkeeper.kernel.ops import read_directory

    files = read_directory(directory)
    body = {"files": files, **{key: value for key, value in order.items() if value is not None}}
    configuration = configuration_of(data=data, database_url=database_url)
    elsewhere = Elsewhere(server, token) if server else None
    # A plan needs no server and no data directory: files can be checked anywhere, against nothing.
    opened = connect_to_nothing if verb == "plan" and elsewhere is None else connect
    with opened(configuration, elsewhere) as client:
        return result_of(client.post(f"/api/v1/ops/{verb}", json=body))


def _show(found: Any, *, as_json: bool, done: bool) -> None:
    if as_json:
        print_json(found)
        return
    for notice in found["notices"]:
        err.print(notice, markup=False)
    changes = [change for change in found["changes"] if change["action"] != "unchanged"]
    for change in changes:
        out.print(_SIGNS[change["action"]], end=" ")
        note = f"  ({change['note']})" if change["note"] else ""
        out.print(f"{change['kind']} {change['name']}{note}", markup=False)
        for name, (before, after) in change["fields"].items():
            out.print(f"    {name}: {_short(before)} -> {_short(after)}", markup=False)
    same = len(found["changes"]) - len(changes)
    verb = "changed" if done else "to change"
    out.print(f"{len(changes)} {verb}, {same} unchanged.", markup=False)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else text[:99] + "…"
