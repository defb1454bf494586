"""Write the pages of docs/ that say what the code says; a house test compares them.

python -m scripts.generate_docs            write them anew
python -m scripts.generate_docs --check    only name those that are out of date
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import typer

from watchkeeper.app import cli as command_line
from watchkeeper.app.configuration import GROUPS, load_configuration
from watchkeeper.app.ops.kinds import KINDS
from watchkeeper.app.own_settings import settings_page
from watchkeeper.app.server import Watchkeeper
from watchkeeper.kernel.journal.model import Event, event_kinds
from watchkeeper.kernel.ops.schema import schema_texts
from watchkeeper.kernel.web.access import Permission, Public, StatedRoute, stated_routes

DOCS = Path(__file__).parents[1] / "docs"
_NOTICE = "<!-- Made by `make docs`; edit the code that it describes. -->\n"


def main() -> int:
    """Exit code 0: all pages are as the code says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a page is out of date")
    check = parser.parse_args().check
    for path, text in out_of_date():
        sys.stdout.write(f"{path.relative_to(DOCS.parent).as_posix()} {'is out of date' if check else 'written'}\n")
        if check:
            return 1
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


def out_of_date() -> Iterator[tuple[Path, str]]:
    """Each page that differs from the code, with the text that it should have."""
    for name, text in documents().items():
        path = DOCS / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            yield path, text


def documents() -> dict[str, str]:
    """Every generated page by its path under docs/."""
    with whole_app() as watchkeeper:
        routes = list(stated_routes(watchkeeper.app))
        contract = watchkeeper.app.openapi()
    return {
        "contracts/openapi.json": json.dumps(contract, indent=2, sort_keys=True, ensure_ascii=False) + "\n",
        "reference/cli.md": cli_page(typer.main.get_command(command_line.cli)),
        "reference/configuration.md": settings_page(GROUPS),
        "reference/events.md": events_page(
            [event for event in event_kinds().values() if event.__module__.startswith("watchkeeper.")]
        ),
        "reference/permissions.md": permissions_page(routes),
        **{f"reference/schemas/{name}": text for name, text in schema_texts(KINDS).items()},
    }


@contextmanager
def whole_app() -> Iterator[Watchkeeper]:
    """The app with every module, on an empty data directory."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Watchkeeper.open(load_configuration({}, data=Path(folder) / "data"), background=False) as watchkeeper,
    ):
        yield watchkeeper


def events_page(events: list[type[Event]]) -> str:
    """Every kind of fact that the journal may hold."""
    lines = [
        "# Events",
        _NOTICE,
        "The journal holds one fact for each change, written in the transaction of that change. These are the kinds;",
        "`…` stands for what the fact itself says. Facts hold ids, numbers and plain text, never personal data.",
        "[The journal explained](../explanation/journal.md).",
    ]
    for event in sorted(events, key=lambda one: one.kind):
        fields = {field.name: str(field.type) for field in dataclasses.fields(event)}
        lines += ["", f"## {event.kind}", "", f"> {event.describe(dict.fromkeys(fields, '…'))}", ""]
        if event.__dict__.get("__doc__") and not str(event.__doc__).startswith(f"{event.__name__}("):
            lines += [" ".join(str(event.__doc__).split()), ""]
        data = ", ".join(f"`{name}` ({kind})" for name, kind in fields.items()) or "none"
        lines.append(f"Version {event.version}. Data: {data}.")
    return "\n".join(lines) + "\n"


def permissions_page(routes: list[StatedRoute]) -> str:
    """What every route asks for."""
    lines = [
        "# Permissions",
        _NOTICE,
        "Every route states the permission it needs, and a permission the least scope that gives it. `admin` covers",
        "all scopes, `write` covers `read` and `intake`, `intake` only itself. Tokens carry scopes; people have those",
        "of their role. A test fails for a route that states nothing.",
        "",
        "| route | permission | scope |",
        "| --- | --- | --- |",
    ]
    routes = sorted(routes, key=lambda route: (route.path, sorted(route.methods)))
    lines += [_route_line(route) for route in routes if not _is_second_half_of_a_mount(route, routes)]
    lines += ["", "## Public routes, and why", "", "| route | because |", "| --- | --- |"]
    lines += [_public_line(route) for route in routes if isinstance(route.permission, Public)]
    return "\n".join(lines) + "\n"


def _is_second_half_of_a_mount(route: StatedRoute, routes: list[StatedRoute]) -> bool:
    return route.path.endswith("/{path}") and route.path.removesuffix("/{path}") in {one.path for one in routes}


def _route_line(route: StatedRoute) -> str:
    stated = route.permission
    if isinstance(stated, Permission):
        return f"| {_route_name(route)} | `{stated.name}` | `{stated.scope}` |"
    return f"| {_route_name(route)} | public | |" if stated else f"| {_route_name(route)} | NOT STATED | |"


def _public_line(route: StatedRoute) -> str:
    assert isinstance(route.permission, Public)
    return f"| {_route_name(route)} | {_cell(route.permission.reason)} |"


def _route_name(route: StatedRoute) -> str:
    methods = ", ".join(sorted(route.methods - {"HEAD"}))
    return f"`{route.path}` {methods}".rstrip()


def cli_page(root: click.Command) -> str:
    """Every command with its arguments and options."""
    lines = [
        "# Command line",
        _NOTICE,
        "Exit code 0: done. 1: refused or failed, with one clear line on standard error. 2: wrong use.",
        "",
        "Commands that ask Watchkeeper something go through its API: to `--server` with `--token`, else to the server",
        "that runs on the data directory, else to one started for the length of the command.",
    ]
    for name, command in _commands(root, "watchkeeper"):
        context = click.Context(command)
        lines += ["", f"## {name}", "", " ".join((command.help or "").split())]
        rows = [row for parameter in command.get_params(context) if (row := _parameter(parameter, context))]
        if rows:
            lines += ["", "| option | meaning |", "| --- | --- |", *rows]
    return "\n".join(lines) + "\n"


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    children: dict[str, Any] = getattr(command, "commands", {})
    if not children:
        yield name, command
    for child in sorted(children):
        yield from _commands(children[child], f"{name} {child}")


def _parameter(parameter: Any, context: click.Context) -> str | None:
    record = parameter.get_help_record(context)
    if "--help" in parameter.opts or record is None:
        return None
    option = re.sub(r"<(?:list\[)?str\]?>", "<text>", record[0]).replace(" range>", ">")
    return f"| `{_cell(option)}` | {_cell(record[1])} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
