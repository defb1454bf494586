"""`watchkeeper recovery`: the rules that act on alerts, and whether they may."""

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

recovery_cli = typer.Typer(
    help="Recovery: rules that run steps of a runbook when an alert comes.", no_args_is_help=True
)

RuleName = Annotated[str, typer.Argument(help="Name of a rule, as `recovery list` shows it.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it stands on the timeline.", show_default=False)]
ModeOption = Annotated[str, typer.Option("--mode", help="automatic, approval or dry_run.")]


@recovery_cli.command("list")
def list_rules(
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every rule, whether it may act, and when it was last rehearsed."""
    with refusals_end_the_command():
        found = ask("GET", "/recovery/rules", data, database_url, server, token)["items"]
        if as_json:
            print_json(found)
            return
        if not found:
            out.print("There are no rules. They are described in ops/recovery/*.yaml.")
        for one in found:
            out.print(_line(one), markup=False)


@recovery_cli.command("show")
def show(
    rule: RuleName,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one rule with what it does, what it fights, and what it did."""
    with refusals_end_the_command():
        found = ask("GET", _path(rule), data, database_url, server, token)
        if as_json:
            print_json(found)
            return
        out.print(_line(found), markup=False, style="bold")
        said = found["said"]
        out.print(f"runs {', '.join(said['steps'])} of {said['runbook']} for {said['match']}", markup=False)
        if found["armed_by"]:
            out.print(f"armed by {found['armed_by']}", markup=False)
        if found["rehearsed_detail"]:
            out.print(f"last rehearsal: {found['rehearsed_detail']}", markup=False)
        for other, why in found["fights"].items():
            out.print(f"never together with {other}: {why}", markup=False)
        for one in found["attempts"]:
            out.print(f"{one['started_at'][:19]}  {one['state']:<16}  {one['service']}  {one['detail']}", markup=False)


@recovery_cli.command("rehearse")
def rehearse(
    rule: RuleName,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go through its steps: for real in staging where they take an environment, else without carrying anything out."""
    with refusals_end_the_command():
        found = ask("POST", f"{_path(rule)}/rehearse", data, database_url, server, token)
        if as_json:
            print_json(found)
            return
        how = "nothing was carried out" if found["dry_run"] else "it runs"
        out.print(f"{rule}: {how}; see /runs/{found['run']}", markup=False)


@recovery_cli.command("arm")
def arm(
    rule: RuleName,
    reason: ReasonOption,
    mode: ModeOption = "automatic",
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a rule act: by itself, after it asked, or only in dry run."""
    order = {"mode": mode, "reason": reason}
    _changed("arm", rule, order, data, database_url, server, token, as_json)


@recovery_cli.command("disarm")
def disarm(
    rule: RuleName,
    reason: ReasonOption,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a rule do nothing. What it began goes on."""
    _changed("disarm", rule, {"reason": reason}, data, database_url, server, token, as_json)


@recovery_cli.command("reset")
def reset(
    rule: RuleName,
    reason: ReasonOption,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close the circuit breaker of a rule that failed."""
    _changed("reset", rule, {"reason": reason}, data, database_url, server, token, as_json)


def _changed(verb: str, rule: str, order: dict[str, str], *where: Any) -> None:
    data, database_url, server, token, as_json = where
    with refusals_end_the_command():
        found = ask("POST", f"{_path(rule)}/{verb}", data, database_url, server, token, json=order)
        if as_json:
            print_json(found)
        else:
            out.print(_line(found), markup=False)


def _path(rule: str) -> str:
    return f"/recovery/rules/{quote(rule, safe='')}"


def _line(one: Any) -> str:
    state = "FAILED, reset it" if one["breaker_open"] else one["mode"] if one["armed"] else "disarmed"
    rehearsed = (
        f"rehearsed {one['rehearsed_at'][:10]} ({one['rehearsed_state']})" if one["rehearsed_at"] else "never rehearsed"
    )
    return f"{one['name']}  {state}  {rehearsed}"
