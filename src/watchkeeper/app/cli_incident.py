"""`watchkeeper incident`: what goes on, and what is done about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

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

incident_cli = typer.Typer(help="Incidents: declare one, lead it, tell how it is.", no_args_is_help=True)

IncidentId = Annotated[str, typer.Argument(help="The id or the name, as `incident list` shows them.")]
SeverityOption = Annotated[str | None, typer.Option("--severity", help="SEV-1, SEV-2, SEV-3 or SEV-4.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; needed while critical alerts are open.")]


@incident_cli.command("list")
def list_incidents(
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones and drills, too.")] = False,
    service: Annotated[str | None, typer.Option("--service", help="Only those that affect this service.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="At most so many.")] = 50,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show incidents: open ones first, the worst first."""
    asked: list[tuple[str, str]] = [("limit", str(limit))]
    asked += [] if everything else [("open", "true"), ("drill", "false")]
    asked += [("service", service)] if service else []
    with refusals_end_the_command():
        found = ask("GET", f"/incidents?{urlencode(asked)}", data, database_url, server, token)["items"]
        if as_json:
            print_json(found)
            return
        if not found:
            out.print("There were no incidents." if everything else "No incident is open.")
        for one in found:
            out.print(line(one), markup=False)


@incident_cli.command("show")
def show(
    incident: IncidentId,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one with its clocks, roles, updates, links, who was called, and record."""
    with refusals_end_the_command():
        found = ask("GET", path(incident), data, database_url, server, token)
        if as_json:
            print_json(found)
            return
        out.print(line(found), markup=False)
        for clock in found["clocks"]:
            out.print(f"  {clock['kind']} by {clock['due_at']} ({clock['target']}): {clock['state']}", markup=False)
        for role, who in found["roles"].items():
            out.print(f"  {role}: {who}", markup=False)
        for update in found["updates"]:
            told = " (public)" if update["public"] else ""
            out.print(f"  {update['at']}  {update['status']}{told}: {update['text']}", markup=False)
        for one in found["links"]:
            out.print(f"  {one['kind']}: {one['target']}  {one['label']}".rstrip(), markup=False)
        for page in found["pages"]:
            answer = "not reached" if page["missed_at"] or not page["messages"] else page["ended_because"] or "called"
            out.print(f"  {page['at']}  {page['person'] or page['channel']}: {page['why']}; {answer}", markup=False)
        for entry in found["entries"]:
            out.print(f"  {entry['at']}  {entry['kind']}: {entry['text'] or entry['file_name']}", markup=False)


@incident_cli.command("open")
def open_incident(
    title: Annotated[str, typer.Argument(help="What is wrong, in a few words.")],
    severity: SeverityOption = None,
    service: Annotated[list[str] | None, typer.Option("--service", help="What it affects; may be repeated.")] = None,
    alert: Annotated[list[str] | None, typer.Option("--alert", help="Id of an alert of it; may be repeated.")] = None,
    summary: Annotated[str, typer.Option("--summary", help="What is known.")] = "",
    impact: Annotated[str, typer.Option("--impact", help="What users notice.")] = "",
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare an incident. Unless its alerts do, it calls people."""
    order: dict[str, Any] = {"title": title, "services": service or [], "alert_groups": alert or []}
    order |= {"summary": summary, "impact": impact}
    order |= {"severity": severity.upper()} if severity else {}
    with refusals_end_the_command():
        made = ask("POST", "/incidents", data, database_url, server, token, json=order)
        tell(made, as_json, f"{made['severity']} is open: {made['id']} ({made['name']})")


@incident_cli.command("ack")
def acknowledge(
    incident: IncidentId,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that you have it, and its alerts."""
    with refusals_end_the_command():
        found = ask("POST", f"{path(incident)}/acknowledge", data, database_url, server, token, json={})
        tell(found, as_json, f"Acknowledged: {found['title']}")


@incident_cli.command("severity")
def severity_of(
    incident: IncidentId,
    severity: Annotated[str, typer.Argument(help="SEV-1, SEV-2, SEV-3 or SEV-4.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how bad it is."""
    order = {"severity": severity.upper(), "reason": reason}
    with refusals_end_the_command():
        found = ask("PUT", f"{path(incident)}/severity", data, database_url, server, token, json=order)
        tell(found, as_json, f"{found['title']} is {found['severity']}")


@incident_cli.command("status")
def status_of(
    incident: IncidentId,
    status: Annotated[str, typer.Argument(help="investigating, identified, monitoring or resolved.")],
    reason: ReasonOption = "",
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how far it is."""
    order = {"status": status, "reason": reason}
    with refusals_end_the_command():
        found = ask("PUT", f"{path(incident)}/status", data, database_url, server, token, json=order)
        tell(found, as_json, f"{found['title']}: {found['status']}")


@incident_cli.command("role")
def assign(
    incident: IncidentId,
    role: Annotated[str, typer.Argument(help="commander, investigator, communicator or fixer.")],
    person: Annotated[str, typer.Argument(help="The id of a person, `me`, or `nobody`.")],
    hand_over: Annotated[bool, typer.Option("--hand-over", help="Take it from whoever has it.")] = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a role to somebody; each is one person's."""
    order = {"person": None if person == "nobody" else person, "hand_over": hand_over}
    with refusals_end_the_command():
        where = f"{path(incident)}/roles/{quote(role, safe='')}"
        found = ask("PUT", where, data, database_url, server, token, json=order)
        tell(found, as_json, f"{role}: {person}")


@incident_cli.command("update")
def update(
    incident: IncidentId,
    text: Annotated[str, typer.Argument(help="How it is.")],
    public: Annotated[bool, typer.Option("--public", help="Also for the status page.")] = False,
    status: Annotated[str | None, typer.Option("--status", help="How far it is from now on.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Published once, however often it is sent.")] = None,
    reason: ReasonOption = "",
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell how it is."""
    order = {"text": text, "public": public, "status": status, "key": key, "reason": reason}
    with refusals_end_the_command():
        found = ask("POST", f"{path(incident)}/updates", data, database_url, server, token, json=order)
        tell(found, as_json, f"Posted: {found['id']}")


@incident_cli.command("note")
def note(
    incident: IncidentId,
    text: Annotated[str, typer.Argument(help="What is to be remembered.")],
    decision: Annotated[bool, typer.Option("--decision", help="It is a decision.")] = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a line onto its record."""
    order = {"text": text, "kind": "decision" if decision else "note"}
    with refusals_end_the_command():
        found = ask("POST", f"{path(incident)}/notes", data, database_url, server, token, json=order)
        tell(found, as_json, f"Written: {found['id']}")


@incident_cli.command("attach")
def attach(
    incident: IncidentId,
    file: Annotated[Path, typer.Argument(help="A small file.", exists=True, dir_okay=False)],
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a small file with it."""
    with refusals_end_the_command():
        where = f"{path(incident)}/files?{urlencode({'file_name': file.name})}"
        found = ask("POST", where, data, database_url, server, token, content=file.read_bytes())
        tell(found, as_json, f"Kept: {found['file_name']} ({found['size']} bytes)")


@incident_cli.command("resolve")
def resolve(
    incident: IncidentId,
    reason: ReasonOption = "",
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Call it over."""
    with refusals_end_the_command():
        found = ask("POST", f"{path(incident)}/resolve", data, database_url, server, token, json={"reason": reason})
        tell(found, as_json, f"Resolved: {found['title']}")


@incident_cli.command("reopen")
def reopen(
    incident: IncidentId,
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """It is not over."""
    with refusals_end_the_command():
        found = ask("POST", f"{path(incident)}/reopen", data, database_url, server, token, json={"reason": reason})
        tell(found, as_json, f"Open again: {found['title']}")


@incident_cli.command("merge")
def merge(
    incident: IncidentId,
    into: Annotated[str, typer.Argument(help="The one that goes on.")],
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have it go on in another one."""
    with refusals_end_the_command():
        found = ask("POST", f"{path(incident)}/merge", data, database_url, server, token, json={"into": into})
        tell(found, as_json, f"It goes on in: {found['title']} ({found['id']})")


@incident_cli.command("measures")
def measures(
    since: Annotated[str | None, typer.Option("--since", help="RFC 3339; 90 days ago without.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="RFC 3339; now without.")] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Times to detect, acknowledge, respond and resolve (medians), and the cost in person-hours."""
    asked = urlencode([(name, value) for name, value in (("since", since), ("until", until)) if value])
    with refusals_end_the_command():
        found = ask("GET", f"/incidents/measures?{asked}", data, database_url, server, token)
        if as_json:
            print_json(found)
            return
        names = ("detect", "acknowledge", "respond", "resolve")
        out.print(f"{'':<20}  {'count':>5}  {'  '.join(f'{name:>11}' for name in names)}  {'person-hours':>12}")
        for one in (found["total"], *found["severities"], *found["services"], *found["months"]):
            times = "  ".join(f"{_seconds(one[name]['median']):>11}" for name in names)
            cost = one["person_hours"]
            hours = f"{'-' if cost is None else format(cost, '.1f'):>12}"
            out.print(f"{one['name']:<20}  {one['incidents']:>5}  {times}  {hours}", markup=False)
        out.print(found["formula"], markup=False)


@incident_cli.command("drill")
def drill(
    service: Annotated[str | None, typer.Option("--service", help="Whose alert it is.")] = None,
    severity: Annotated[str, typer.Option("--severity", help="SEV-1, SEV-2, SEV-3 or SEV-4.")] = "SEV-1",
    title: Annotated[str, typer.Option("--title", help="What is wrong in the play.")] = "Nobody can sign in",
    environment: Annotated[str | None, typer.Option("--environment", help="Where.")] = None,
    page: Annotated[bool, typer.Option("--page", help="Really call people; it goes on until they resolve it.")] = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play an incident: who would be called when, what the clocks would say, and what would go wrong tonight."""
    order = {"title": title, "severity": severity.upper(), "service": service, "environment": environment, "page": page}
    with refusals_end_the_command():
        found = ask("POST", "/incidents/drill", data, database_url, server, token, json=order)
        tell(found, as_json, "\n".join(found["words"]))


def line(one: dict[str, Any]) -> str:
    """An incident on one line."""
    where = f"  [{', '.join(one['services'])}]" if one["services"] else ""
    drill = "  (drill)" if one["drill"] else ""
    state = "merged" if one["merged_into"] else one["status"]
    return f"{one['id']}  {one['severity']}  {state:<13}  {one['title']}{where}{drill}"


def path(incident: str) -> str:
    """Below `/api/v1`."""
    return f"/incidents/{quote(incident, safe='')}"


def _seconds(value: float | None) -> str:
    from watchkeeper.kernel.web.formats import duration  # here, so that `--help` is quick

    return "-" if value is None else duration(value * 1e9)


def tell(found: Any, as_json: bool, words: str) -> None:
    """Answer a change: as JSON, or in words."""
    if as_json:
        print_json(found)
    else:
        out.print(words, markup=False)
