"""`watchkeeper segment`: groups of the product's users. They are made in the console, by files or through the API."""

from __future__ import annotations

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
    out,
    print_json,
    refusals_end_the_command,
)

segment_cli = typer.Typer(help="Segments of the product's users.", no_args_is_help=True)


@segment_cli.command("list")
def list_segments(
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every segment that people and files made; all_users and country_NO and the like are there besides."""
    with refusals_end_the_command():
        items: list[Any] = []
        path: str | None = "/segments?limit=200"
        while path is not None:
            page = ask("GET", path, data, database_url, server, token)
            items += page["items"]
            path = f"/segments?limit=200&cursor={page['next']}" if page["next"] else None
        if as_json:
            print_json(items)
            return
        width = max((len(one["name"]) for one in items), default=0)
        for one in items:
            out.print(f"{one['name']:<{width}}  {one['type']:<13}  {one['description']}".rstrip(), markup=False)


@segment_cli.command("show")
def show(
    name: Annotated[str, typer.Argument(help="As `segment list` shows it, or all_users, country_NO and so on.")],
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who is in a segment, and what uses it."""
    with refusals_end_the_command():
        found = ask("GET", f"/segments/{quote(name, safe='')}", data, database_url, server, token)
        if as_json:
            print_json(found)
            return
        said = ("type", "description", "countries", "from_age", "to_age", "activity", "within", "expression", "members")
        for field in said:
            value = found[field]
            if value not in (None, "", []):
                shown = ", ".join(value) if isinstance(value, list) else value
                out.print(f"{field.replace('_', ' ')}: {shown}", markup=False)
        for use in found["used_by"]:
            out.print(f"used by {use}", markup=False)


@segment_cli.command("preview")
def preview(
    expression: Annotated[str, typer.Argument(help='Such as: attributes.plan == "premium" && country in ["NO"]')],
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count whom an expression holds for. Saves nothing."""
    order = {"type": "custom", "expression": expression}
    with refusals_end_the_command():
        found = ask("POST", "/segments/preview", data, database_url, server, token, json=order)
        if as_json:
            print_json(found)
            return
        about = "about " if found["is_estimate"] else ""
        out.print(f"{about}{found['count']:,} of {found['total']:,} users, {found['share']:.1%}", markup=False)
