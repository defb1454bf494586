"""`watchkeeper incident split`, `link` and `rules`: what belongs to an incident, and what opens one by itself."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from watchkeeper.app.cli_api import ask
from watchkeeper.app.cli_incident import IncidentId, SeverityOption, path, tell
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


def split(
    incident: IncidentId,
    title: Annotated[str, typer.Argument(help="What the new one is about.")],
    link: Annotated[
        list[str] | None, typer.Option("--link", help="What goes there: its id, as `show` has it; may be repeated.")
    ] = None,
    severity: SeverityOption = None,
    service: Annotated[list[str] | None, typer.Option("--service", help="What it affects; may be repeated.")] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a part of it go on as an incident of its own."""
    with refusals_end_the_command():
        linked = ask("GET", path(incident), data, database_url, server, token)["links"] if link else []
        ids = {one["target"]: one["id"] for one in linked}
        order: dict[str, Any] = {"title": title, "links": [ids.get(one, one) for one in link or []]}
        order |= {"services": service or []} | ({"severity": severity.upper()} if severity else {})
        made = ask("POST", f"{path(incident)}/split", data, database_url, server, token, json=order)
        tell(made, as_json, f"{made['severity']} is open: {made['id']} ({made['name']})")


def link(
    incident: IncidentId,
    kind: Annotated[
        str, typer.Argument(help="alert_group, change, deployment, runbook_run, incident or url: what it is.")
    ],
    target: Annotated[str, typer.Argument(help="Its id, or the address.")],
    label: Annotated[str, typer.Option("--label", help="In words; by what it is without.")] = "",
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that something belongs to it."""
    order = {"kind": kind, "target": target, "label": label}
    with refusals_end_the_command():
        found = ask("POST", f"{path(incident)}/links", data, database_url, server, token, json=order)
        tell(found, as_json, "\n".join(f"{one['kind']}  {one['target']}  {one['label']}".rstrip() for one in found))


def rules(
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which alerts open an incident by themselves; `ops/incidents.yaml` says so."""
    with refusals_end_the_command():
        found = ask("GET", "/incidents/rules", data, database_url, server, token)
        if as_json:
            print_json(found)
            return
        for one in found["items"]:
            out.print(f"{one['name']}: {_fits(one)} -> {one['open']}", markup=False)
        if found["otherwise"]:
            out.print(f"otherwise (incidents.open_for): {found['otherwise']}", markup=False)
        elif not found["items"]:
            out.print("Nothing opens an incident by itself.")


def add_to(group: typer.Typer) -> None:
    """Register the commands below `incident`."""
    for command in (split, link, rules):
        group.command(command.__name__)(command)


def _fits(rule: dict[str, Any]) -> str:
    said = [f"{name}: {', '.join(rule[name])}" for name in ("severities", "services", "environments") if rule[name]]
    said += [f"{name}={value}" for name, value in sorted(rule["labels"].items())]
    return "; ".join(said) or "every alert"
