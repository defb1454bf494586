"""`watchkeeper oncall`: who is on call, schedules, overrides, policies, and what comes from other tools."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from watchkeeper.app.cli_api import ask
from watchkeeper.app.cli_oncall_import import import_export
from watchkeeper.app.cli_oncall_replay import replay
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

oncall_cli = typer.Typer(help="Who is on call, and who is called when.", no_args_is_help=True)
oncall_cli.command("import")(import_export)
oncall_cli.command("replay")(replay)

NameArgument = Annotated[str, typer.Argument(help="Name of the schedule.")]
AtOption = Annotated[
    str | None, typer.Option("--at", help="An instant such as 2026-12-24T18:00:00+01:00 (default: now).")
]
_PATH = "/oncall"


@oncall_cli.command("now")
def now(
    service: Annotated[str | None, typer.Option("--service", help="Only what this service's policy calls.")] = None,
    at: AtOption = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who is on call, until when, and who is next."""
    with refusals_end_the_command():
        asked = {"service": service, "at": at}
        found = _ask("GET", "/now", data, database_url, server, token, params=_said(asked))
        if as_json:
            print_json(found)
            return
        if not found["items"]:
            out.print("No schedules." if service is None else f"No schedule is called for {service}.", markup=False)
        width = max((len(one["schedule"]) for one in found["items"]), default=0)
        for one in found["items"]:
            out.print(f"{one['schedule']:<{width}}  {_on_call_line(one)}", markup=False)


