"""`watchkeeper postmortem`: what was learned, what is to be done, and whether a text blames anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from watchkeeper.app.cli_api import ask
from watchkeeper.app.console import (
    CommandRefused,
    DatabaseOption,
    DataOption,
    JsonOption,
    ServerOption,
    TokenOption,
    out,
    print_json,
    refusals_end_the_command,
)

postmortem_cli = typer.Typer(help="Postmortems: what was learned, and what is done about it.", no_args_is_help=True)

_LARGEST_FILE = 2_000_000
PostmortemId = Annotated[str, typer.Argument(help="The id, as `postmortem list` shows it.")]


@postmortem_cli.command("list")
def list_postmortems(
    overdue: Annotated[bool, typer.Option("--overdue", help="Only drafts after they were due.")] = False,
    service: Annotated[str | None, typer.Option("--service", help="Only of this service.")] = None,
    words: Annotated[str | None, typer.Option("--search", help="Words of its title and texts.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="At most so many.")] = 50,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show postmortems, the newest first."""
    asked = {"limit": str(limit), "service": service, "q": words, "overdue": "true" if overdue else None}
    query = urlencode({name: value for name, value in asked.items() if value})
    with refusals_end_the_command():
        found = ask("GET", f"/postmortems?{query}", data, database_url, server, token)["items"]
        if as_json:
            print_json(found)
            return
        if not found:
            out.print("There are no such postmortems.")
        for one in found:
            out.print(_line(one), markup=False)


@postmortem_cli.command("show")
def show(
    postmortem: PostmortemId,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one: its times, its texts and its timeline."""
    with refusals_end_the_command():
        found = ask("GET", f"/postmortems/{quote(postmortem, safe='')}", data, database_url, server, token)
        if as_json:
            print_json(found)
            return
        out.print(_line(found), markup=False)
        for section in found["sections"]:
            out.print(f"\n{section['title']}\n{section['text'] or '(nothing yet)'}", markup=False, highlight=False)
        out.print("\nTimeline")
        for line in found["timeline"]:
            if line["first_class"] and not line["hidden"]:
                out.print(f"  {line['at']}  {line['text']}", markup=False, highlight=False)


@postmortem_cli.command("draft")
def draft(
    incident: Annotated[str, typer.Argument(help="Id or name of the incident.")],
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draft the postmortem of an incident, or read it again from the record: what people edited stays."""
    with refusals_end_the_command():
        found = ask("POST", "/postmortems", data, database_url, server, token, json={"incident": incident})
        if as_json:
            print_json(found)
            return
        out.print(_line(found), markup=False)


@postmortem_cli.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A text or Markdown file; - reads standard input.", allow_dash=True)],
    names: Annotated[
        list[str] | None, typer.Option("--name", help="Somebody's name, so that it is known for one. May be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Point at phrases that blame somebody. Works without a server; ends with 1 when there are any."""
    from watchkeeper.modules.postmortems.blameless import check as look  # here, so that `--help` is quick

    with refusals_end_the_command():
        text = _read(file)
        found = look(text, names or ())
        if as_json:
            print_json(
                [
                    {**vars(one), "alternatives": list(one.alternatives), "line": text.count("\n", 0, one.offset) + 1}
                    for one in found
                ]
            )
        else:
            for one in found:
                line, column = _place(text, one.offset)
                out.print(f"{file}:{line}:{column}: “{one.phrase}”", markup=False, highlight=False)
                out.print(f"    {one.why}", markup=False, highlight=False)
                out.print(f"    Rather: {'; '.join(one.alternatives)}", markup=False, highlight=False)
            if not found:
                out.print("Nothing here blames anybody, as far as rules can tell.")
    if found:
        raise typer.Exit(1)


@postmortem_cli.command("actions")
def actions(
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those whose day is over.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    service: Annotated[str | None, typer.Option("--service", help="Only of this service.")] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show action items, what is due first in front."""
    asked = {"service": service, "overdue": "true" if overdue else None, "all": "true" if everything else None}
    query = urlencode({name: value for name, value in asked.items() if value})
    with refusals_end_the_command():
        found = ask("GET", f"/postmortems/actions?{query}", data, database_url, server, token)
        if as_json:
            print_json(found)
            return
        if not found:
            out.print("Nothing is to be done.")
        for one in found:
            late = "OVERDUE " if one["overdue"] else ""
            due = f"  due {one['due_on']}" if one["due_on"] else ""
            owner = one["owner"] or "nobody owns it"
            left = " (has left)" if one["owner_has_left"] else ""
            out.print(
                f"{one['id']}  {late}{one['severity']}  {one['state']}  {one['title']}{due}  {owner}{left}",
                markup=False,
                highlight=False,
            )


def _line(one: dict[str, Any]) -> str:
    late = "OVERDUE " if one["overdue"] else ""
    drill = " (drill)" if one["drill"] else ""
    due = f"  due {one['due_at']}" if one["due_at"] and one["state"] == "draft" else ""
    return f"{one['id']}  {late}{one['severity']}  {one['state']}  {one['title']}{drill}{due}"


def _read(file: Path) -> str:
    try:
        if str(file) == "-":
            return typer.get_text_stream("stdin", encoding="utf-8").read(_LARGEST_FILE)
        if file.stat().st_size > _LARGEST_FILE:
            raise CommandRefused(f"{file} is larger than the {_LARGEST_FILE:,} bytes that are read.")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandRefused(f"{file} can't be read as text: {type(error).__name__}.") from None


def _place(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1."""
    line = text.count("\n", 0, offset) + 1
    return line, offset - (text.rfind("\n", 0, offset) + 1) + 1
