"""`watchkeeper status`: how the product is, what waits for review, and the page as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from watchkeeper.app.cli_api import ask
from watchkeeper.app.console import (
    DatabaseOption,
    DataOption,
    JsonOption,
    ServerOption,
    TokenOption,
    Unreachable,
    configuration_of,
    err,
    out,
    print_json,
    refusals_end_the_command,
)
from watchkeeper.kernel.errors import Unavailable

status_cli = typer.Typer(help="The status page: what it says, drafts, and the page as files.", no_args_is_help=True)


@status_cli.command("show")
def show(
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show components and what is open, as the public sees it."""
    with refusals_end_the_command():
        found = ask("GET", "/status", data, database_url, server, token)
        if as_json:
            print_json(found)
            return
        out.print(f"{found['title']}: {found['description']}", markup=False)
        width = max((len(one["title"]) for one in found["components"]), default=0)
        for one in found["components"]:
            uptime = (
                "no history yet" if one["uptime"] is None else f"{int(one['uptime'] * 100_000) / 1_000:.3f} % in 90 d"
            )
            out.print(f"  {one['title']:<{width}}  {one['status'].replace('_', ' '):<20}  {uptime}", markup=False)
        for one in found["open_incidents"]:
            out.print(f"{one['status']}: {one['title']}, since {one['started_at']}", markup=False)
        for one in found["maintenances"]:
            out.print(f"maintenance: {one['title']}, {one['starts_at']} to {one['ends_at']}", markup=False)
        if found["drafts"]:
            out.print(f"{found['drafts']} drafts wait for review: watchkeeper status publish", markup=False)


@status_cli.command("publish")
def publish(
    update: Annotated[str | None, typer.Argument(help="The draft's id. Without one: show those that wait.")] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a draft, and tell subscribers. Publishing it again changes nothing."""
    with refusals_end_the_command():
        if update is None:
            found = ask("GET", "/status/updates?review=draft", data, database_url, server, token)["items"]
            if as_json:
                print_json(found)
                return
            if not found:
                out.print("No draft waits.")
            for one in found:
                _show_draft(one)
            return
        path = f"/status/updates/{quote(update, safe='')}/publish"
        done = ask("POST", path, data, database_url, server, token, json={})
        if as_json:
            print_json(done)
            return
        out.print(f"Public since {done['published_at']}: {done['incident']['title']}", markup=False)


@status_cli.command("withdraw")
def withdraw(
    incident: Annotated[str, typer.Argument(help="The incident's id on the status page (pin_…), or an update's.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; for the record, subscribers don't read it.")],
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back what was published by mistake: all of an incident, or one update. Subscribers are told."""
    with refusals_end_the_command():
        kind = "updates" if incident.startswith("pup_") else "incidents"
        path = f"/status/{kind}/{quote(incident, safe='')}/withdraw"
        done = ask("POST", path, data, database_url, server, token, json={"reason": reason})
        if as_json:
            print_json(done)
            return
        gone = done["items"] if kind == "incidents" else [done]
        number = "one update" if len(gone) == 1 else f"{len(gone)} updates"
        out.print(f"Withdrawn: {gone[0]['incident']['title']} ({number})", markup=False)


@status_cli.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="An empty directory, or one of a former export: it is replaced.")],
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Write the page as files, HTML, feeds and JSON, so that it can live elsewhere. The directory changes at once.

    Where nothing answers, what the server rendered last and kept in the data directory is written.
    """
    with refusals_end_the_command():
        from watchkeeper.modules.status.public import kept_export, write_export  # here, so that `--help` is quick

        try:
            found = ask("GET", "/status/export", data, database_url, server, token)
        except (Unreachable, Unavailable) as refusal:
            kept = None if server else kept_export(configuration_of(data=data, database_url=database_url).server.data)
            if kept is None:
                raise
            err.print(f"{refusal}\nwritten is what the server rendered last, and kept", markup=False)
            found = {"at": kept[0], "files": kept[1]}
        write_export(folder, found["files"])
        out.print(f"{len(found['files'])} files as of {found['at']} in {folder}", markup=False)


def _show_draft(one: dict[str, Any]) -> None:
    out.print(f"{one['id']}  {one['status']:<13}  {one['incident']['title']}", markup=False)
    out.print(f"    {' '.join(one['body'].split())[:200]}", markup=False)
    for name, state in one["components"].items():
        out.print(f"    {name}: {state.replace('_', ' ')}", markup=False)