@oncall_cli.command("schedules")
def schedules(
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List schedules, with what their authors should know."""
    with refusals_end_the_command():
        _list("/schedules", data, database_url, server, token, as_json)


@oncall_cli.command("policies")
def policies(
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List escalation policies, with what their authors should know."""
    with refusals_end_the_command():
        _list("/policies", data, database_url, server, token, as_json)


@oncall_cli.command("check")
def check(
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with any schedule or policy as it is now; ends with 1 if anything is."""
    with refusals_end_the_command():
        found = [
            (kind, one["definition"]["name"], one["advice"])
            for kind in ("schedules", "policies")
            for one in _ask("GET", f"/{kind}", data, database_url, server, token)["items"]
        ]
        if as_json:
            print_json([{"kind": kind, "name": name, "advice": said} for kind, name, said in found])
        else:
            for kind, name, said in found:
                for line in said:
                    out.print(f"{'schedule' if kind == 'schedules' else 'policy'} {name}: {line}", markup=False)
            if not any(said for _, _, said in found):
                out.print(f"Nothing to say of {len(found)} schedules and policies.", markup=False)
    raise typer.Exit(1 if any(said for _, _, said in found) else 0)


@oncall_cli.command("show")
def show(
    name: NameArgument,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a schedule: its layers and the overrides ahead."""
    with refusals_end_the_command():
        where = f"/schedules/{quote(name, safe='')}"
        found = _ask("GET", where, data, database_url, server, token)
        ahead = _ask("GET", f"{where}/overrides", data, database_url, server, token)["items"]
        if as_json:
            print_json({**found, "overrides": ahead})
            return
        said, names = found["definition"], {one["id"]: one["name"] for one in found["people"]}
        out.print(f"{said['title'] or name}, in {said['time_zone']}", markup=False)
        for layer in said["layers"]:
            people = ", ".join(names[who] for who in layer["people"])
            hours = (
                "; ".join(f"{one['start']}-{one['end']} {_days(one['days'])}" for one in layer["hours"]) or "all day"
            )
            out.print(f"  layer {layer['name']}: {people}; turns of {layer['shift']}, {hours}", markup=False)
        for one in said["temporary"]:
            out.print(f"  temporary {one['name']}: {one['since']} to {one['until']}", markup=False)
        for one in ahead:
            instead = f" instead of {one['instead_of']['name']}" if one["instead_of"] else ""
            out.print(
                f"  override {one['id']}: {one['who']['name']}{instead}, {one['since']} to {one['until']}", markup=False
            )
        for line in found["advice"]:
            out.print(f"  {line}", markup=False)


@oncall_cli.command("preview")
def preview(
    name: NameArgument,
    since: Annotated[str | None, typer.Option("--since", help="An instant (default: now).")] = None,
    until: Annotated[str | None, typer.Option("--until", help="An instant (default: 14 days later).")] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who is on call when, in the schedule's zone; gaps and double cover are named."""
    with refusals_end_the_command():
        asked = _said({"since": since, "until": until})
        where = f"/schedules/{quote(name, safe='')}/preview"
        found = _ask("GET", where, data, database_url, server, token, params=asked)
        if as_json:
            print_json(found)
            return
        from zoneinfo import ZoneInfo

        zone = ZoneInfo(found["time_zone"])
        for one in found["items"]:
            begins, ends = (datetime.fromisoformat(one[edge]).astimezone(zone) for edge in ("since", "until"))
            out.print(f"{begins:%a %d %b %H:%M} - {ends:%a %d %b %H:%M %Z}  {_span(one)}", markup=False)


@oncall_cli.command("override")
def override(
    name: NameArgument,
    since: Annotated[str, typer.Option("--since", help="An instant with its offset.")],
    until: Annotated[str, typer.Option("--until", help="An instant with its offset.")],
    who: Annotated[str | None, typer.Option("--who", help="Who stands in: e-mail address or id.")] = None,
    instead_of: Annotated[str | None, typer.Option("--instead-of", help="Only where this person would be.")] = None,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why.")] = "",
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let somebody stand in for others for a time."""
    with refusals_end_the_command():
        order = {**_said({"who": who, "instead_of": instead_of}), "since": since, "until": until, "reason": reason}
        where = f"/schedules/{quote(name, safe='')}/overrides"
        made = _ask("POST", where, data, database_url, server, token, json=order)
        if as_json:
            print_json(made)
            return
        out.print(f"{made['who']['name']} has {name} from {made['since']} to {made['until']}.", markup=False)


@oncall_cli.command("import-calendar")
def import_calendar(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(help="An .ics file.", exists=True, dir_okay=False)],
    as_temporary: Annotated[
        str | None,
        typer.Option("--as-temporary", help="Make one temporary schedule of this name instead of overrides."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be made.")] = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make overrides of the next 90 days of a calendar; attendees or summaries say who."""
    with refusals_end_the_command():
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandRefused(f"can't read {file}: {error}") from None
        order = {**_said({"as_temporary": as_temporary}), "calendar": text, "dry_run": dry_run}
        where = f"/schedules/{quote(name, safe='')}/import-calendar"
        found = _ask("POST", where, data, database_url, server, token, json=order)
        if as_json:
            print_json(found)
            return
        for one in found["shifts"]:
            out.print(f"{one['since']} - {one['until']}  {one['who']['name']}", markup=False)
        for line in found["not_read"]:
            out.print(f"not read: {line}", markup=False)
        out.print(f"{found['made']} made of {len(found['shifts'])} shifts.", markup=False)


def _list(path: str, data: Any, database_url: Any, server: Any, token: Any, as_json: bool) -> None:
    items = _ask("GET", path, data, database_url, server, token)["items"]
    if as_json:
        print_json(items)
        return
    width = max((len(one["definition"]["name"]) for one in items), default=0)
    for one in items:
        said = one["definition"]
        about = said.get("time_zone") or ("default" if said.get("default") else ", ".join(said.get("services", ())))
        out.print(f"{said['name']:<{width}}  {about}".rstrip(), markup=False)
        for line in one["advice"]:
            out.print(f"{'':<{width}}  {line}", markup=False, style="yellow")


def _on_call_line(one: Any) -> str:
    until = f" until {one['until']}" if one["until"] else ""
    following = one["next"]
    then = ""
    if following is not None:
        then = f", then {following['who']['name'] if following['who'] else 'nobody'}"
    return f"{_span(one['why'])}{until}{then}"


def _span(one: Any) -> str:
    if one["who"] is None:
        return "nobody (as declared)" if one["cover"] == "declared_gap" else "NOBODY: a gap"
    also = f" (double cover with {', '.join(other['name'] for other in one['also'])})" if one["also"] else ""
    how = ", by an override" if one["override"] else ""
    return f"{one['who']['name']}{how}{also}"


def _days(days: list[str]) -> str:
    return "every day" if len(days) == 7 else ", ".join(day[:3] for day in days)


def _said(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _ask(method: str, path: str, *options: Any, **request: Any) -> Any:
    return ask(method, f"{_PATH}{path}", *options, **request)
