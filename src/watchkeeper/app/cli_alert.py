"""`watchkeeper alert` and `watchkeeper heartbeat`: what is open, and the few things that are done about it at night."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
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
from watchkeeper.kernel.clock import SystemClock, rfc3339

alert_cli = typer.Typer(help="Alerts: what is open, and what to do about it.", no_args_is_help=True)
heartbeat_cli = typer.Typer(help="Heartbeats of jobs.", no_args_is_help=True)

_LENGTH = re.compile(r"(\d+)([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
AlertId = Annotated[str, typer.Argument(help="The id, as `alert list` shows it.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it stands on the timeline.")]


@alert_cli.command("list")
def list_alerts(
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones, too.")] = False,
    service: Annotated[str | None, typer.Option("--service", help="Only of this service.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="At most so many.")] = 50,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show alerts: open ones first, the worst first."""
    asked: list[tuple[str, str]] = [("limit", str(limit))]
    asked += [] if everything else [("status", "triggered"), ("status", "acknowledged")]
    asked += [("service", service)] if service else []
    with refusals_end_the_command():
        found = ask("GET", f"/alerts?{urlencode(asked)}", data, database_url, server, token)["items"]
        if as_json:
            print_json(found)
            return
        if not found:
            out.print("Nothing is open." if not everything else "There were no alerts.")
        for one in found:
            out.print(_line(one), markup=False)


@alert_cli.command("show")
def show(
    alert: AlertId,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one with its alerts and what they said last."""
    with refusals_end_the_command():
        found = ask("GET", _path(alert), data, database_url, server, token)
        if as_json:
            print_json(found)
            return
        out.print(_line(found), markup=False)
        for one in found["alerts"]:
            out.print(
                f"  {'fires' if one['firing'] else 'ended'}  {one['title']}  since {one['starts_at']}", markup=False
            )
            for said in one["said"][:1]:
                for name, value in said["details"].items():
                    out.print(f"    {name}: {value}", markup=False)


@alert_cli.command("ack")
def acknowledge(
    alert: AlertId,
    length: Annotated[str | None, typer.Option("--for", help="For so long, such as 30m, 2h or 1d.")] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Say that you have it: nobody else is paged."""
    with refusals_end_the_command():
        order = {"until": rfc3339(_in(length))} if length else {}
        found = ask("POST", f"{_path(alert)}/acknowledge", data, database_url, server, token, json=order)
        out.print(f"Acknowledged: {found['title']}", markup=False)


@alert_cli.command("resolve")
def resolve(
    alert: AlertId,
    reason: ReasonOption,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Call it over. What still fires opens it again."""
    with refusals_end_the_command():
        order = {"reason": reason}
        found = ask("POST", f"{_path(alert)}/resolve", data, database_url, server, token, json=order)
        out.print(f"Resolved: {found['title']}", markup=False)


@alert_cli.command("silence")
def silence(
    matchers: Annotated[list[str], typer.Argument(help="Such as: service=shop 'alertname=~\"Disk.*\"'")],
    reason: ReasonOption,
    length: Annotated[str, typer.Option("--for", help="For so long, such as 30m, 2h or 1d.")] = "2h",
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what the matchers fit now.")] = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep alerts quiet that fulfil all matchers."""
    with refusals_end_the_command():
        if dry:
            asked = {"matchers": matchers}
            found = ask("POST", "/alerts/silences/preview", data, database_url, server, token, json=asked)
            if as_json:
                print_json(found)
                return
            out.print(f"{found['alerts']} alerts in {len(found['groups'])} groups now")
            for one in found["groups"]:
                out.print(_line(one), markup=False)
            return
        order = {"matchers": matchers, "ends_at": rfc3339(_in(length)), "reason": reason}
        made = ask("POST", "/alerts/silences", data, database_url, server, token, json=order)
        if as_json:
            print_json(made)
            return
        out.print(f"Silenced until {made['ends_at']}: {made['id']}", markup=False)


@heartbeat_cli.command("list")
def list_heartbeats(
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every heartbeat, and when it was heard of last."""
    with refusals_end_the_command():
        found = ask("GET", "/alerts/heartbeats", data, database_url, server, token)["items"]
        if as_json:
            print_json(found)
            return
        width = max((len(one["name"]) for one in found), default=0)
        for one in found:
            heard = one["last_ping_at"] or "never"
            out.print(f"{one['name']:<{width}}  {one['state']:<6}  last heard of: {heard}", markup=False)


def _line(one: dict[str, Any]) -> str:
    quiet = f"  ({one['suppressed']}: pages nobody)" if one["suppressed"] else ""
    where = f"  [{one['service']}]" if one["service"] else ""
    return f"{one['id']}  {one['severity']:<8}  {one['status']:<12}  {one['title']}{where}{quiet}"


def _path(alert: str) -> str:
    return f"/alerts/{quote(alert, safe='')}"


def _in(length: str) -> datetime:
    found = _LENGTH.fullmatch(length.strip())
    if found is None:
        raise CommandRefused(f"{length!r} is no length of time: say 30m, 2h or 1d.")
    return SystemClock().now().astimezone(UTC) + timedelta(**{_UNITS[found[2]]: int(found[1])})
