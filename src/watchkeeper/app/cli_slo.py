"""`watchkeeper slo`: how the objectives do, what alerts, and what may be deployed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from watchkeeper.app import cli_slo_files, cli_slo_reports
from watchkeeper.app.cli_api import ask
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

slo_cli = typer.Typer(help="Objectives, error budgets, burn-rate alerts and reports.", no_args_is_help=True)

ServiceOption = Annotated[str | None, typer.Option(help="Only those of this service.", show_default=False)]
ServiceArgument = Annotated[str, typer.Argument(help="Name of a service.")]
_STATUS = {
    "exhausted": "red", "burning": "red", "silent": "magenta", "at_risk": "yellow", "no_data": "dim", "met": "green",
}  # fmt: skip


@slo_cli.command("list")
def list_slos(
    service: ServiceOption = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every objective, worst first: share of good events, target, budget left, burn rate."""
    with refusals_end_the_command():
        found = _ask("/slos", data, database_url, server, token, service=service)["items"]
        if as_json:
            print_json(found)
            return
        width = max((len(_name(one)) for one in found), default=0)
        for one in found:
            head = f"{one['status'].replace('_', ' '):<9}  {_name(one):<{width}}"
            out.print(
                f"{head}  {_share(one)}  {_budget(one)}  {_burn(one)}", markup=False, style=_STATUS[one["status"]]
            )
        if not found:
            out.print("No objectives. `watchkeeper slo suggest SERVICE` proposes some.", markup=False)


@slo_cli.command("show")
def show(
    name: Annotated[str, typer.Argument(help="As `slo list` shows it, without the objective.")],
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one SLO: each objective with the counts behind its figures, and its alerts."""
    with refusals_end_the_command():
        found = _ask(f"/slos/{quote(name, safe='')}", data, database_url, server, token)
        if as_json:
            print_json(found)
            return
        said = found["definition"]
        out.print(f"{found['name']}  {said['display_name']}".rstrip(), markup=False, style="bold")
        out.print(f"service {said['service']}; {_window(said['window'])}; from {found['managed_by']}", markup=False)
        for one in found["objectives"]:
            _show_objective(one)


@slo_cli.command("alerts")
def alerts(
    name: Annotated[str | None, typer.Option("--slo", help="Only those of this SLO.", show_default=False)] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the alerts that are open, newest first."""
    with refusals_end_the_command():
        path = f"/slos/{quote(name, safe='')}/alerts" if name is not None else "/slo/alerts"
        state = None if name is not None else "all" if all_of_them else "open"
        found = _ask(path, data, database_url, server, token, state=state)["items"]
        found = [one for one in found if all_of_them or one["resolved_at"] is None]
        if as_json:
            print_json(found)
            return
        for one in found:
            _show_alert(one)
        if not found:
            out.print("No alert is open." if not all_of_them else "There were no alerts.", markup=False)


@slo_cli.command("policy")
def policy(
    service: ServiceArgument,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 if the service may not deploy.")] = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the error-budget policy says of a service now, and why."""
    with refusals_end_the_command():
        found = _ask("/slo/policy", data, database_url, server, token, service=service)
        if as_json:
            print_json(found)
        else:
            _show_verdict(found)
    if check and not found["may_deploy"]:
        raise typer.Exit(1)


@slo_cli.command("suggest")
def suggest(
    service: ServiceArgument,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Propose objectives that the last four weeks' traffic would have met, as a file for ops/slos/."""
    with refusals_end_the_command():
        found = _ask("/slos/suggest", data, database_url, server, token, service=service)["items"]
        if as_json:
            print_json(found)
            return
        if not found:
            err.print(f"{service} had fewer than 100 requests in the last four weeks: too few to tell.", markup=False)
            raise typer.Exit(1)
        from watchkeeper.modules.slo.definition import Definition
        from watchkeeper.modules.slo.files.openslo_export import text_of

        for one in found:
            err.print(f"{one['definition']['name']}: {one['reason']}", markup=False, style="dim")
        out.print(text_of([Definition.model_validate(one["definition"]) for one in found]), markup=False, end="")


def _ask(path: str, data: Any, database_url: Any, server: Any, token: Any, **parameters: Any) -> Any:
    asked = {name: value for name, value in parameters.items() if value is not None}
    return ask("GET", path, data, database_url, server, token, params=asked)


def _name(one: Any) -> str:
    return str(one["slo"]) if one["objective"] == "main" else f"{one['slo']} {one['objective']}"


def _share(one: Any) -> str:
    share = "   nothing" if one["share"] is None else f"{one['share']:>10.4%}"
    return f"{share}, target {one['target'] * 100:.6g}%"


def _budget(one: Any) -> str:
    budget = one["budget"]
    return f"-{budget['overspent']:>6.1%} left" if budget["overspent"] else f" {budget['remaining']:>6.1%} left"


def _burn(one: Any) -> str:
    return ", ".join(f"{burn['rate']:.3g}x over {window}" for window, burn in one["burn_rates"].items())


def _window(window: Any) -> str:
    return (
        f"the last {window['rolling']}" if window["rolling"] else f"each {window['calendar']} in {window['time_zone']}"
    )


def _show_objective(one: Any) -> None:
    counts, budget = one["counts"], one["budget"]
    out.print(f"{one['objective']}: {one['status'].replace('_', ' ')}", markup=False, style=_STATUS[one["status"]])
    good = f"{counts['good']:,.0f} of {counts['total']:,.0f} events were good since {_short(one['since'])}"
    out.print(f"  {good}: {_share(one).strip()}; {one['covered']:.1%} of the time was measured", markup=False)
    left = f"{budget['events_left']:,.0f} of {budget['allowed_events']:,.0f} bad events"
    spent = f"{budget['minutes_left']:,.0f} min of an outage left; {budget['spent']:.1%} spent"
    out.print(f"  budget: {left}, or {spent}", markup=False)
    out.print(f"  burn: {_burn(one) or 'nothing known'}", markup=False)
    forecast = one["forecast"]["exhausted_at"]
    if forecast is not None:
        out.print(f"  the budget is gone by {_short(forecast)} if it goes on like this", markup=False)
    for text in [one["problem"], *one["warnings"]]:
        if text:
            out.print(f"  {text}", markup=False, style="yellow")
    for alert in one["alerts"]:
        _show_alert(alert, indent="  ")


def _show_alert(one: Any, indent: str = "") -> None:
    until = f" until {_short(one['resolved_at'])}" if one["resolved_at"] else ""
    about = " ".join(text for text in (one["slo"], one["objective"]) if text and text != "main") or one["dedup_key"]
    style = "dim" if one["resolved_at"] else "red" if one["action"] == "page" else "yellow"
    out.print(
        f"{indent}{one['action']:<6}  {about}  since {_short(one['started_at'])}{until}: {one['detail']}",
        markup=False,
        style=style,
    )


def _show_verdict(found: Any) -> None:
    said = {
        None: "may deploy",
        "freeze_non_critical": "may deploy only what mends something",
        "freeze_all": "may not deploy",
        "emergency": "may not deploy, and this is an emergency",
    }
    named = f" ({found['policy']})" if found["policy"] else ""
    out.print(f"{found['service']} {said[found['action']]}{named}.", markup=False)
    for reason in found["reasons"]:
        out.print(f"  {reason}", markup=False)
    for due in found["postmortems_due"]:
        out.print(f"  a postmortem is due: {due}", markup=False)


def _short(instant: str) -> str:
    return datetime.fromisoformat(instant).strftime("%Y-%m-%d %H:%MZ")


cli_slo_files.add_to(slo_cli)
cli_slo_reports.add_to(slo_cli)
